package simulation_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// mutation is a deliberate bug: in each file, from becomes to. It is compiled into a copy by go's -overlay; the tree
// stays as it is.
type mutation struct {
	name  string
	edits []edit
}

type edit struct{ file, from, to string }

var mutations = []mutation{
	{"drop the generation check", []edit{{
		"core/job/machine.go",
		"case m.Generation != j.Generation, m.Action != j.NextAction, j.NextAction == None:",
		"case m.Action != j.NextAction, j.NextAction == None:",
	}}},
	{"broadcast before recording", []edit{{
		"service/sending/sending.go",
		"	if err := t.Raw.PutNew(ctx, rec.RawKey",
		"	if err := t.Chain.Broadcast(ctx, signed, payload); err != nil {\n" +
			"		return Progress{}, err\n" +
			"	}\n" +
			"	if err := t.Raw.PutNew(ctx, rec.RawKey",
	}}},
	{"sign again on every retry", []edit{{
		"core/tx/decide.go",
		"		return decideOpen(r, j, v, p)",
		"		_ = r\n" +
			"		return p.first(max(v.Account.Pending, v.Account.Latest), v)",
	}}},
	{"replace at another nonce", []edit{{
		"core/tx/fees.go",
		"d := Decision{Step: Sign, Nonce: held.Nonce,",
		"d := Decision{Step: Sign, Nonce: v.Account.Pending,",
	}}},
	{"work on a job before it is due", []edit{{
		"core/job/machine.go",
		"	case now.Add(Skew).Before(j.DueAt):",
		"	case false && now.Add(Skew).Before(j.DueAt):",
	}}},
	{"let artifacts expire before the batch is final", []edit{{
		"service/cleanup/cleanup.go",
		"return j.Status == job.Completed && j.NextAction == job.None && (!ok || m.Finalized)",
		"_, _ = m, ok\n" +
			"	return j.Status == job.Completed",
	}}},
	{"leave a publication unwatched", []edit{{
		"service/datasubmission/datasubmission.go",
		"Watch: final < len(parts(m))}",
		"Watch: false}",
	}}},
	{"no fee cap", []edit{{
		"core/tx/fees.go",
		"	if p.FeeCap == nil {\n" +
			"		return nil\n" +
			"	}\n" +
			"	return new(big.Int).Sub(p.FeeCap, orZero(v.reserved))",
		"	return nil",
	}}},
	{"a fee cap for each transaction alone", []edit{{
		"core/tx/flight.go",
		"		if n != nonce {",
		"		if n != nonce && nonce == 0 {",
	}}},
	{"any number of transactions on the way", []edit{{
		"core/tx/flight.go",
		"	case len(blobs) >= most:",
		"	case len(blobs) >= 4*most:",
	}}},
	{"any number of blobs on the way", []edit{{
		"core/tx/flight.go",
		"	case p.BlockBlobs > 0 && v.Blobs > 0 && sum > p.BlockBlobs:",
		"	case p.BlockBlobs < 0:",
	}}},
	{"take the nonce of another job's transaction", []edit{{
		"core/tx/flight.go",
		"		case f.Nonce == nonce && f.Order != Behind && v.Now.Sub(f.SignedAt) < p.ReplaceAfter:",
		"		case f.Nonce == nonce && f.Order != Behind && v.Now.Sub(f.SignedAt) < -p.ReplaceAfter:",
	}}},
	{"forget the transactions of jobs that wait for an operator", []edit{{
		"service/sending/flights.go",
		"Statuses: job.Unfinished(), Limit",
		"Statuses: []job.Status{job.Created, job.LockedForProcessing, job.PendingVerification, " +
			"job.VerificationFailed}, Limit",
	}}},
	{"a lease for each job instead of one for the wallet", []edit{{
		"service/sending/sending.go",
		"	held, err := s.Lease.Acquire(ctx, s.LeaseName, r.JobID, walletTTL)",
		"	held, err := s.Lease.Acquire(ctx, s.LeaseName+r.JobID, r.JobID, walletTTL)",
	}}},
	{"skip the reconcile query", []edit{{
		"service/reconcile/reconcile.go",
		"	for _, j := range due {",
		"	for _, j := range due[:0] {",
	}}},
	{"lose an alert for good", []edit{{
		"core/alert/report.go",
		"|| now.Sub(r.ReportedAt) >= Reminder",
		"",
	}}},
	{"leave a report open whose cause is over", []edit{{
		"service/executor/alerts.go",
		"	if old.Status.NeedsOperator() && !now.Status.NeedsOperator() {",
		"	if false {",
	}, {
		"service/reconcile/reconcile.go",
		"			return lasting[o.Key] || !whole",
		"			return true || !whole",
	}}},
	{"ignore lock, fence and version of batches", []edit{{
		"client/memory/batches.go",
		"		if was.fence > f.fence {",
		"		*f.version, f.fence = *was.version, max(f.fence, was.fence)\n" +
			"		if was.fence > f.fence {",
	}, {
		"client/memory/locks.go",
		"if l.Owner != \"\" && l.Owner != owner && now.Before(l.ExpiresAt) {",
		"if false {",
	}, {
		"client/memory/locks.go",
		"if held.Owner != l.Owner || held.Fence != l.Fence || !now.Before(held.ExpiresAt) {",
		"if false {",
	}}},
	{"ignore the version of jobs", []edit{{
		"client/memory/jobs.go",
		"		if old.Version != j.Version {",
		"		j.Version = old.Version\n" +
			"		if old.Version != j.Version {",
	}}},
	{"leave a settled batch unwatched", []edit{{
		"core/job/machine.go",
		"return next.plan(Completed, Verify, now.Add(p.Watch.Delay(next.Attempts.Verify)))",
		"return next.plan(Completed, None, time.Time{})",
	}}},
	{"submit without a recorded dedup id", []edit{{
		"service/proofcreation/proofcreation.go",
		"		*t.DedupID = r.Job.AttemptID()\n" +
			"		if err := r.Checkpoint(ctx); err != nil {\n" +
			"			return err\n" +
			"		}",
		"		*t.DedupID = r.Job.AttemptID() + r.Job.UpdatedAt.String()",
	}}},
	{"join another history", []edit{{
		"service/batching/history.go",
		"		case on.any && !on.hash.IsZero() && h.ParentHash != on.hash && i == 0:",
		"		case false:",
	}, {
		"service/batching/history.go",
		"		case on.any && !on.hash.IsZero() && h.ParentHash != on.hash:",
		"		case false:",
	}}},
	{"take a header and a state update of different blocks", []edit{{
		"service/batching/history.go",
		"		case r.update.BlockHash != h.Hash || r.update.NewRoot != h.NewRoot:",
		"		case false:",
	}}},
	{"a read error keeps a batch open", []edit{{
		"service/batching/pass.go",
		"	if stop == nil || !stop.frozen {",
		"	if unreadable == nil && (stop == nil || !stop.frozen) {",
	}}},
	{"a block that is not there yet fails the chunk", []edit{{
		"service/batching/take.go",
		"absent := errors.Is(err, block.ErrNotFound)",
		"absent := false",
	}}},
	{"ignore the weights", []edit{{
		"core/batch/rules.go",
		"sum.Exceeds(l.SnosWeights)",
		"sum.Exceeds(l.Weights)",
	}}},
	{"ignore the DA words of an L3", []edit{{
		"core/batch/rules.go",
		"	if l.DAWords != 0 && c.DAWords > l.DAWords {",
		"	if false {",
	}}},
	{"publish only what one transaction carries", []edit{{
		"service/datasubmission/datasubmission.go",
		"	n := max(1, (len(words)+m.PartWords-1)/m.PartWords)",
		"	n := 1",
	}}},
	{"fail a state update for which the contract must change", []edit{{
		"service/statetransition/configured.go",
		"	return executor.Await(cutover.Waiting(starknet, what), contractWait, errors.New(what))",
		"	_, _, _ = executor.Await, cutover.Waiting, contractWait\n" +
			"	return job.Permanent(errors.New(what))",
	}}},
	{"do not announce a cutover", []edit{{
		"service/batching/pass.go",
		"		p.announce(ctx)",
		"		_ = p.announce",
	}}},
	{"reads of one look are mixed", []edit{{
		"client/several/set.go",
		"	if node, ok := l.Node(s); ok {\n" +
			"		return node, nil\n" +
			"	}",
		"	if node, ok := l.Node(s); ok {\n" +
			"		node = (node + 1) % len(s.o.Names)\n" +
			"		l.Keep(s, node)\n" +
			"		return node, nil\n" +
			"	}",
	}}},
	{"a lagging node is believed", []edit{{
		"client/several/choose.go",
		"	case s.head < l.least:",
		"	case false:",
	}, {
		"client/several/choose.go",
		"	case s.head+l.slack < l.highest:",
		"	case false:",
	}}},
	{"a fact that is gone is not registered again", []edit{{
		"service/statetransition/check.go",
		"		if !ok {\n" +
			"			return nil // it is at work\n" +
			"		}",
		"		if ok || !ok {\n" +
			"			return nil // it is at work\n" +
			"		}",
	}}},
	{"accept jobs of an old epoch", []edit{{
		"service/executor/discarded.go",
		"	if _, active := s.Active(); active || signed(j) {\n" +
			"		return true, nil\n" +
			"	}",
		"	if _, active := s.Active(); active || signed(j) || len(s.Rewinds) > 0 {\n" +
			"		return false, nil\n" +
			"	}",
	}}},
	{"make jobs of discarded batches", []edit{{
		"service/triggering/rewound.go",
		"	run.rewinds = s",
		"	_ = s",
	}}},
	{"rewind batches whose transactions may still be mined", []edit{{
		"core/rewind/decide.go",
		"		case Dead:",
		"		case Dead, Open:",
	}}},
	{"use the artifacts of a discarded batch", []edit{{
		"core/artifact/key.go",
		"	if epoch == 0 {",
		"	if epoch < 100 {",
	}}},
	{"end a rewind before everything is discarded", []edit{{
		"service/rewinding/continue.go",
		"		if !ok || !r.stale(s, top) {\n" +
			"			return r.finish(ctx, s, discarded)",
		"		if !ok || !r.stale(s, top) || discarded == 1 {\n" +
			"			return r.finish(ctx, s, discarded)",
	}, {
		"service/rewinding/continue.go",
		"	if err := r.strays(ctx, s); err != nil {\n" +
			"		return s, err\n" +
			"	}\n",
		"",
	}, {
		"service/batching/rewound.go",
		"	if !s.Stale(k, index, epoch) {",
		"	if true {",
	}}},
	{"a nonce that was lost is taken for settled", []edit{{
		"core/tx/decide.go",
		"		case v.Account.Confirmed > r.Nonce:",
		"		case false && v.Account.Confirmed > r.Nonce:",
	}}},
}

