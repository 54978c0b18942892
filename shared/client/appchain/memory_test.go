package appchain_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/jsonlimit"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// closed are the fields of a closed block 5, so that the rest of it is decoded.
const closed = `"block_hash":"0x1","parent_hash":"0x2","block_number":5,"new_root":"0x3","timestamp":1,` +
	`"old_root":"0x3",`

// worst are answers that are small on the wire and large once they are decoded: what a result is made of, n times.
var worst = map[string]func(n int) string{
	"empty transactions": func(
		n int) string {
		return `{` + closed + `"transactions":[` + strings.Repeat("{},", n) + `{}]}`
	},
	"nulls": func(
		n int) string {
		return `{` + closed + `"transactions":[` + strings.Repeat("null,", n) + `null]}`
	},
	"empty storage": func(n int) string {
		return `{` + closed + `"state_diff":{"storage_diffs":[` + strings.Repeat("{},", n) + `{}]}}`
	},
	"empty pairs": func(n int) string {
		return `{` + closed + `"state_diff":{"nonces":[` + strings.Repeat("{},", n) + `{}]}}`
	},
	"field elements": func(n int) string {
		return `{` + closed + `"state_diff":{"deprecated_declared_classes":[` + strings.Repeat(`"0x1",`, n) + `"0x1"]}}`
	},
	"transaction hashes": func(
		n int) string {
		return `{` + closed + `"transactions":[` + strings.Repeat(`"0x1",`, n) + `"0x1"]}`
	},
	"calldata": func(n int) string {
		return `{` + closed + `"transactions":[{"transaction":{"type":"L1_HANDLER","calldata":[` +
			strings.Repeat(`"0x1",`, n) + `"0x1"]},"receipt":{}}]}`
	},
	"messages": func(n int) string {
		return `{` + closed + `"transactions":[{"receipt":{"messages_sent":[` + strings.Repeat("{},", n) + `{}]}}]}`
	},
}

// serveWorst answers every call that asks for a block with the result.
func serveWorst(t *testing.T, result string) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // of our own client
		var calls []struct {
			ID     int    `json:"id"`
			Method string `json:"method"`
		}
		if json.Unmarshal(body, &calls) != nil {
			calls = append(calls, struct {
				ID     int    `json:"id"`
				Method string `json:"method"`
			}{})
			_ = json.Unmarshal(body, &calls[0])
		}
		if calls[0].Method == "starknet_chainId" {
			fmt.Fprintf(w, `{"id":%d,"result":"0x41"}`, calls[0].ID)
			return
		}
		answers := make([]string, len(calls))
		for i, c := range calls {
			answers[i] = fmt.Sprintf(`{"id":%d,"result":%s}`, c.ID, result)
		}
		out := strings.Join(answers, ",")
		if len(calls) > 1 {
			out = "[" + out + "]"
		}
		_, _ = io.WriteString(w, out) // the client may have gone
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// The worst answers that pass the limit of bytes, and those that pass all limits, take a bounded memory. The test runs
// alone: other tests' memory would count.
func TestMemoryOfWorstAnswers(t *testing.T) {
	const most = 200 << 20 // of 768 MB that the trigger function may take, for one answer and the server's copies of it
	for name, result := range worst {
		for kind, n := range map[string]int{"all limits": 500_000, "the limit of bytes": 2_700_000} {
			t.Run(name+" within "+kind, func(t *testing.T) {
				text := result(n)
				if int64(len(text)) > appchain.DefaultConfig.MaxResponse {
					text = result(int(appchain.DefaultConfig.MaxResponse)/8 - 100)
				}
				s, err := appchain.New(appchain.Config{URL: serveWorst(t, text), Attempts: 1}, appchain.Deps{})
				if err != nil {
					t.Fatal(err)
				}
				for what, ask := range map[string]func() error{
					"headers":  func() error { _, err := s.Headers(t.Context(), 5, 5); return err },
					"updates":  func() error { _, err := s.StateUpdates(t.Context(), 5, 5); return err },
					"messages": func() error { _, err := s.Messages(t.Context(), 5, 5); return err },
				} {
					var err error
					if got := tools.Peak(func() { err = ask() }); got > most {
						t.Errorf("%s: %d MB for an answer of %d MB", what, got>>20, len(text)>>20)
					} else {
						t.Logf("%s: %d MB for an answer of %d MB: %.120v", what, got>>20, len(text)>>20, err)
					}
					if err != nil && !errors.Is(err, block.ErrMalformed) && !errors.Is(err, jsonlimit.ErrTooLarge) {
						t.Errorf("%s: %v", what, err)
					}
					if err == nil && n > 1<<20 {
						t.Errorf("%s: %d elements were taken", what, n)
					}
				}
			})
		}
	}
}

// Blocks that hold more together than fits are refused as such, and fewer of them are taken.
func TestTooMuchAtOnce(t *testing.T) {
	t.Parallel()
	entries := strings.TrimSuffix(strings.Repeat(`{"key":"0x1","value":"0x2"},`, 1000), ",")
	update := `{"block_hash":"0x%d","old_root":"0x1","new_root":"0x1",` +
		`"state_diff":{"storage_diffs":[{"address":"0x5","storage_entries":[` + entries + `]}],` +
		`"deployed_contracts":[],"replaced_classes":[],"nonces":[],"declared_classes":[],` +
		`"deprecated_declared_classes":[]}}`
	header := `{"block_hash":"0x%d","parent_hash":"0x%d","block_number":%d,"new_root":"0x1","timestamp":1,` +
		`"starknet_version":"0.14.1","status":"ACCEPTED_ON_L2","transactions":[]}`
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // of our own client
		type call struct {
			ID     int    `json:"id"`
			Method string `json:"method"`
			Params struct {
				Block struct {
					Number int `json:"block_number"`
				} `json:"block_id"`
			} `json:"params"`
		}
		var calls []call
		batch := json.Unmarshal(body, &calls) == nil
		if !batch {
			calls = make([]call, 1)
			_ = json.Unmarshal(body, &calls[0])
		}
		var answers []string
		for _, c := range calls {
			result := `"0x41"`
			if strings.HasPrefix(c.Method, "starknet_getBlock") || c.Method == "starknet_getStateUpdate" {
				n := c.Params.Block.Number
				if result = fmt.Sprintf(update, 10+n); c.Method == "starknet_getBlockWithTxHashes" {
					result = fmt.Sprintf(header, 10+n, 9+n, n)
				}
			}
			answers = append(answers, fmt.Sprintf(`{"id":%d,"result":%s}`, c.ID, result))
		}
		out := strings.Join(answers, ",")
		if batch {
			out = "[" + out + "]"
		}
		_, _ = io.WriteString(w, out)
	}))
	t.Cleanup(srv.Close)
	s, err := appchain.New(appchain.Config{URL: srv.URL, Attempts: 1, MaxFelts: 9000}, appchain.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.StateUpdates(t.Context(), 1, 8); !errors.Is(err, block.ErrTooMuch) ||
		errors.Is(err, block.ErrMalformed) {
		t.Errorf("16,000 felts where 9,000 are allowed: %v", err)
	}
	if got, err := s.StateUpdates(t.Context(), 1, 4); err != nil || len(got) != 4 ||
		len(got[3].Diff.Storage[0].Entries) != 1000 {
		t.Errorf("8,000 felts where 9,000 are allowed: %d updates, %v", len(got), err)
	}
}
