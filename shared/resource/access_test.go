package resource_test

import (
	"slices"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// Who signs: the two functions that send transactions, and nobody who answers requests from outside.
func TestWhoSigns(t *testing.T) {
	t.Parallel()
	signers := []string{resource.FnDataSubmission, resource.FnStateTransition}
	for _, f := range resource.Functions() {
		a := resource.AccessOf(f.Name)
		signs := slices.Contains(signers, f.Name)
		if a.Signs != signs || slices.Contains(a.Secrets, resource.WalletSecret) != signs {
			t.Errorf("%s signs: %t, reads the wallet's key: %t; want both %t",
				f.Name, a.Signs, slices.Contains(a.Secrets, resource.WalletSecret), signs)
		}
	}
	data := resource.AccessOf(resource.FnDataSubmission)
	own, none := data.Publishing(true), data.Publishing(false)
	if own.Signs || !own.SignsData || slices.Contains(own.Secrets, resource.WalletSecret) ||
		!slices.Contains(own.Secrets, resource.DataWalletSecret) {
		t.Errorf("what publishes on a layer of its own may %+v", own)
	}
	wallets := []resource.Secret{resource.WalletSecret, resource.DataWalletSecret, resource.LayerSecret}
	if none.Signs || none.SignsData ||
		slices.ContainsFunc(none.Secrets, func(s resource.Secret) bool { return slices.Contains(wallets, s) }) {
		t.Errorf("what publishes nothing may %+v", none)
	}
	api := resource.AccessOf(resource.FnAPI)
	if slices.Contains(api.Secrets, resource.DataWalletSecret) || api.SignsData {
		t.Error("the API may publish")
	}
	for _, s := range []resource.Secret{resource.ProverSecret, resource.HookSecret, resource.RunnerSecret} {
		if slices.Contains(api.Secrets, s) {
			t.Errorf("the API reads the secret %q", s)
		}
	}
	for _, x := range resource.Asks() {
		a := resource.AccessOf(x.Function)
		if a.Signs || slices.Contains(a.Secrets, resource.WalletSecret) {
			t.Errorf("the API may start %s, which signs", x.Function)
		}
		if !slices.Contains(api.Invokes, x.Function) || !resource.Checking(x.Function) {
			t.Errorf("the API can't ask %s about the %s", x.Function, x.Service)
		}
	}
	if resource.Checking(resource.FnStateTransition) {
		t.Error("the API asks the function that signs")
	}
	if quiet := api.WithoutCommands(); len(quiet.Sends) > 0 || quiet.Publishes ||
		!slices.Equal(quiet.Pings, []string{resource.TriggerQueue}) {
		t.Errorf("without commands the API may still %+v", quiet)
	}
}

// What answers requests from outside has a concurrency of its own.
func TestHTTPFunctionsAreBounded(t *testing.T) {
	t.Parallel()
	bounded := 0
	for _, f := range resource.Functions() {
		if f.Name == resource.FnAPI || f.Name == resource.FnHooks {
			bounded++
			if f.Concurrency == 0 {
				t.Errorf("%s has no reserved concurrency", f.Name)
			}
		}
	}
	if bounded != 2 {
		t.Errorf("%d functions serve HTTP, want 2", bounded)
	}
}
