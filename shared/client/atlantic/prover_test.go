package atlantic_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/atlantic"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof/prooftest"
	fakeatlantic "github.com/madara-orchestrator/orchestrator/shared/dev/fake/atlantic"
)

func TestProver_Conformance(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]fakeatlantic.Config{
		"IndexFrom0": {Polls: 2}, "IndexFrom1": {Polls: 2, IndexBase: 1}, "WithoutListing": {Polls: 1, NoListing: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			prooftest.TestProver(t, prooftest.Harness{New: func(t *testing.T) prooftest.Service {
				s := start(t, c)
				p, _ := client(t, s, func(a *atlantic.Config) {
					a.IndexBase = c.IndexBase
					a.OutputFile = fakeatlantic.FileOutput // the fake has no PIE
				})
				t.Cleanup(func() { documented(t, s) })
				service := prooftest.Service{
					Prover: p, Input: zipped(), Unknown: "01STANDINQ99999999999999",
					Started: s.Started, Forget: s.Forget,
					Reject: func(task string) { s.Fail(task, "out of memory") },
				}
				if c.NoListing { // then a bucket is found by nothing but its id
					service.ExternalID = func(int) string { t.Skip("buckets can't be found again"); return "" }
				}
				return service
			}})
		})
	}
}

// TestSubmit_Shape compares what is sent with the documentation, field by field.
func TestSubmit_Shape(t *testing.T) {
	t.Parallel()
	proofFile := []byte(`{"version":"stone"}`)
	hash := "0x2a"
	common := func(result, vm string) map[string]string {
		return map[string]string{
			"dedupId": "d-1", "externalId": "d-1", "declaredJobSize": "M", "result": result, "network": "TESTNET",
			"cairoVersion": "cairo0", "cairoVm": vm, "mockFactHash": "false", "sharpProver": "stone",
		}
	}
	with := func(m map[string]string, more ...string) map[string]string {
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	l3 := func(c *atlantic.Config) { c.Settlement, c.VerifierProgramHash = atlantic.Starknet, hash }
	for name, c := range map[string]struct {
		change func(*atlantic.Config)
		kind   proof.Kind
		input  []byte
		want   map[string]string
		file   string
		size   int
	}{
		"Child": {nil, proof.Child, zipped(), common("PROOF_GENERATION", "rust"),
			"pieFile pie.zip application/zip", len(zipped())},
		"ChildL3": {l3, proof.Child, zipped(), with(common("PROOF_GENERATION", "rust"), "layout", "dynamic"),
			"pieFile pie.zip application/zip", len(zipped())},
		"Registration": {l3, proof.Registration, proofFile,
			with(common("PROOF_VERIFICATION_ON_L2", "python"), "layout", "recursive_with_poseidon", "programHash",
				hash),
			"inputFile proof.json application/json", len(proofFile) + len(`{"proof": }`)},
		"RegistrationOfPIE": {func(c *atlantic.Config) {
			l3(c)
			c.Registration, c.VerifierProgramHash = atlantic.RegisterPIE, ""
		}, proof.Registration, zipped(),
			with(common("PROOF_VERIFICATION_ON_L2", "rust"), "layout", "recursive_with_poseidon"),
			"pieFile pie.zip application/zip", len(zipped())},
		"Settings": {func(c *atlantic.Config) {
			c.SharpProver, c.CairoVM, c.Result, c.Layout, c.MockFact = "stwo", "python",
				atlantic.VerificationOnL1, "auto", true
		}, proof.Child, zipped(), with(common("PROOF_VERIFICATION_ON_L1", "python"), "sharpProver", "stwo", "layout",
			"auto", "mockFactHash", "true"),
			"pieFile pie.zip application/zip", len(zipped())},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := start(t, fakeatlantic.Config{})
			change := c.change
			if change == nil {
				change = func(*atlantic.Config) {}
			}
			p, _ := client(t, s, change)
			r := child("d-1", c.input)
			r.Kind = c.kind
			if _, err := p.Submit(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			documented(t, s)
			records := s.Records()
			if len(records) != 2 || records[0].Path != "/atlantic-query-by-dedup-id" ||
				records[0].Query["dedupId"] != "d-1" {
				t.Fatalf("%d requests, the first %+v; want a look-up, then the submission", len(records), records)
			}
			got := records[1]
			if got.Key != key || got.File+" "+got.FileName+" "+got.FileType != c.file || got.FileSize != int64(c.size) {
				t.Errorf("key %q, file %s %s %s of %d bytes; want %s of %d",
					got.Key, got.File, got.FileName, got.FileType, got.FileSize, c.file, c.size)
			}
			for k, v := range c.want {
				if got.Fields[k] != v {
					t.Errorf("field %s is %q, want %q", k, got.Fields[k], v)
				}
			}
			if len(got.Fields) != len(c.want) {
				t.Errorf("fields %v, want %v", got.Fields, c.want)
			}
		})
	}
}