// caught is the first seed that failed, and why.
var caught = regexp.MustCompile(`seed \d+: .*`)

// TestMutationsApply keeps the deliberate bugs up to date with the code: each text that one replaces stands in its file
// once.
func TestMutationsApply(t *testing.T) {
	t.Parallel()
	for _, m := range mutations {
		for _, e := range m.edits {
			b, err := os.ReadFile(filepath.Join("..", e.file))
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(b), e.from); n != 1 {
				t.Errorf("%s: %s holds %q %d times, want once", m.name, e.file, e.from, n)
			}
		}
	}
}

// The sample that CI compiles in is one of bugs that exist: a name that `go test -run` does not know passes in silence.
func TestSampleOfCI(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join("..", "..", ".ci", "run"))
	if err != nil {
		t.Fatal(err)
	}
	sample := regexp.MustCompile(`(?m)^sample='([^']+)'$`).FindSubmatch(b)
	if sample == nil {
		t.Fatal(".ci/run names no sample")
	}
	for bug := range strings.SplitSeq(string(sample[1]), "|") {
		known := func(m mutation) bool { return strings.ReplaceAll(m.name, " ", "_") == bug }
		if !slices.ContainsFunc(mutations, known) {
			t.Errorf(".ci/run's sample names %s, which is not a bug of ours", bug)
		}
	}
}

