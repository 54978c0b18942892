package snosrunner_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/client/memory"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos/snostest"
	devappchain "github.com/madara-orchestrator/orchestrator/shared/dev/appchain"
	"github.com/madara-orchestrator/orchestrator/shared/dev/snosrunner"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/blob"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/kzg"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/pie"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/starknettest"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/statediff"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

// setup starts a chain of blocks and a runner over it.
func setup(t *testing.T, o snosrunner.Options, blocks int) (*snosrunner.Runner, *memory.Artifacts, *devappchain.Chain) {
	t.Helper()
	chain, err := devappchain.Start(devappchain.Options{Seed: 5, Blocks: blocks})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = chain.Close() })
	return newRunner(t, o, chain)
}

func newRunner(t *testing.T, o snosrunner.Options,
	chain *devappchain.Chain) (*snosrunner.Runner, *memory.Artifacts, *devappchain.Chain) {
	t.Helper()
	src, err := appchain.New(appchain.Config{URL: chain.URL(), GatewayURL: chain.GatewayURL()}, appchain.Deps{})
	if err != nil {
		t.Fatal(err)
	}
	store := memory.NewArtifacts(nil)
	o.Source, o.Artifacts = src, store
	r, err := snosrunner.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r, store, chain
}

func TestContract(t *testing.T) {
	t.Parallel()
	r, store, _ := setup(t, snosrunner.Options{}, 12)
	snostest.TestRunner(t, snostest.Harness{
		Runner: r, Artifacts: store, BadKind: snos.Rejected, Cancelable: true,
		Task: func(n int) snos.Task {
			return snos.Task{Kind: snos.Run, Batch: uint64(n), StartBlock: 2, EndBlock: 4, FullOutput: true,
				OutputPrefix: artifact.SNOSPrefix(uint64(n), 0)}
		},
		Bad: func(n int) snos.Task {
			return snos.Task{Kind: snos.Run, Batch: uint64(n), StartBlock: 4, EndBlock: 3,
				OutputPrefix: artifact.SNOSPrefix(uint64(n), 0)}
		},
	})
}

// A runner that works in the background keeps the contract too.
func TestBackgroundContract(t *testing.T) {
	t.Parallel()
	r, store, _ := setup(t, snosrunner.Options{}, 12)
	b := snosrunner.NewBackground(r, time.Millisecond)
	t.Cleanup(func() { _ = b.Close() })
	snostest.TestRunner(t, snostest.Harness{
		Runner: b, Artifacts: store, BadKind: snos.Rejected,
		Task: func(n int) snos.Task {
			return snos.Task{Kind: snos.Run, Batch: uint64(n), StartBlock: 2, EndBlock: 4, FullOutput: true,
				OutputPrefix: artifact.SNOSPrefix(uint64(n), 0)}
		},
	})
}

// It says once that a run has ended, to the URL that the task has, and remembers why it could not.
func TestCallback(t *testing.T) {
	t.Parallel()
	r, _, _ := setup(t, snosrunner.Options{}, 4)
	b := snosrunner.NewBackground(r, time.Millisecond)
	posted := make(chan string, 9)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		posted <- r.Method + " " + r.URL.Path
		if r.URL.Path == "/hooks/run/a" {
			w.WriteHeader(http.StatusAccepted)
		}
	}))
	defer srv.Close()
	for _, id := range []string{"a", "b", "none"} {
		task := snos.Task{Kind: snos.Run, ID: id, StartBlock: 0, EndBlock: 3, OutputPrefix: "snos/" + id + "/"}
		if id != "none" {
			task.Callback = srv.URL + "/hooks/run/" + id
		}
		h, err := b.Submit(t.Context(), task)
		if err != nil {
			t.Fatal(err)
		}
		if id == "none" {
			continue
		}
		if got := <-posted; got != "POST /hooks/run/"+id {
			t.Errorf("posted %s", got)
		}
		if p, err := b.Status(t.Context(), h); err != nil || p.State != snos.Succeeded {
			t.Errorf("reported before it has ended: %+v, %v", p, err)
		}
	}
	for n, err := b.Reported(); n == 0 || err == nil; n, err = b.Reported() { // the answer has come, and is noted soon
		time.Sleep(time.Millisecond)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := b.Reported(); n != 1 || err == nil || !strings.Contains(err.Error(), "200") || len(posted) > 0 {
		t.Errorf("reported %d, %v; %d more", n, err, len(posted))
	}
}

