package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// unreserved is how much of an account's concurrency Lambda keeps for functions that reserve none. A deployment that
// would leave less is refused (AWS Lambda, "Configuring reserved concurrency for a function").
const unreserved = 100

// reserved is how much concurrency the chain's functions take out of the account's for themselves.
func (c Chain) reserved() (n int) {
	for _, f := range functionsOf(c) {
		n += f.Concurrency
	}
	return n
}

// quota is the lowest quota "Concurrent executions" with which an account takes the chains' stacks, in one region.
func quota(chains []Chain) int {
	n := unreserved
	for _, c := range chains {
		n += c.reserved()
	}
	return n
}

// chosen are the chains whose stacks a command is about; stacks is as infra/cdk.sh takes it.
func (f File) chosen(stacks string) []Chain {
	if stacks == "" || stacks == "--all" {
		return f.Chains
	}
	names := strings.Fields(stacks)
	return slices.DeleteFunc(slices.Clone(f.Chains), func(c Chain) bool {
		return !slices.Contains(names, StackName(c))
	})
}

// tooLow is why an account with a quota can't take the chains' stacks; nil where it may. What else the account reserves
// is not known here.
func tooLow(chains []Chain, region string, has int) error {
	if need := quota(chains); has < need {
		return fmt.Errorf("Lambda's quota \"Concurrent executions\" in %s is %d: the stacks need %d (they reserve %d, "+
			"and Lambda leaves %d unreserved). Ask for more: aws service-quotas request-service-quota-increase "+
			"--region %s --service-code lambda --quota-code L-B99A9384 --desired-value %d; nothing was built",
			region, has, need, need-unreserved, unreserved, region, max(need, defaultQuota))
	}
	return nil
}

// defaultQuota is Lambda's quota of an account that is not new.
const defaultQuota = 1000

// concurrencyOf asks Lambda for the account's quota "Concurrent executions" in a region.
func concurrencyOf(region string) (int, error) {
	const wait = 10 * time.Second
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	cfg, err := awsconfig.LoadDefaultConfig(ctx, awsconfig.WithRegion(region))
	if err != nil {
		return 0, err
	}
	is, err := lambda.NewFromConfig(cfg).GetAccountSettings(ctx, &lambda.GetAccountSettingsInput{})
	if err != nil {
		return 0, err
	}
	if is.AccountLimit == nil {
		return 0, errors.New("the answer has no limits")
	}
	return int(is.AccountLimit.ConcurrentExecutions), nil
}

// checkQuota refuses a deployment of stacks that the account's quota can't take, before anything is built. Where has
// can't find the quota out, such as for a role that may not ask, it says so and goes on: Lambda itself refuses then.
func (f File) checkQuota(w io.Writer, c caller, stacks string, has func(region string) (int, error)) error {
	chains := f.chosen(stacks)
	if c.Command != "deploy" || len(chains) == 0 {
		return nil
	}
	n, err := has(f.Region)
	if err != nil {
		fmt.Fprintf(w, "Lambda's quota \"Concurrent executions\" can't be read, it must be %d at least: %v\n",
			quota(chains), err)
		return nil
	}
	return tooLow(chains, f.Region, n)
}
