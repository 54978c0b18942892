// Infra is the CDK app: one stack a chain, made of what shared/resource describes. `make synth` and `make deploy` run
// it.
package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
	"github.com/madara-orchestrator/orchestrator/shared/dev/functions"
)

// Variables of infra/cdk.sh: the file of chains, the command and its stacks.
const (
	chainsVariable  = "ORCHESTRATOR_CHAINS"
	commandVariable = "ORCHESTRATOR_CDK"
	stacksVariable  = "STACKS"
	defaultPath     = "infra/chains.yaml"
)

func main() {
	path := os.Getenv(chainsVariable)
	if path == "" {
		path = defaultPath
	}
	if err := synth(caller{
		Command: os.Getenv(commandVariable),
		Account: os.Getenv("CDK_DEFAULT_ACCOUNT"),
		Path:    path,
	}); err != nil {
		fmt.Fprintf(os.Stderr, "\n%v\n", err)
		os.Exit(1)
	}
}

func synth(c caller) error {
	f, err := Load(c.Path)
	if err != nil {
		return err
	}
	if err := c.refused(f); err != nil {
		return err
	}
	if err := f.checkQuota(os.Stderr, c, os.Getenv(stacksVariable), concurrencyOf); err != nil {
		return err
	}
	defer jsii.Close()
	var authorities []byte
	if slices.ContainsFunc(f.Chains, func(c Chain) bool { return c.Mongo.DocumentDB }) {
		if authorities, err = Authorities(".", f.Region); err != nil {
			return err
		}
	}
	zips := map[functions.Variant]Zips{}
	for _, c := range f.Chains {
		if v := c.variant(); zips[v] == nil {
			if zips[v], err = Build(".", v, authorities); err != nil {
				return err
			}
		}
	}
	app := awscdk.NewApp(nil)
	for _, c := range f.Chains {
		NewStack(app, c, f.Account, f.Region, zips[c.variant()])
	}
	app.Synth(nil)
	if c.Command != "synth" {
		return nil
	}
	return summarize(os.Stderr, f, c)
}
