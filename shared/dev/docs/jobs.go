package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/job"
)

// jobStates draws job.Edges as a Mermaid state diagram.
func jobStates() string {
	var b strings.Builder
	b.WriteString("```mermaid\nstateDiagram-v2\n    [*] --> Created: trigger worker\n")
	for _, e := range job.Edges {
		fmt.Fprintf(&b, "    %s --> %s: %s\n", e.From, e.To, e.Cause)
	}
	b.WriteString("```\n")
	return b.String()
}

// jobPolicies lists job.Policies.
func jobPolicies() string {
	var b strings.Builder
	b.WriteString("| job type | submissions | polls | poll every | watched every | lease " +
		"|\n|---|---:|---:|---|---|---|\n")
	policies := job.Policies()
	for _, t := range job.Types {
		p := policies[t]
		fmt.Fprintf(&b, "| %s | %d | %d | %s | %s | %s |\n",
			t, p.MaxProcess, p.MaxVerify, backoff(p.Poll), backoff(p.Watch), short(p.LeaseTTL))
	}
	// The same for every type; TestPoliciesShareRetries holds that.
	p := policies[job.Types[0]]
	fmt.Fprintf(&b, "\nEvery type: after a transient failure the next try comes after %s; %d crashed invocations in "+
		"a row fail the job; "+
		"%d transient failures in a row make an alert.\n", backoff(p.Retry), p.MaxCrashes, p.AlertAfter)
	return b.String()
}

// sharedRetries says whether all types have the same backoff, crash limit and alert.
func sharedRetries() bool {
	policies := job.Policies()
	first := policies[job.Types[0]]
	return !slices.ContainsFunc(job.Types, func(t job.Type) bool {
		p := policies[t]
		return p.Retry != first.Retry || p.MaxCrashes != first.MaxCrashes || p.AlertAfter != first.AlertAfter
	})
}

func backoff(b job.Backoff) string {
	if b.First == 0 {
		return "never"
	}
	if b.First == b.Max {
		return short(b.First)
	}
	return short(b.First) + " to " + short(b.Max)
}

// short writes a duration without its zero parts: 5m0s is 5m.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
