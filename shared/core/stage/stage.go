// Package stage holds the one table of the pipeline's stages. A stage has one name. Its job type, its trigger worker,
// its function, its queues, its service and its place in the docs all use that name.
package stage

import (
	"fmt"
	"slices"
)

// Name is a stage's name. It is also the name of the stage's trigger worker and, where the stage has jobs, its job
// type.
type Name string

// The stages.
const (
	AggregatorBatching Name = "AggregatorBatching" // L2: groups SNOS batches into aggregator batches
	SnosBatching       Name = "SnosBatching"       // groups blocks into SNOS batches
	SnosRun            Name = "SnosRun"            // runs the Starknet OS on a SNOS batch
	ProofCreation      Name = "ProofCreation"      // proves that run
	ProofRegistration  Name = "ProofRegistration"  // L3: registers the proof on the settlement layer
	DataSubmission     Name = "DataSubmission"     // L3: publishes the batch's state diff
	Aggregator         Name = "Aggregator"         // L2: aggregates the proofs of an aggregator batch
	StateTransition    Name = "StateTransition"    // sends the state update to the core contract
	StorageCleanup     Name = "StorageCleanup"     // lets artifacts of settled batches expire
	Reconcile          Name = "Reconcile"          // sends lost wake-ups and alerts again
)

// Layer says where a chain settles. It decides which stages the chain has.
type Layer string

// The layers.
const (
	L2 Layer = "l2" // settles on Ethereum, with aggregation and blobs
	L3 Layer = "l3" // settles on Starknet, with calldata
)

// Stage is one row of the table.
type Stage struct {
	Name Name
	// Jobs says whether the stage has jobs, one a batch. The others only have a trigger worker.
	Jobs bool
	// Layers are the layers whose chains have the stage.
	Layers []Layer
	// Wakes are the stages that may have work once this one has made progress: a job completed or a batch closed.
	// Those that the chain's layer does not have are skipped.
	Wakes []Name
}

var (
	both   = []Layer{L2, L3}
	onlyL2 = []Layer{L2}
	onlyL3 = []Layer{L3}
)

// table is in the order of the pipeline.
var table = []Stage{
	{Name: AggregatorBatching, Layers: onlyL2, Wakes: []Name{SnosBatching}},
	{Name: SnosBatching, Layers: both, Wakes: []Name{SnosRun}},
	// The next SnosRun too: the window of runs under way has moved.
	{Name: SnosRun, Jobs: true, Layers: both, Wakes: []Name{ProofCreation, SnosRun}},
	{Name: ProofCreation, Jobs: true, Layers: both, Wakes: []Name{ProofRegistration, Aggregator}},
	{Name: ProofRegistration, Jobs: true, Layers: onlyL3, Wakes: []Name{DataSubmission}},
	{Name: DataSubmission, Jobs: true, Layers: onlyL3, Wakes: []Name{StateTransition}},
	{Name: Aggregator, Jobs: true, Layers: onlyL2, Wakes: []Name{StateTransition}},
	{Name: StateTransition, Jobs: true, Layers: both, Wakes: []Name{StateTransition}}, // the next batch's
	{Name: StorageCleanup, Layers: both},
	{Name: Reconcile, Layers: both},
}

// All returns every stage, in the order of the pipeline.
func All() []Stage { return slices.Clone(table) }

// Names returns the names of every stage, in the order of the pipeline.
func Names() []Name { return names(func(Stage) bool { return true }) }

// WithJobs returns the names of the stages that have jobs, in the order of the pipeline.
func WithJobs() []Name { return names(func(s Stage) bool { return s.Jobs }) }

func names(want func(Stage) bool) []Name {
	var out []Name
	for _, s := range table {
		if want(s) {
			out = append(out, s.Name)
		}
	}
	return out
}

// Of returns the row of a stage. ok is false for a name that the table does not have.
func Of(n Name) (s Stage, ok bool) {
	i := slices.IndexFunc(table, func(s Stage) bool { return s.Name == n })
	if i < 0 {
		return Stage{}, false
	}
	return table[i], true
}

// renamed are the names that releases up to 0.1 gave to workers of stages. Messages, schedules and pauses that such a
// release wrote are still read; remove this with the next release.
var renamed = map[Name]Name{"Snos": SnosRun, "Proving": ProofCreation, "UpdateState": StateTransition}

// Parse returns the stage with the name, or with the name that it had up to release 0.1. The error lists the known
// names.
func Parse(s string) (Name, error) {
	n := Name(s)
	if now, ok := renamed[n]; ok {
		n = now
	}
	if _, ok := Of(n); !ok {
		return "", fmt.Errorf("unknown stage %.80q, want one of %v", s, Names())
	}
	return n, nil
}

// Was returns the other names under which documents of earlier releases that are still read know the stage.
func Was(n Name) []string {
	var out []string
	for was, now := range renamed {
		if now == n {
			out = append(out, string(was))
		}
	}
	return out
}

// Has says whether a chain of the layer has the stage.
func (l Layer) Has(n Name) bool {
	s, ok := Of(n)
	return ok && slices.Contains(s.Layers, l)
}

// OnAggregator says whether a stage works on aggregator batches; the others work on SNOS batches.
func (l Layer) OnAggregator(n Name) bool {
	return n == Aggregator || n == AggregatorBatching || n == StateTransition && l == L2
}

// BatchName names the batch of a stage's job: a number alone may be that of a SNOS batch or of an aggregator batch.
func (l Layer) BatchName(n Name, index uint64) string {
	if l.OnAggregator(n) {
		return AggregatorBatch(index)
	}
	return SnosBatch(index)
}

// AggregatorBatch names an aggregator batch.
func AggregatorBatch(index uint64) string { return fmt.Sprintf("aggregator batch %d", index) }

// SnosBatch names a SNOS batch.
func SnosBatch(index uint64) string { return fmt.Sprintf("SNOS batch %d", index) }

// Wakes returns the stages of a chain of the layer that may have work once stage n has made progress.
func (l Layer) Wakes(n Name) []Name {
	s, _ := Of(n)
	return slices.DeleteFunc(slices.Clone(s.Wakes), func(w Name) bool { return !l.Has(w) })
}
