package ethereum_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	goethereum "github.com/ethereum/go-ethereum"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/crypto"

	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/client/mockprover"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof/prooftest"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	devethereum "github.com/madara-orchestrator/orchestrator/shared/dev/ethereum"
)

func (b *bench) facts(t *testing.T) *ethereum.Facts {
	t.Helper()
	return must(ethereum.NewFacts(b.node, b.at.Registry.Hex()))(t)
}

func (b *bench) registrar(t *testing.T) *ethereum.Registrar {
	t.Helper()
	return ethereum.NewRegistrar(b.facts(t), b.wallet(t, registrar, ethereum.SidecarAuto))
}

func TestFacts_Conformance(t *testing.T) {
	t.Parallel()
	prooftest.TestFactChecker(t, func(t *testing.T) prooftest.Registry {
		b := setup(t, devethereum.Setup{})
		registry := &devethereum.Sender{Client: b.sender.Client, Key: devethereum.Keys[registrar], Mine: b.sender.Mine}
		return prooftest.Registry{Checker: b.facts(t), Register: func(t *testing.T, fact string) {
			t.Helper()
			if err := registry.RegisterFact(context.WithoutCancel(t.Context()), b.at.Registry,
				common.HexToHash(fact)); err != nil {
				t.Fatal(err)
			}
		}}
	})
}

func TestFacts_ManyAndBad(t *testing.T) {
	t.Parallel()
	b := setup(t, devethereum.Setup{})
	facts := make([]string, 250)
	for i := range facts {
		facts[i] = prooftest.Fact(i)
	}
	r := b.registrar(t)
	if err := r.Register(t.Context(), facts[249]); err != nil {
		t.Fatal(err)
	}
	b.Mine(1)
	valid := must(b.facts(t).Valid(t.Context(), facts))(t)
	for i, v := range valid {
		if v != (i == 249) {
			t.Errorf("fact %d is %t", i, v)
		}
	}
	if len(valid) != len(facts) {
		t.Errorf("%d answers for %d facts", len(valid), len(facts))
	}
	for _, bad := range []string{"", "0x", "0x12", strings.Repeat("1", 64), "0x" + strings.Repeat("g", 64)} {
		if _, err := b.facts(t).Valid(t.Context(), []string{bad}); err == nil {
			t.Errorf("fact %q was taken", bad)
		}
		if err := r.Register(t.Context(), bad); err == nil {
			t.Errorf("fact %q was registered", bad)
		}
	}
	none := must(ethereum.NewFacts(b.node, sink))(t)
	if _, err := none.Valid(t.Context(), facts[:1]); err == nil ||
		!strings.Contains(err.Error(), "is it a fact registry?") {
		t.Errorf("Valid where no registry is: %v", err)
	}
	other := ethereum.NewRegistrar(b.facts(t), b.wallet(t, operator, ethereum.SidecarAuto))
	var revert *tx.RevertError
	if err := other.Register(t.Context(), facts[0]); !errors.As(err, &revert) || revert.Code != "ONLY_REGISTRAR" {
		t.Errorf("Register by who is not the registrar: %v", err)
	}
}

// transactions is how many transactions the registrar's account has sent.
func (b *bench) transactions(t *testing.T) uint64 {
	t.Helper()
	return must(b.sender.Client.PendingNonceAt(context.WithoutCancel(t.Context()),
		devethereum.Address(devethereum.Keys[registrar])))(t)
}

// TestRegistrar_SendsOnce: asking again while the transaction waits sends nothing. This process knows what it sent; a
// new one sees it in the node's pending state, which geth builds again every two seconds.
func TestRegistrar_SendsOnce(t *testing.T) {
	t.Parallel()
	b := setup(t, devethereum.Setup{})
	fact := prooftest.Fact(1)
	first := b.registrar(t)
	register := func(r *ethereum.Registrar) {
		t.Helper()
		if err := r.Register(t.Context(), fact); err != nil {
			t.Fatal(err)
		}
		if n := b.transactions(t); n != 1 {
			t.Errorf("%d transactions register one fact", n)
		}
	}
	register(first)
	register(first)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	call := goethereum.CallMsg{To: &b.at.Registry,
		Data: append(crypto.Keccak256([]byte("isValid(bytes32)"))[:4], common.FromHex(fact)...)}
	for out := []byte{0}; out[len(out)-1] == 0; {
		var err error
		if out, err = b.sender.Client.PendingCallContract(ctx, call); err != nil {
			t.Fatal(err)
		}
	}
	register(b.registrar(t))
	b.Mine(1)
	register(first)
	register(b.registrar(t))
	if v := must(b.facts(t).Valid(t.Context(), []string{fact}))(t); !v[0] {
		t.Error("the fact is not registered")
	}
}

// TestRegistrar_ManyProcesses: processes that take each other's nonces get every fact registered by asking again.
func TestRegistrar_ManyProcesses(t *testing.T) {
	t.Parallel()
	b := setup(t, devethereum.Setup{})
	var facts []string
	for i := range 12 {
		facts = append(facts, prooftest.Fact(i))
	}
	rs := []*ethereum.Registrar{b.registrar(t), b.registrar(t), b.registrar(t)}
	for round := range 20 {
		var wg sync.WaitGroup
		for i, f := range facts {
			wg.Go(func() {
				if err := rs[(i+round)%len(rs)].Register(t.Context(), f); err != nil {
					t.Errorf("Register %d: %v", i, err)
				}
			})
		}
		wg.Wait()
		b.Mine(1)
		valid := must(b.facts(t).Valid(t.Context(), facts))(t)
		missing := 0
		for _, v := range valid {
			if !v {
				missing++
			}
		}
		if missing == 0 {
			return
		}
		t.Logf("round %d: %d facts are missing", round, missing)
	}
	t.Error("not all facts are registered after 20 rounds")
}

// TestMockProver_Conformance runs the prover on a registry on chain.
func TestMockProver_Conformance(t *testing.T) {
	t.Parallel()
	prooftest.TestProver(t, prooftest.Harness{New: func(t *testing.T) prooftest.Service {
		b := setup(t, devethereum.Setup{})
		p := mockprover.New(mockprover.Options{Registry: b.registrar(t), Children: true, Proofs: true})
		return prooftest.Service{
			Prover: p, Unknown: "nobody's",
			Finish:  func(string) { b.Mine(1) },
			Started: func() int { return int(b.transactions(t)) },
		}
	}})
}

// TestMockProver_OtherProcess: what one process submitted another one follows to its end.
func TestMockProver_OtherProcess(t *testing.T) {
	t.Parallel()
	b := setup(t, devethereum.Setup{})
	first := mockprover.New(mockprover.Options{Registry: b.registrar(t)})
	var tasks []string
	for i := range 3 {
		r := proof.Request{Kind: proof.Aggregation, DedupID: fmt.Sprint(i), Fact: prooftest.Fact(i)}
		tasks = append(tasks, must(first.Submit(t.Context(), r))(t))
	}
	second := mockprover.New(mockprover.Options{Registry: b.registrar(t)})
	for _, task := range tasks {
		if s := must(second.Status(t.Context(), task))(t); s.State != proof.InProgress {
			t.Errorf("before a block %s is %s", task, s.State)
		}
	}
	b.Mine(1)
	for _, task := range tasks {
		if s := must(second.Status(t.Context(), task))(t); s.State != proof.Done {
			t.Errorf("after a block %s is %s", task, s.State)
		}
	}
}
