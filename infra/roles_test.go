package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// may says whether a function's role may do an action, and on what.
func (s template) may(function, action string) []string {
	var out []string
	for pid, p := range s.of("AWS::IAM::Policy") {
		if !strings.HasPrefix(pid, "Role"+title(function)+"DefaultPolicy") {
			continue
		}
		for _, raw := range p["PolicyDocument"].(map[string]any)["Statement"].([]any) {
			st := raw.(map[string]any)
			if slices.Contains(list(st["Action"]), any(action)) {
				for _, r := range list(st["Resource"]) {
					out = append(out, text(r))
				}
			}
		}
	}
	slices.Sort(out)
	return out
}

// Each function may touch only what resource.AccessOf says.
func TestLeastPrivilege(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		for _, f := range functionsOf(s.chain) {
			a := s.chain.accessOf(f.Name)
			count := func(names []string) (n int) {
				for _, name := range names {
					if slices.ContainsFunc(queuesOf(s.chain), func(q resource.Queue) bool { return q.Name == name }) {
						n++
					}
				}
				return n
			}
			if got, want := len(s.may(f.Name, "sqs:ReceiveMessage")), count(a.Consumes); got != want {
				t.Errorf("%s may consume %d queues, want %d", f.Name, got, want)
			}
			if got, want := len(s.may(f.Name, "sqs:SendMessage")), count(a.Sends); got != want {
				t.Errorf("%s may send to %d queues, want %d", f.Name, got, want)
			}
			if got := s.may(f.Name, "s3:PutObject"); len(got) != len(a.Writes) {
				t.Errorf("%s may write %q, want %q", f.Name, got, a.Writes)
			}
			if got := len(s.may(f.Name, "lambda:InvokeFunction")) > 0; got != (len(a.Invokes) > 0) {
				t.Errorf("%s may invoke: %t", f.Name, got)
			}
			secrets := 0
			for _, kind := range a.Secrets {
				secrets += len(s.chain.secretsOf(kind))
			}
			if got := len(s.may(f.Name, "secretsmanager:GetSecretValue")); got != secrets {
				t.Errorf("%s may read %d secrets, want %d", f.Name, got, secrets)
			}
			wallet, data := s.chain.WalletKMS, s.chain.DataWalletKMS
			for action, want := range map[string][]bool{
				"kms:GetPublicKey": {(a.Signs || a.Watches) && wallet, (a.SignsData || a.WatchesData) && data},
				"kms:Sign":         {a.Signs && wallet, a.SignsData && data},
			} {
				keys := strings.Join(s.may(f.Name, action), " ")
				for i, key := range []string{`"Wallet`, `"DataWallet`} {
					if got := strings.Contains(keys, key); got != want[i] {
						t.Errorf("%s may %s with %s: %t (%s)", f.Name, action, key, got, keys)
					}
				}
			}
		}
	})
}

// Every role and permission that a service uses is for this account's resources alone.
func TestConfusedDeputies(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		roles := s.of("AWS::IAM::Role")
		if len(roles) < len(functionsOf(s.chain)) {
			t.Fatalf("only %d roles", len(roles))
		}
		for id, p := range roles {
			for _, raw := range list(p["AssumeRolePolicyDocument"].(map[string]any)["Statement"]) {
				st := raw.(map[string]any)
				conditions, service := text(st["Condition"]), text(st["Principal"])
				if !strings.Contains(conditions, `"aws:SourceAccount"`) {
					t.Errorf("role %s may be assumed by %s for any account", id, service)
				}
				if !strings.Contains(service, "lambda.amazonaws.com") &&
					!strings.Contains(conditions, `"aws:SourceArn"`) {
					t.Errorf("role %s may be assumed by %s for any resource", id, service)
				}
			}
		}
		for id, p := range s.of("AWS::Lambda::Permission") {
			if p["SourceArn"] == nil || p["SourceAccount"] == nil {
				t.Errorf("permission %s: %s", id, text(p))
			}
		}
	})
}

// The app chain's node is a secret of those who read it: what publishes does where segments are compared.
func TestWhoReadsTheChain(t *testing.T) {
	each(t, func(t *testing.T, s template) {
		for _, f := range []string{resource.FnDataSubmission, resource.FnStateTransition} {
			a := s.chain.accessOf(f)
			want := s.chain.Name == "blobs" && f == resource.FnDataSubmission
			if got := slices.Contains(a.Secrets, resource.ChainSecret); got != want {
				t.Errorf("%s reads the chain's secret: %t, want %t", f, got, want)
			}
		}
	})
}
