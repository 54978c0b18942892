package starknet_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/several"
	"github.com/madara-orchestrator/orchestrator/shared/client/starknet"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/da/datest"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	fakestarknet "github.com/madara-orchestrator/orchestrator/shared/dev/fake/starknet"
)

// archiveOf is the harness of an archive on a chain whose blocks are made on demand.
func archiveOf(t *testing.T, a da.Archive, w *starknet.Wallet, to string, mine func()) datest.ArchiveHarness {
	t.Helper()
	layer := must(starknet.NewDA(to, ""))(t)
	h := datest.ArchiveHarness{Archive: a}
	for i := range h.Payloads {
		p, _, err := layer.Encode(t.Context(), da.Data{Batch: 1,
			Words: []felt.Felt{felt.FromUint64(uint64(i + 1)), felt.FromUint64(9), felt.MinusOne()}})
		if err != nil {
			t.Fatal(err)
		}
		h.Payloads[i] = p
	}
	h.Publish = func(p tx.Payload) da.Sent {
		ctx := t.Context()
		use := must(w.Simulate(ctx, p))(t)
		v := tx.View{Head: must(w.Head(ctx))(t), Account: must(w.Account(ctx, 0))(t), Gas: use.Gas * 3 / 2,
			DataGas: use.DataGas * 3 / 2}
		d := tx.Decide(tx.Journal{}, v, tx.StarknetPolicy())
		signed := must(w.Sign(ctx, p, d.Nonce, d.Fees))(t)
		if err := w.Broadcast(ctx, signed, p); err != nil {
			t.Fatal(err)
		}
		mine()
		s := must(w.Lookup(ctx, signed.Hash))(t)
		if s.Phase != tx.Included || !s.Success {
			t.Fatalf("published: %+v", s)
		}
		return da.Sent{Hash: signed.Hash, BlockHash: s.BlockHash, Payload: p}
	}
	return h
}

// fakeArchive is the harness of the archive that read makes of the fake's URL.
func fakeArchive(t *testing.T, read func(b *bench) da.Archive) datest.ArchiveHarness {
	t.Helper()
	b := setup(t)
	return archiveOf(t, read(b), b.wallet(t, thirdParty), thirdParty.String(), func() { b.Mine(1) })
}

func TestArchive_Conformance(t *testing.T) {
	t.Parallel()
	datest.TestArchive(t, func(t *testing.T) datest.ArchiveHarness {
		return fakeArchive(t, func(b *bench) da.Archive { return starknet.NewArchive(b.node) })
	})
}

// A first node that does not answer does not keep anything from being read back.
func TestSeveralArchives_Conformance(t *testing.T) {
	t.Parallel()
	datest.TestArchive(t, func(t *testing.T) datest.ArchiveHarness {
		return fakeArchive(t, func(b *bench) da.Archive {
			down := httptest.NewServer(http.NotFoundHandler())
			down.Close()
			ns := []*starknet.Node{must(starknet.Dial(down.URL, b.ChainID()))(t), b.node}
			set := several.New(several.Options{Names: []string{"down", "up"}, Slack: 5, Now: time.Now,
				WrongChain: starknet.ErrWrongChain,
				Probe:      func(ctx context.Context, i int) (uint64, error) { return ns[i].Probe(ctx) }})
			return several.NewArchive(set, starknet.NewArchive(ns[0]), starknet.NewArchive(ns[1]))
		})
	})
}

// TestDevnet_Archive reads publications back from Starknet's own node.
func TestDevnet_Archive(t *testing.T) {
	t.Parallel()
	datest.TestArchive(t, func(t *testing.T) datest.ArchiveHarness {
		u := devnet(t)
		node := must(starknet.Dial(u, "SN_SEPOLIA"))(t)
		w := must(starknet.NewWallet(node, must(starknet.NewKeySigner(devnetKey))(t), devnetAccount, starknet.STRK))(t)
		return archiveOf(t, starknet.NewArchive(node), w, devnetAccount,
			func() { control(t, u, "devnet_createBlock", "{}") })
	})
}

// Calldata of which a node answers something else differs from a node that does not answer, and from one that
// answers something that is not a transaction.
func TestArchiveOfLies(t *testing.T) {
	t.Parallel()
	answer := func(w http.ResponseWriter, body string) { _, _ = io.WriteString(w, body) }
	for name, c := range map[string]struct {
		spoil func(w http.ResponseWriter, id string, real []byte)
		want  error // nil: neither of da's errors
	}{
		"another word": {func(w http.ResponseWriter, _ string, real []byte) {
			_, _ = w.Write(bytes.ReplaceAll(real, []byte(`"0x9"`), []byte(`"0x8"`)))
		}, da.ErrDiffers},
		"another call": {func(w http.ResponseWriter, id string, _ []byte) {
			answer(w, `{"jsonrpc":"2.0","id":`+id+`,"result":{"calldata":["0x2","0x1","0x2","0x0"]}}`)
		}, da.ErrDiffers},
		"no felt at all": {func(w http.ResponseWriter, id string, _ []byte) {
			answer(w, `{"jsonrpc":"2.0","id":`+id+`,"result":{"calldata":[]}}`)
		}, da.ErrDiffers},
		"no calldata": {func(w http.ResponseWriter, id string, _ []byte) {
			answer(w, `{"jsonrpc":"2.0","id":`+id+`,"result":{}}`)
		}, nil},
		"down": {func(w http.ResponseWriter, _ string, _ []byte) { http.Error(w, "down", http.StatusBadGateway) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := fakeArchive(t, func(b *bench) da.Archive {
				return starknet.NewArchive(must(starknet.Dial(spoiled(t, b.URL(), c.spoil), b.ChainID()))(t))
			})
			err := h.Check(t.Context(), h.Publish(h.Payloads[0]))
			if c.want != nil && !errors.Is(err, c.want) || err == nil ||
				c.want == nil && (errors.Is(err, da.ErrDiffers) || errors.Is(err, da.ErrMissing)) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
	h := fakeArchive(t, func(b *bench) da.Archive { return starknet.NewArchive(b.node) })
	sent := h.Publish(h.Payloads[0])
	sent.Payload.To = fakestarknet.SinkAddress.String() // another contract is configured since
	if err := h.Check(t.Context(), sent); err != nil {
		t.Errorf("published by another contract: %v", err)
	}
}

// spoiled is the URL of a node that changes its answers about transactions.
func spoiled(t *testing.T, to string, spoil func(w http.ResponseWriter, id string, real []byte)) string {
	t.Helper()
	proxy := httputil.NewSingleHostReverseProxy(must(url.Parse(to))(t))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if !bytes.Contains(body, []byte("starknet_getTransactionByHash")) {
			proxy.ServeHTTP(w, r)
			return
		}
		rec := httptest.NewRecorder()
		proxy.ServeHTTP(rec, r)
		_, id, _ := strings.Cut(string(body), `"id":`)
		digits := strings.IndexFunc(id, func(r rune) bool { return r < '0' || r > '9' })
		if _, err := strconv.Atoi(id[:digits]); err != nil {
			t.Error(err)
		}
		spoil(w, id[:digits], rec.Body.Bytes())
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}