// TestMutations shows that the simulation can fail: each bug is caught within the 200 seeds of TestRandomFaults.
func TestMutations(t *testing.T) {
	if os.Getenv("ORCHESTRATOR_MUTATIONS") == "" {
		t.Skip("`make mutations` runs this: each bug is compiled in")
	}
	shared, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			ran++
			dir := t.TempDir()
			replaced := map[string]string{} // original to mutant
			for i, e := range m.edits {
				path := filepath.Join(shared, e.file)
				source, ok := replaced[path]
				if !ok {
					source = path
				}
				b, err := os.ReadFile(source)
				if err != nil {
					t.Fatal(err)
				}
				if strings.Count(string(b), e.from) != 1 {
					t.Fatalf("%s holds %q %d times, want once: the bug is out of date",
						e.file, e.from, strings.Count(string(b), e.from))
				}
				replaced[path] = filepath.Join(dir, fmt.Sprintf("mutant%d.go", i))
				if err := os.WriteFile(replaced[path], []byte(strings.Replace(string(b), e.from, e.to, 1)),
					0o600); err != nil {
					t.Fatal(err)
				}
			}
			overlay, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "mutant.test")
			o, err := json.Marshal(map[string]any{"Replace": replaced})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(overlay, o, 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command("go", "test", "-c", "-overlay", overlay, "-o", binary,
				".").CombinedOutput(); err != nil {
				t.Fatalf("the bug does not compile: %v\n%s", err, out)
			}
			began := time.Now()
			first, err := runMutant(t, binary)
			if err == nil {
				t.Fatalf("200 seeds did not catch it (%s)", time.Since(began).Round(time.Second))
			}
			if first == "" {
				t.Fatalf("it ended without naming a seed: %v", err)
			}
			t.Logf("caught in %s: %.250s", time.Since(began).Round(100*time.Millisecond), first)
		})
	}
	if ran == 0 {
		t.Error("none of the bugs has such a name: write it with _ for spaces, as in BUGS='no_fee_cap'")
	}
}

// runMutant runs the seeds and ends at the first one that fails, which it returns with an error.
func runMutant(t *testing.T, binary string) (first string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, "-test.v", "-test.run", "TestRandomFaults|TestCutover")
	cmd.Env = append(os.Environ(), "ORCHESTRATOR_MUTATIONS=")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() && first == "" {
		first = caught.FindString(lines.Text())
	}
	if first != "" {
		_ = cmd.Process.Kill()
	}
	return first, cmd.Wait()
}
