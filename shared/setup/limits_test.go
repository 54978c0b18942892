package setup_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/client/s3"
	"github.com/madara-orchestrator/orchestrator/shared/client/secrets"
	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/httprunner"
	"github.com/madara-orchestrator/orchestrator/shared/client/starknet"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	apicontroller "github.com/madara-orchestrator/orchestrator/shared/controller/api"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	devcloud "github.com/madara-orchestrator/orchestrator/shared/dev/cloud"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/pie"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/stateless"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/stone"
)

// limit is a row of the README's table of limits.
type limit struct {
	what  string
	most  int64
	unit  string
	where string // package and name
	says  string // a part of what is said beyond it, and all that the table shows
	// reach does something of a size: at most it must not be refused as says has it, one above it must.
	reach func(t *testing.T, n int64) error
}

// limits are the README's table.
var limits = []limit{
	{"body of a command", 4 << 10, "bytes", "`controller/api` maxBody", "413: the body has more than 4096 bytes",
		func(t *testing.T, n int64) error {
			return ask(t, "POST", "/jobs/"+strings.Repeat("0", 32)+"/retry", padded("{}", n))
		}},
	{"body of a prover's webhook", 64 << 10, "bytes", "`controller/api` maxHookBody",
		"413: the body has more than 65536 bytes", func(t *testing.T, n int64) error {
			return ask(t, "POST", "/hooks/atlantic/secret", padded("{}", n))
		}},
	{"path and query of a request", 4 << 10, "bytes", "`controller/api` maxURL",
		"414: path and query have more than 4096 bytes", func(t *testing.T, n int64) error {
			return ask(t, "GET", "/"+strings.Repeat("x", int(n)-1), "")
		}},
	{"page of jobs", admin.MaxJobs, "jobs", "`service/admin` MaxJobs", "400: limit: want a number from 1 to 100",
		func(t *testing.T, n int64) error {
			return ask(t, "GET", fmt.Sprintf("/jobs?limit=%d", n), "")
		}},
	{"page of batches", admin.MaxBatches, "batches", "`service/admin` MaxBatches",
		"400: limit: want a number from 1 to 50", func(t *testing.T, n int64) error {
			return ask(t, "GET", fmt.Sprintf("/batches?limit=%d", n), "")
		}},
	{"reason of a command", admin.MaxReason, "characters", "`service/admin` MaxReason", "characters, at most 500",
		func(_ *testing.T, n int64) error {
			return admin.Command{Reason: strings.Repeat("ü", int(n))}.Check()
		}},
	{"name of who gives a command", admin.MaxBy, "characters", "`service/admin` MaxBy", "characters, at most 200",
		func(_ *testing.T, n int64) error {
			return admin.Command{By: strings.Repeat("ü", int(n))}.Check()
		}},
	{"message of a queue", queue.MaxBody, "bytes", "`core/queue` MaxBody", queue.ErrTooLarge.Error(),
		func(t *testing.T, n int64) error {
			q, err := memory.NewQueues(nil, memory.Declaration{Name: "q"})
			if err != nil {
				t.Fatal(err)
			}
			return q.Send(t.Context(), "q", queue.Outgoing{Body: strings.Repeat("x", int(n))})
		}},
	{"wake-up that is read", 4 << 10, "bytes", "`core/job` maxMessage", "bytes, at most 4096",
		func(_ *testing.T, n int64) error {
			_, err := job.DecodeMessage(padded("{}", n))
			return err
		}},
	{"blocks of a SNOS batch", 10, "blocks", "`core/batch` Limits.SnosBlocks", "closes it: block count",
		func(_ *testing.T, n int64) error {
			return closed(batch.DefaultLimits().ShouldCloseSnos(batch.Span{EndBlock: uint64(n) - 2}, batch.Candidate{}))
		}},
	{"blocks of an aggregator batch", 100, "blocks", "`core/batch` Limits.Blocks", "closes it: block count",
		func(_ *testing.T, n int64) error {
			return closed(batch.DefaultLimits().ShouldCloseAggregator(
				batch.AggregatorBatch{Span: batch.Span{EndBlock: uint64(n) - 2}}, batch.Candidate{}))
		}},
	{"data of an aggregator batch", 6*4096 - 15, "words", "`core/batch` Limits.Blobs, BlobBuffer",
		"closes it: blob capacity", func(_ *testing.T, n int64) error {
			return closed(
				batch.DefaultLimits().ShouldCloseAggregator(batch.AggregatorBatch{}, batch.Candidate{DAWords: int(n)}))
		}},
	{"data of an L3's SNOS batch", batch.CalldataWords - 15, "words",
		"`core/batch` CalldataWords, `BATCH_MAX_DA_WORDS`", "closes it: DA words of a transaction",
		func(t *testing.T, n int64) error {
			if batch.CalldataWords != starknet.MaxSegment {
				t.Errorf("a transaction carries %d words, batches are closed for %d",
					starknet.MaxSegment, batch.CalldataWords)
			}
			c, _ := config.FromEnviron([]string{config.Prefix + "SETTLEMENT_KIND=starknet"})
			return closed(c.Limits().ShouldCloseSnos(batch.Span{}, batch.Candidate{DAWords: int(n)}))
		}},
	{"aggregator's input", 750_000, "felts", "`core/batch` Limits.InputSize", "closes it: aggregator input size",
		func(_ *testing.T, n int64) error {
			return closed(
				batch.DefaultLimits().ShouldCloseAggregator(batch.AggregatorBatch{},
					batch.Candidate{InputSize: int(n)}))
		}},
	weight("proving gas", "MAX_PROVING_GAS", 5_000_000_000, "gas", true,
		func(w *block.Weights) *uint64 { return &w.ProvingGas }),
	weight("Sierra gas", "MAX_SIERRA_GAS", 4_000_000_000, "gas", true,
		func(w *block.Weights) *uint64 { return &w.SierraGas }),
	weight("receipts' L2 gas", "MAX_RECEIPT_L2_GAS", 2_500_000_000, "gas", true,
		func(w *block.Weights) *uint64 { return &w.ReceiptL2Gas }),
	weight("messages' L1 gas", "MAX_L1_GAS", 4_400_000, "gas", true,
		func(w *block.Weights) *uint64 { return &w.L1Gas }),
	weight("messages' L1 gas", "MAX_L1_GAS", 4_400_000, "gas", false,
		func(w *block.Weights) *uint64 { return &w.L1Gas }),
	weight("messages", "MAX_MESSAGE_SEGMENT_LENGTH", 3_700, "words", true,
		func(w *block.Weights) *uint64 { return &w.MessageSegmentLength }),
	weight("messages", "MAX_MESSAGE_SEGMENT_LENGTH", 3_700, "words", false,
		func(w *block.Weights) *uint64 { return &w.MessageSegmentLength }),
	weight("state diff", "MAX_STATE_DIFF_SIZE", 24_556, "felts", true,
		func(w *block.Weights) *uint64 { return &w.StateDiffSize }),
	weight("events", "MAX_EVENTS", 50_000, "events", true, func(w *block.Weights) *uint64 { return &w.NEvents }),
	weight("transactions", "MAX_TRANSACTIONS", 10_000, "transactions", true,
		func(w *block.Weights) *uint64 { return &w.NTxs }),
	{"messages' L1 gas of one block", batch.MaxL1Gas, "gas", "`core/batch` MaxL1Gas",
		"messages of one block can't be split", func(_ *testing.T, n int64) error {
			return batch.DefaultLimits().Fits(batch.Candidate{Weights: block.Weights{L1Gas: uint64(n)}})
		}},
	{"`BATCH_BLOBS`", 9, "blobs", "`config` Batch.Blobs", "want 1 to 9, or 0 for the default",
		func(_ *testing.T, n int64) error {
			_, err := config.FromEnviron([]string{fmt.Sprintf("%sBATCH_BLOBS=%d", config.Prefix, n)})
			return err
		}},
	{"blobs of a transaction on Ethereum", ethereum.MaxBlobs, "blobs", "`client/ethereum` MaxBlobs",
		"blobs, a transaction carries 6", func(t *testing.T, n int64) error {
			l, err := ethereum.NewDA("0x"+strings.Repeat("1", 40), 0)
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = l.Encode(t.Context(), da.Data{Words: make([]felt.Felt, n*batch.WordsPerBlob)})
			return err
		}},
	{"DA segment on Starknet", starknet.MaxSegment, "words", "`client/starknet` MaxSegment",
		fmt.Sprintf("words, a transaction carries %d", starknet.MaxSegment), func(t *testing.T, n int64) error {
			l, err := starknet.NewDA("0x"+strings.Repeat("1", 60), "")
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = l.Encode(t.Context(), da.Data{Words: make([]felt.Felt, n)})
			return err
		}},
	{"state diff that is compressed", stateless.MaxWords, "words", "`starknet/stateless` MaxWords",
		"words, the compression holds at most 1048575", func(_ *testing.T, n int64) error {
			_, err := stateless.Compress(make([]felt.Felt, n))
			return err
		}},
	{"zip of a PIE", pie.DefaultLimits.Zip, "bytes", "`starknet/pie` DefaultLimits (memory, output and the rest too)",
		"bytes, at most 4294967296", func(_ *testing.T, n int64) error {
			_, err := pie.Read(bytes.NewReader(nil), n, pie.DefaultLimits)
			return err
		}},
	{"proof whose output is read", stone.MaxBytes, "bytes", "`starknet/stone` MaxBytes",
		"it has more than 134217728 bytes", func(_ *testing.T, n int64) error {
			_, err := stone.Output(io.LimitReader(spaces{}, n))
			return err
		}},
	{"artifact that is written once (S3)", 32 << 20, "bytes", "`client/s3` maxNew", "more than 33554432 bytes",
		func(t *testing.T, n int64) error {
			return s3.New(devcloud.Config(serve(t, nil)), "b", true).PutNew(t.Context(),
				"k", io.LimitReader(spaces{}, n))
		}},
	{"answer of the SNOS runner (HTTP)", 1 << 20, "bytes", "`client/snosrunner/httprunner` maxBody",
		"its answer has more than 1048576 bytes", func(t *testing.T, n int64) error {
			c, err := httprunner.New(serve(t, []byte(padded(`{}`, n))), "", 0)
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Status(t.Context(), "x")
			return err
		}},
	{"secret in a file", 64 << 10, "bytes", "`client/secrets` maxSecret", "has more than 65536 bytes",
		func(t *testing.T, n int64) error {
			file := filepath.Join(t.TempDir(), "secret")
			if err := os.WriteFile(file, []byte(strings.Repeat("x", int(n))), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := secrets.ReadFile(file)
			return err
		}},
}

// A PIE of the largest size that is taken fits on the disk of the function that reads it.
func TestDiskHoldsPIE(t *testing.T) {
	t.Parallel()
	for _, f := range resource.Functions() {
		if f.Name == resource.FunctionOf(job.Aggregator) && int64(f.ScratchMB)<<20 <= pie.DefaultLimits.Zip {
			t.Errorf("%s has %d MB of disk, a PIE may have %d bytes", f.Name, f.ScratchMB, pie.DefaultLimits.Zip)
		}
		if f.ScratchMB != 0 && (f.ScratchMB < 512 || f.ScratchMB > 10_240) {
			t.Errorf("%s has %d MB of disk, Lambda gives 512 to 10,240", f.Name, f.ScratchMB)
		}
	}
}

// spaces is endless white space.
// weight is the row of a bouncer weight that closes SNOS batches or aggregator batches. Both ways count: a sum that
// reaches it, and a setting that moves it.
func weight(what, setting string, most int64, unit string, snos bool, field func(*block.Weights) *uint64) limit {
	kind := "an aggregator batch"
	if snos {
		kind = "a SNOS batch"
	}
	closes := func(l batch.Limits, n int64) error {
		have, comes := block.Weights{}, block.Weights{}
		*field(&have), *field(&comes) = uint64(n-1), 1
		if snos {
			return closed(l.ShouldCloseSnos(batch.Span{Weights: have}, batch.Candidate{Weights: comes}))
		}
		return closed(l.ShouldCloseAggregator(batch.AggregatorBatch{Span: batch.Span{Weights: have}},
			batch.Candidate{Weights: comes}))
	}
	where := fmt.Sprintf("`core/batch` DefaultLimits, `BATCH_%s`", setting)
	return limit{what + " of " + kind, most, unit, where, "closes it: weights", func(t *testing.T, n int64) error {
		c, _ := config.FromEnviron([]string{fmt.Sprintf("%sBATCH_%s=%d", config.Prefix, setting, 1000)})
		if set := c.Limits(); closes(set, 1000) != nil || closes(set, 1001) == nil {
			t.Errorf("BATCH_%s=1000 does not close at 1001: %v, %v", setting, closes(set, 1000), closes(set, 1001))
		}
		return closes(batch.DefaultLimits(), n)
	}}
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// padded is a text with white space after it, n bytes in all.
func padded(text string, n int64) string { return text + strings.Repeat(" ", int(n)-len(text)) }

// serve answers every request with body and returns its URL.
func serve(t *testing.T, body []byte) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = w.Write(body)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// closed is a closing rule's word as an error.
func closed(why batch.Reason, full bool) error {
	if !full {
		return nil
	}
	return errors.New("closes it: " + string(why))
}

// ask makes a request of an empty API and returns a refusal as an error.
func ask(t *testing.T, method, target, body string) error {
	t.Helper()
	jobs := memory.NewJobs(nil)
	s := &admin.Service{Jobs: jobs, Batches: memory.NewBatches(nil), Executor: &executor.Executor{Jobs: jobs}}
	hook := func(_ context.Context, _ string, _ []byte) ([]string, error) { return nil, nil }
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	apicontroller.New(s, true, hook, slog.New(slog.DiscardHandler)).ServeHTTP(w, r)
	if w.Code < 400 {
		return nil
	}
	var p struct{ Detail string }
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	return fmt.Errorf("%d: %s", w.Code, strings.TrimPrefix(p.Detail, "invalid request: "))
}

// Every limit holds where the table says: what reaches it is not refused for it, one more is.
func TestLimits(t *testing.T) {
	t.Parallel()
	for _, l := range limits {
		t.Run(l.what, func(t *testing.T) {
			t.Parallel()
			if err := l.reach(t, l.most); err != nil && strings.Contains(err.Error(), l.says) {
				t.Errorf("%d %s: refused: %v", l.most, l.unit, err)
			}
			if err := l.reach(t, l.most+1); err == nil || !strings.Contains(err.Error(), l.says) {
				t.Errorf("%d %s: got %v, want it to say %q", l.most+1, l.unit, err, l.says)
			}
		})
	}
}

// The README's table is this list.
func TestLimitsInReadme(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(b), "\n## Limits\n")
	section, _, _ = strings.Cut(section, "\n## ")
	var got, want []string
	for line := range strings.Lines(section) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "|") {
			got = append(got, line)
		}
	}
	want = []string{"| of | at most | where | beyond it |", "|---|---|---|---|"}
	for _, l := range limits {
		want = append(want, fmt.Sprintf("| %s | %s %s | %s | %s |", l.what, grouped(l.most), l.unit, l.where, l.says))
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("README's limits (-code +README):\n%s", d)
	}
}

// grouped writes a number with commas.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