// run submits a task and wants it to succeed.
func run(t *testing.T, r *snosrunner.Runner, task snos.Task) {
	t.Helper()
	h, err := r.Submit(t.Context(), task)
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.Status(t.Context(), h)
	if err != nil || p.State != snos.Succeeded {
		t.Fatalf("%s ended as %+v, %v", task.ID, p, err)
	}
}

func words(t *testing.T, s artifact.Store, key string) []felt.Felt {
	t.Helper()
	w, err := artifact.ReadFelts(t.Context(), s, key, 1<<22)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// Two runs and their aggregation give a state update over all blocks whose blobs hold the squashed diff.
func TestAggregation(t *testing.T) {
	t.Parallel()
	r, store, chain := setup(t, snosrunner.Options{}, 10)
	run(t, r, snos.Task{Kind: snos.Run, ID: "a", StartBlock: 0, EndBlock: 3, FullOutput: true, OutputPrefix: "snos/1/"})
	run(t, r, snos.Task{Kind: snos.Run, ID: "b", StartBlock: 4, EndBlock: 9, FullOutput: true, OutputPrefix: "snos/2/"})
	run(t, r, snos.Task{Kind: snos.Aggregate, ID: "c", StartBlock: 0, EndBlock: 9, OutputPrefix: "agg/1/",
		Inputs: []string{"snos/1/" + artifact.ProgramOutput, "snos/2/" + artifact.ProgramOutput}})

	whole := words(t, store, "agg/1/"+artifact.ProgramOutput)
	update, err := output.UpdateWords(whole)
	if err != nil {
		t.Fatal(err)
	}
	o, _, err := output.Parse(update)
	if err != nil {
		t.Fatal(err)
	}
	head, _ := chain.Head()
	hashes, err := snosrunner.HashesOf(head.StarknetVersion)
	if err != nil {
		t.Fatal(err)
	}
	if o.NewRoot != head.NewRoot || o.NewHash != head.Hash || o.PrevBlock != felt.MinusOne() ||
		o.OSProgramHash != hashes.OS {
		t.Errorf("update is %+v", o)
	}
	segment := words(t, store, "agg/1/"+artifact.DASegment)
	if o.Kzg == nil || output.Z(segment, o.Kzg.Commitments) != o.Kzg.Z {
		t.Fatal("z is not that of the segment")
	}
	blobs, err := blob.FromWords(segment)
	if err != nil {
		t.Fatal(err)
	}
	for i := range blobs {
		if y, err := kzg.Evaluate(&blobs[i], o.Kzg.Z); err != nil || y != o.Kzg.Evaluations[i] {
			t.Errorf("blob %d: y is %x, %v", i, y, err)
		}
	}
	f, err := statediff.FormatOf(head.StarknetVersion)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := statediff.Decode(segment, f); err != nil {
		t.Errorf("the segment does not decode: %v", err)
	}
	raw, err := artifact.ReadAll(t.Context(), store, "agg/1/"+artifact.PIE, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	p, err := pie.Read(bytes.NewReader(raw), int64(len(raw)), pie.Limits{})
	if err != nil || !slices.Equal(p.Output, whole) {
		t.Fatalf("the PIE's output has %d words, want %d; %v", len(p.Output), len(whole), err)
	}
	function, err := version.HashFunctionOf(head.StarknetVersion)
	if err != nil {
		t.Fatal(err)
	}
	fact, err := p.AggregatorFact(function)
	if err != nil || fact != pie.PageFact(hashes.Aggregator, update) {
		t.Errorf("fact %s, %v", fact, err)
	}
	var messages int
	for n := range uint64(10) {
		m, _ := chain.Messages(n)
		messages += len(m.ToL1) + len(m.ToL2)
	}
	if got := len(o.Messages.ToL1) + len(o.Messages.ToL2); got != messages || messages == 0 {
		t.Errorf("%d messages in the update, %d in the blocks", got, messages)
	}
}

// Inputs that do not follow each other are refused, with the reason.
func TestAggregationRefuses(t *testing.T) {
	t.Parallel()
	r, store, _ := setup(t, snosrunner.Options{}, 10)
	run(t, r, snos.Task{Kind: snos.Run, ID: "a", StartBlock: 0, EndBlock: 3, FullOutput: true, OutputPrefix: "snos/1/"})
	run(t, r, snos.Task{Kind: snos.Run, ID: "b", StartBlock: 5, EndBlock: 9, FullOutput: true, OutputPrefix: "snos/2/"})
	if err := artifact.WriteFelts(t.Context(), store, "broken", []felt.Felt{felt.MinusOne()}); err != nil {
		t.Fatal(err)
	}
	a, b := "snos/1/"+artifact.ProgramOutput, "snos/2/"+artifact.ProgramOutput
	for name, tt := range map[string]struct {
		inputs []string
		want   string
	}{
		"gap": {[]string{a, b}, "starts after block"}, "missing": {[]string{a, "nothing"}, "not found"},
		"none":   {nil, "0 inputs"},
		"broken": {[]string{"broken"}, "input 0"}, "other blocks": {[]string{a}, "the task is for"},
	} {
		h, err := r.Submit(t.Context(), snos.Task{Kind: snos.Aggregate, ID: name, StartBlock: 0, EndBlock: 9,
			Inputs: tt.inputs, OutputPrefix: "agg/" + name + "/"})
		if err != nil {
			t.Fatal(err)
		}
		p, err := r.Status(t.Context(), h)
		if err != nil || p.State != snos.Failed || p.Failure != snos.Rejected || !strings.Contains(p.Detail, tt.want) {
			t.Errorf("%s: %+v, %v, want it to say %q", name, p, err, tt.want)
		}
	}
}

// The 500 blocks of a Sepolia batch give the DA segment that stands on chain, and its z, commitments and evaluations.
func TestSepoliaBatch(t *testing.T) {
	t.Parallel()
	chain, err := devappchain.FromRecording(starknettest.Data(t, "batch_8373665", "8373665.tar.gz"),
		devappchain.RecordingOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = chain.Close() })
	r, store, _ := newRunner(t, snosrunner.Options{}, chain)
	run(t, r, snos.Task{Kind: snos.Run, ID: "a", StartBlock: 789878, EndBlock: 790377, OutputPrefix: "snos/1/"})
	got, _, err := output.Parse(words(t, store, "snos/1/"+artifact.ProgramOutput))
	if err != nil {
		t.Fatal(err)
	}
	var recorded []felt.Felt
	for _, line := range strings.Fields(
		string(starknettest.ReadTar(t, "program_output.txt", "batch_8373665", "8373665.tar.gz"))) {
		f, err := felt.FromHex(line)
		if err != nil {
			t.Fatalf("word %q: %v", line, err)
		}
		recorded = append(recorded, f)
	}
	update, err := output.UpdateWords(recorded)
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := output.Parse(update)
	if err != nil {
		t.Fatal(err)
	}
	if got.PrevRoot != want.PrevRoot || got.NewRoot != want.NewRoot ||
		got.NewBlock != want.NewBlock || got.NewHash != want.NewHash {
		t.Errorf("transition %+v, want %+v", got, want)
	}
	var segment []felt.Felt
	starknettest.ReadTarJSON(t, "stateless_compressed_state_update.json", &segment, "batch_8373665", "8373665.tar.gz")
	mine := words(t, store, "snos/1/"+artifact.DASegment)
	t.Logf("segment of %d words, recorded %d; notes: %v", len(mine), len(segment), chain.Notes())
	if slices.Equal(mine, segment) &&
		(got.Kzg.Z != want.Kzg.Z || !slices.Equal(got.Kzg.Evaluations, want.Kzg.Evaluations)) {
		t.Errorf("same segment, but z %s (want %s), y %x (want %x)",
			got.Kzg.Z, want.Kzg.Z, got.Kzg.Evaluations, want.Kzg.Evaluations)
	}
}
