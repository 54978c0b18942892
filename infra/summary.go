package main

import (
	"fmt"
	"io"
	"strings"
)

// caller is who runs the CDK, as its command line says it to the app (AWS CDK developer guide, "Environments"): it
// looks the credentials up before it runs the app, and leaves these out where it found none that work.
type caller struct {
	Command string // of infra/cdk.sh, such as synth; "" where the app runs without it
	Account string // of the credentials; "" without any
	Path    string // of the file of chains
}

// refused is why a command can't work with the caller's credentials; nil where it may. It is asked before anything is
// built.
func (c caller) refused(f File) error {
	switch {
	case c.Command == "" || c.Command == "synth":
		return nil
	case c.Account == "":
		return fmt.Errorf("make %s: no AWS credentials that work were found: set AWS_PROFILE, or sign in again (aws "+
			"sso login); nothing was built", c.Command)
	case f.Account != "" && f.Account != c.Account:
		return fmt.Errorf("make %s: your AWS credentials are of account %s, %s says %s: use those of that account; "+
			"nothing was built", c.Command, c.Account, c.Path, f.Account)
	}
	return nil
}

// summarize prints what the chains' stacks will make, and which command is next.
func summarize(w io.Writer, f File, c caller) error {
	var b strings.Builder
	account := f.Account
	if account == "" {
		account = c.Account
	}
	if account == "" {
		account = "(of your credentials)"
	}
	for _, chain := range f.Chains {
		chain.summary(&b, account, f.Region)
	}
	need := quota(f.Chains)
	fmt.Fprintf(&b, "\nLambda's quota \"Concurrent executions\" in %s must be %d at least: %d are reserved, and "+
		"Lambda leaves %d unreserved\n", f.Region, need, need-unreserved, unreserved)
	next := "make bootstrap deploy"
	if c.Path != defaultPath {
		next += " CHAINS=" + c.Path
	}
	switch refusal := (caller{"deploy", c.Account, c.Path}).refused(f); {
	case c.Account == "":
		fmt.Fprintf(&b, "\nNext: AWS credentials of the account (none that work were found), then: %s\n", next)
	case refusal != nil:
		fmt.Fprintf(&b, "\nNext: your AWS credentials are of account %s: take those of %s, then: %s\n",
			c.Account, f.Account, next)
	default:
		fmt.Fprintf(&b, "\nNext: %s (bootstrap: once an account and region)\n", next)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (c Chain) summary(w io.Writer, account, region string) {
	pool := uint64(0)
	if parsed, err := c.parse(); err == nil { // the file is checked: there is no error
		pool = parsed.Mongo.PoolSize
	}
	queues, timers := len(queuesOf(c)), len(schedulesOf(c))
	fmt.Fprintf(w, "\n%s: %s (%s) in account %s, %s\n",
		StackName(c), strings.ToUpper(string(c.Layer)), c.Environment, account, region)
	fmt.Fprintf(w, "  functions    %d on %s: up to %d at a time, %d of them reserved, %d database connections\n",
		len(functionsOf(c)), c.Architecture, c.concurrency(), c.reserved(), c.connections(pool))
	fmt.Fprintf(w, "  wake-ups     %d queues, %d schedules\n", queues, timers)
	data := "deleted with the stack"
	if c.prod() {
		data = "kept when the stack is deleted"
	}
	fmt.Fprintf(w, "  data         a bucket (%s); logs for %d days\n", data, c.LogDays)
	api := "HTTP API for callers with AWS credentials"
	if c.API.Auth == "jwt" {
		api = "HTTP API for tokens of " + c.API.Issuer
	}
	if c.API.Admin {
		api += ", with commands"
	}
	fmt.Fprintf(w, "  API          %s\n", api)
	fmt.Fprintf(w, "  alerts       %s\n", c.recipients())
	for _, part := range []struct {
		made bool
		what string
	}{
		{c.WalletKMS, "wallet       a KMS key that signs"},
		{c.DataWalletKMS, "data wallet  a KMS key that signs"},
		{c.Mongo.DocumentDB, fmt.Sprintf("database     DocumentDB, %d of db.%s", c.Mongo.Instances, c.Mongo.Instance)},
		{c.Snos.Image != "",
			fmt.Sprintf("SNOS         AWS Batch on Fargate, %v vCPU and %d MiB a run", c.Snos.VCPU, c.Snos.MemoryMiB)},
		{c.inVPC() || c.Snos.Image != "", "network      a VPC"},
		{c.Tracing, "traces       AWS X-Ray"},
	} {
		if part.made {
			fmt.Fprintf(w, "  %s\n", part.what)
		}
	}
	if words := c.words(); len(words) > 0 {
		fmt.Fprintf(w, "  secrets      without values, put them in after the deployment: %s\n",
			strings.Join(c.secretNames(), ", "))
	}
}

// recipients says who gets the alerts.
func (c Chain) recipients() string {
	if e, w := len(c.Alerts.Emails), len(c.Alerts.Webhooks); e+w > 0 {
		return fmt.Sprintf("emails: %d, webhooks: %d", e, w)
	}
	return "nobody gets them: give alerts.emails or alerts.webhooks"
}

func (c Chain) secretNames() []string {
	var out []string
	for _, w := range c.words() {
		out = append(out, c.secret(w))
	}
	return out
}