// TestBucket_Shape compares a bucket's requests with the documentation.
func TestBucket_Shape(t *testing.T) {
	t.Parallel()
	var seen fakeatlantic.Bucket
	s := start(t, fakeatlantic.Config{IndexBase: 1, Aggregate: nil})
	p, _ := client(t, s, func(c *atlantic.Config) {
		c.IndexBase, c.NodeWidth = 1, 4
		c.Aggregator = atlantic.AggregatorParams{ChainID: "SN_SEPOLIA", FeeToken: "0x4718",
			PublicKeys: []string{"0x1", "0x2"}}
	})
	bucket, err := p.OpenBucket(t.Context(), "chain-aggregator-1", "0.14.1.2")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		r := child([]string{"a", "b"}[i], zipped())
		r.Bucket, r.Index = bucket, uint64(i)
		if _, err := p.Submit(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if task, err := p.CloseBucket(t.Context(), bucket); err != nil || task != "bucket:"+bucket {
		t.Fatalf("CloseBucket = %q, %v", task, err)
	}
	documented(t, s)
	if seen = s.Opened(bucket); seen.Version != "snos_aggregator_0.14.1" || seen.Params["use_kzg_da"] != true ||
		seen.Params["full_output"] != false ||
		seen.Params["chain_id_hex"] != "0x534e5f5345504f4c4941" || seen.Params["fee_token_address"] != "0x4718" {
		t.Errorf("bucket was created with %+v", seen)
	}
	var indices []string
	for _, r := range s.Records() {
		if i, ok := r.Fields["bucketJobIndex"]; ok {
			indices = append(indices, r.Fields["bucketId"]+"/"+i)
		}
	}
	if len(indices) != 2 || indices[0] != bucket+"/1" || indices[1] != bucket+"/2" {
		t.Errorf("children were put at %v", indices)
	}
}

func TestFetch_Artifacts(t *testing.T) {
	t.Parallel()
	da, output := `["0xda"]`, `["0x7"]`
	s := start(t,
		fakeatlantic.Config{Aggregate: func(_ context.Context, b fakeatlantic.Bucket) (fakeatlantic.Aggregated, error) {
			return fakeatlantic.Aggregated{PIE: zipped(), DASegment: []byte("\n " + da), Output: []byte(output)}, nil
		}})
	p, _ := client(t, s, func(c *atlantic.Config) { c.OutputFile = fakeatlantic.FileOutput })
	task := aggregated(t, p)
	for a, want := range map[proof.Artifact]string{proof.PIE: string(zipped()), proof.DASegment: da,
		proof.ProgramOutput: output} {
		if got, err := content(t, p, task, a); err != nil || got != want {
			t.Errorf("%s is %.40q, %v; want %.40q", a, got, err, want)
		}
	}
	documented(t, s)
	if !bytes.Contains([]byte(task), []byte("bucket:")) {
		t.Errorf("task %s", task)
	}
}

// aggregated puts a child into a bucket and has it aggregated.
func aggregated(t *testing.T, p *atlantic.Prover) string {
	t.Helper()
	bucket, err := p.OpenBucket(t.Context(), "b", "0.13.5")
	if err != nil {
		t.Fatal(err)
	}
	r := child("a", zipped())
	r.Bucket = bucket
	if _, err := p.Submit(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	task, err := p.CloseBucket(t.Context(), bucket)
	if err != nil {
		t.Fatal(err)
	}
	if g := ended(t, p, task); g.State != proof.Done {
		t.Fatalf("aggregation is %+v", g)
	}
	return task
}
