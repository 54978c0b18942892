package settle_test

import (
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/madara-orchestrator/orchestrator/shared/client/secrets"
	l2 "github.com/madara-orchestrator/orchestrator/shared/client/starknet"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	fakestarknet "github.com/madara-orchestrator/orchestrator/shared/dev/fake/starknet"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/setup/cloud/settle"
)

// TestStarknet puts an L3's settlement layer together as its functions do.
func TestStarknet(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	key, err := l2.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	signer, err := l2.NewKeySigner(key)
	if err != nil {
		t.Fatal(err)
	}
	account := felt.MustHex("0xacc1")
	s, err := fakestarknet.Start(fakestarknet.Options{
		Accounts: []fakestarknet.Account{{Address: account, PublicKey: signer.PublicKey(), Balance: big.NewInt(1e18)}},
		Core:     fakestarknet.Core{Operators: []felt.Felt{account}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &cloud.Process{Secrets: secrets.New(aws.Config{}), Config: config.Config{
		Chain: config.Chain{Name: "dev", Layer: stage.L3},
		Settlement: config.Settlement{
			Kind: config.StarknetLayer, RPC: []string{s.URL()}, ChainID: s.ChainID(),
			Contract: fakestarknet.CoreAddress.String(),
			Account:  account.String(),
			Verifier: fakestarknet.RegistryAddress.String(), KeyFile: file,
		},
		Prover: config.Prover{Kind: config.MockProver, KeySecret: secrets.FilePrefix + file, Account: account.String()},
	}}
	layer, err := settle.Open(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	if detail, err := layer.Nodes(ctx); err != nil || detail != "" {
		t.Error(detail, err)
	}
	contract, wallet, err := layer.Contract(ctx)
	if err != nil || wallet.Name != "starknet/SN_FAKE/0xacc1" || wallet.Policy.Confirmations != 1 {
		t.Fatalf("%+v, %v", wallet, err)
	}
	if c, err := contract.Config(ctx); err != nil || !c.Operator {
		t.Errorf("%+v, %v", c, err)
	}
	if a, err := wallet.Chain.Account(ctx, 0); err != nil || a.Balance.Cmp(big.NewInt(1e18)) != 0 {
		t.Errorf("%+v, %v", a, err)
	}
	watched, watcher, err := layer.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := watched.Config(ctx); err != nil || !c.Operator {
		t.Errorf("watched: %+v, %v", c, err)
	}
	if a, err := watcher.Chain.Account(ctx, 0); err != nil || a.Balance.Cmp(big.NewInt(1e18)) != 0 {
		t.Errorf("watched: %+v, %v", a, err)
	}
	if _, err := watcher.Chain.Sign(ctx, tx.Payload{To: "0xc0de", Entrypoint: "f"}, 0,
		tx.Fees{}); !errors.Is(err, l2.ErrWatched) {
		t.Errorf("a watched account signed: %v", err)
	}
	if reader, err := layer.Reader(); err != nil {
		t.Error(err)
	} else if st, err := reader.State(ctx, false); err != nil || st.Settled {
		t.Errorf("%+v, %v", st, err)
	}
	if data, _, err := layer.Data(ctx); err != nil || data.Name() != "starknet" {
		t.Errorf("%v, %v", data, err)
	}
	fact := "0x" + strings.Repeat("0", 63) + "5"
	registrar, err := layer.Registrar(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := registrar.Register(ctx, fact); err != nil {
		t.Fatal(err)
	}
	s.Mine(1)
	if facts, err := layer.Facts(); err != nil {
		t.Error(err)
	} else if ok, err := facts.Valid(ctx, []string{fact}); err != nil || !ok[0] {
		t.Errorf("fact %v, %v", ok, err)
	}
	if layer.Codec().ProofOutput == nil {
		t.Error("the codec reads no proofs")
	}
	several(t, p, s.URL())
	p.Config.Settlement.Kind = "moon"
	if _, err := settle.Open(ctx, p); err == nil {
		t.Error("an unknown layer was opened")
	}
}

// several has a second node that is down: everything is read from the other one, and /ready says which can be used.
func several(t *testing.T, p *cloud.Process, url string) {
	t.Helper()
	ctx := t.Context()
	const down = "http://127.0.0.1:1/v2/hunter2hunter2"
	p.Config.Settlement.RPC = []string{down, url}
	layer, err := settle.Open(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	detail, err := layer.Nodes(ctx)
	if err != nil || !strings.HasPrefix(detail, "1 of 2 nodes can be used: node 1 (127.0.0.1): ") ||
		!strings.HasSuffix(detail, "node 2 (127.0.0.1): answers") || strings.Contains(detail, "hunter2") {
		t.Errorf("%s, %v", detail, err)
	}
	contract, wallet, err := layer.Contract(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := contract.Config(ctx); err != nil || !c.Operator {
		t.Errorf("%+v, %v", c, err)
	}
	if a, err := wallet.Chain.Account(ctx, 0); err != nil || a.Balance == nil {
		t.Errorf("%+v, %v", a, err)
	}
	for what, err := range map[string]error{
		"facts": func() error {
			f, err := layer.Facts()
			if err != nil {
				return err
			}
			_, err = f.Valid(ctx, []string{"0x" + strings.Repeat("0", 63) + "5"})
			return err
		}(),
		"registrar": func() error {
			r, err := layer.Registrar(ctx)
			if err != nil {
				return err
			}
			return r.Register(ctx, "0x"+strings.Repeat("0", 63)+"6")
		}(),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	secret := filepath.Join(t.TempDir(), "urls")
	if err := os.WriteFile(secret, []byte(url+",\n"+down+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.Config.Settlement.RPC, p.Config.Settlement.RPCSecret = nil, secrets.FilePrefix+secret
	if layer, err = settle.Open(ctx, p); err != nil {
		t.Fatal(err)
	}
	if detail, err := layer.Nodes(ctx); err != nil || !strings.Contains(detail, "node 1 (127.0.0.1): answers") {
		t.Errorf("from a secret: %s, %v", detail, err)
	}
}

// Data on Ethereum have a layer, a wallet and settings of their own, beside a settlement layer on Starknet.
func TestOwnData(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	const key, account = "0x4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318",
		"0x2c7536E3605D9C16a7a3D7b1898e529396a65c23"
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	da := config.DA{Kind: config.EthereumDA, RPC: []string{"http://127.0.0.1:1"}, ChainID: "17", KeyFile: file,
		Address: account, FeeCap: "55", Beacon: "http://127.0.0.1:2"}
	p := &cloud.Process{Secrets: secrets.New(aws.Config{}), Config: config.Config{
		Chain:      config.Chain{Name: "dev", Layer: stage.L3},
		Settlement: config.Settlement{Kind: config.StarknetLayer, RPC: []string{"http://127.0.0.1:3"}, ChainID: "SN_X"},
		DA:         da,
	}}
	layer, err := settle.OpenData(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	data, wallet, err := layer.Data(ctx)
	if err != nil || data.Name() != "ethereum" || wallet.Layer != "ethereum/17" ||
		wallet.Name != "ethereum/17/"+account || wallet.Policy.FeeCap.Int64() != 55 {
		t.Errorf("%v, %+v, %v", data, wallet, err)
	}
	if a, err := layer.Archive(ctx); err != nil || a == nil || a.Kept() == 0 {
		t.Errorf("archive %v, %v", a, err)
	}
	own, err := settle.OpenOwn(ctx, p)
	if err != nil {
		t.Fatal(err)
	}
	if w, err := own.WatchData(ctx); err != nil || w.Layer != wallet.Layer {
		t.Errorf("watched: %+v, %v", w, err)
	}
	p.Config.DA.Address = "0x0000000000000000000000000000000000000009"
	if layer, err = settle.OpenData(ctx, p); err != nil {
		t.Fatal(err)
	}
	if _, _, err := layer.Data(ctx); err == nil || !strings.Contains(err.Error(), "DA_ADDRESS says") {
		t.Errorf("another account: %v", err)
	}
	p.Config.DA = config.DA{Kind: config.SettlementDA}
	if own, err := settle.OpenOwn(ctx, p); err != nil || own != nil {
		t.Errorf("%v, %v", own, err)
	}
	if layer, err := settle.OpenData(ctx, p); err != nil {
		t.Error(err)
	} else if a, err := layer.Archive(ctx); err != nil || a == nil || a.Kept() != 0 {
		t.Errorf("archive of Starknet %v, %v", a, err)
	}
}
