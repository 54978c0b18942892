package protocol_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/client/lru"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	devappchain "github.com/madara-orchestrator/orchestrator/shared/dev/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/setup/protocol"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/statediff"
)

// State updates of JSON-RPC before 0.10 leave out classes that were migrated, which Starknet does since 0.14.1. A
// segment with one is not another diff: the error says which API to name. Before 0.14.1 it is.
func TestCompareMigratedClassOfOldAPI(t *testing.T) {
	t.Parallel()
	_, words := recordedBatch(t)
	one := felt.FromUint64(1)
	words = segment(t, words, func(d *statediff.Diff) { d.Classes[one] = one })
	for version, want := range map[string]bool{"0.13.5": true, "0.14.1": false} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			// it says that it speaks 0.9.0
			url := recordedChain(t, devappchain.RecordingOptions{StarknetVersion: version})
			src, err := appchain.New(appchain.Config{URL: url}, appchain.Deps{})
			if err != nil {
				t.Fatal(err)
			}
			err = protocol.Compare(src)(t.Context(), words, da.Blocks{From: first, To: last})
			var differs *da.MismatchError
			if err == nil || errors.As(err, &differs) != want ||
				errors.Is(err, da.ErrNotCompared) == want || !want && !strings.Contains(err.Error(), "/rpc/v0_10_2") {
				t.Errorf("got %v, want a mismatch: %t", err, want)
			}
		})
	}
}

// Madara's API before 0.10.2 answers that contract 0x2, which keeps the aliases, is not there: its slots read as 0. The
// segment is none the worse.
func TestCompareWithoutAliasContract(t *testing.T) {
	t.Parallel()
	src, words := recordedBatch(t)
	src.storage = func(_ uint64, s block.Slot, v felt.Felt) felt.Felt {
		if s.Contract == statediff.AliasContract {
			return felt.Zero
		}
		return v
	}
	err := protocol.Compare(src)(t.Context(), words, da.Blocks{From: first, To: last})
	var differs *da.MismatchError
	if !errors.Is(err, da.ErrNotCompared) || errors.As(err, &differs) ||
		!strings.Contains(err.Error(), "/rpc/v0_10_2") {
		t.Errorf("got %v", err)
	}
}

// lying answers as the node at a URL, but once with one wrong value in the last block's state update.
func lying(t *testing.T, url string) *httptest.Server {
	t.Helper()
	var lied atomic.Bool
	value := regexp.MustCompile(`"value":"0x[0-9a-f]+"`)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		resp, err := http.Post(url, "application/json", bytes.NewReader(asked))
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer func() { _ = resp.Body.Close() }()
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Error(err)
		}
		all := value.FindAllIndex(answer, -1)
		if len(all) > 0 && bytes.Contains(asked, fmt.Appendf(nil, `"block_number":%d`, last)) &&
			bytes.Contains(asked, []byte("starknet_getStateUpdate")) && lied.CompareAndSwap(false, true) {
			at := all[len(all)-1]
			answer = bytes.Join([][]byte{answer[:at[0]], []byte(`"value":"0x7e57"`), answer[at[1]:]}, nil)
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
	}))
	t.Cleanup(s.Close)
	return s
}

// A node that answers wrongly once fails nothing, although the source remembers what it has read.
func TestCompareReadsAgain(t *testing.T) {
	t.Parallel()
	_, words := recordedBatch(t)
	src, err := appchain.New(appchain.Config{URL: lying(t, recordedChain(t, devappchain.RecordingOptions{})).URL},
		appchain.Deps{Cache: lru.New(lru.Config{Bytes: 64 << 20})})
	if err != nil {
		t.Fatal(err)
	}
	if err := protocol.Compare(src)(t.Context(), words, da.Blocks{From: first, To: last}); err != nil {
		t.Errorf("one wrong answer: %v", err)
	}
}
