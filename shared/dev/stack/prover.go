package stack

import (
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	fakeatlantic "github.com/madara-orchestrator/orchestrator/shared/dev/fake/atlantic"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/proving"
	fakesharp "github.com/madara-orchestrator/orchestrator/shared/dev/fake/sharp"
)

// Secrets of the fake of Atlantic: its API key, and what the URL of its webhooks carries.
const (
	proverKey  = "prover-key-hunter2"
	HookSecret = "hook-secret-hunter2"
)

// prover starts the fake of the prover, if it is to be one, which registers facts on the contracts.
func (s *Sandbox) prover(o Options, l layer) (part, error) {
	if o.Prover == "" || o.Prover == config.MockProver {
		return l.registrar, nil
	}
	source, err := s.source()
	if err != nil {
		return part{}, err
	}
	world := &proving.World{Source: source, Registry: l.registry, Fact: l.fact}
	switch o.Prover {
	case config.Atlantic:
		return s.atlantic(o, world)
	case config.Sharp:
		server, err := fakesharp.Start(world.Sharp(fakesharp.Config{CustomerID: o.Name, TLS: true}))
		if err != nil {
			return part{}, err
		}
		s.closers = append(s.closers, func() { _ = server.Close() })
		s.Violations = server.Violations
		c := server.Credentials()
		return part{map[string]string{"cert": c.ClientCert, "key": c.ClientKey, "server": c.ServerCert},
			map[string]string{
				"PROVER_KIND": config.Sharp, "PROVER_URL": server.URL(), "PROVER_SHARP_CUSTOMER_ID": o.Name,
				"PROVER_SHARP_CLIENT_CERT_SECRET": o.Name + "/cert",
				"PROVER_SHARP_CLIENT_KEY_SECRET":  o.Name + "/key",
				"PROVER_SHARP_SERVER_CERT_SECRET": o.Name + "/server",
			}}, nil
	}
	return part{}, fmt.Errorf("prover %q is not known", o.Prover)
}

// RefusedProof reads prover or prover@3, as a user writes which proof is to be refused: its number, from 1. ok says
// whether the text is about a proof; the error, that its number is none.
func RefusedProof(v string) (nth int64, ok bool, err error) {
	what, number, at := strings.Cut(v, "@")
	if what != "prover" {
		return 0, false, nil
	}
	if !at {
		return 1, true, nil
	}
	if nth, err = strconv.ParseInt(number, 10, 32); err != nil || nth < 1 {
		return 0, true, fmt.Errorf("%q: want the number of a proof after @, as in prover@3", v)
	}
	return nth, true, nil
}

// refuseOnce refuses the nth query, and so one job's proof until somebody retries it.
func refuseOnce(nth int64) func(fakeatlantic.Proven) string {
	var n atomic.Int64
	return func(fakeatlantic.Proven) string {
		if n.Add(1) == nth {
			return fmt.Sprintf("FAIL=prover@%d refuses this proof once", nth)
		}
		return ""
	}
}

func (s *Sandbox) atlantic(o Options, world *proving.World) (part, error) {
	// Atlantic documents no aggregator for the newest Starknet, so an operator names the one that Atlantic has.
	aggregator := "snos_aggregator_" + o.Version
	c := fakeatlantic.Config{APIKey: proverKey, MoreVersions: []string{aggregator}, Webhook: o.Webhook}
	if o.RefuseProof > 0 {
		c.Verdict = refuseOnce(o.RefuseProof)
	}
	server, err := fakeatlantic.Start(world.Atlantic(c))
	if err != nil {
		return part{}, err
	}
	s.closers = append(s.closers, func() { _ = server.Close() })
	s.Violations = server.Violations
	p := part{map[string]string{"prover": proverKey}, map[string]string{
		"PROVER_KIND": config.Atlantic, "PROVER_URL": server.URL(),
		"PROVER_ATLANTIC_ARTIFACTS_URL": server.ArtifactsURL(),
		"PROVER_KEY_SECRET":             o.Name + "/prover", "PROVER_ATLANTIC_NETWORK": "TESTNET",
		"PROVER_ATLANTIC_AGGREGATOR_VERSION": aggregator,
	}}
	if o.Layer == stage.L3 {
		p.settings["PROVER_ATLANTIC_VERIFIER_PROGRAM_HASH"] = "0x1" // the fake has no verifier program
		delete(p.settings, "PROVER_ATLANTIC_AGGREGATOR_VERSION")
	}
	if o.Webhook != "" {
		p.secrets["hook"], p.settings["PROVER_ATLANTIC_HOOK_SECRET"] = HookSecret, o.Name+"/hook"
	}
	return p, nil
}
