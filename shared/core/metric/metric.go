// Package metric is what the functions measure: the one table of metrics with their closed sets of labels, the spans of
// a batch's trace, and the port that takes both. CloudWatch gets metrics as lines of the log (Logger); an OpenTelemetry
// collector gets metrics and traces (client/otlp).
//
// The port travels in the context, as a trace's current span must: a call of a client is measured wherever it is made,
// and nothing is measured where nobody asked for it.
package metric

import (
	"slices"
	"strings"
	"unicode"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// Namespace is where CloudWatch keeps the metrics; Chain is the dimension that all of them have.
const (
	Namespace = "Orchestrator"
	Chain     = "chain"
)

// Name is a metric's name in CloudWatch.
type Name string

// The metrics. What each is stands in the table below.
const (
	HeadBlock      Name = "HeadBlock"
	SettledBlock   Name = "SettledBlock"
	LagBlocks      Name = "LagBlocks"
	LagSeconds     Name = "LagSeconds"
	FailedJobs     Name = "FailedJobs"
	OverdueJobs    Name = "OverdueJobs"
	WalletBalance  Name = "WalletBalance"
	DataBalance    Name = "DataBalance"
	FeeCapReached  Name = "FeeCapReached"
	FeePaid        Name = "FeePaid"
	DataFeePaid    Name = "DataFeePaid"
	SettleSeconds  Name = "SettleSeconds"
	StageSeconds   Name = "StageSeconds"
	QueueSeconds   Name = "QueueSeconds"
	AttemptSeconds Name = "AttemptSeconds"
	Attempts       Name = "Attempts"
	Failures       Name = "Failures"
	BatchesClosed  Name = "BatchesClosed"
	BatchBlocks    Name = "BatchBlocks"
	BatchFill      Name = "BatchFill"
	CallSeconds    Name = "CallSeconds"
	CallErrors     Name = "CallErrors"
	CacheReads     Name = "CacheReads"
	ProverSteps    Name = "ProverSteps"
	StoredBytes    Name = "StoredBytes"
	ColdStarts     Name = "ColdStarts"
	InitSeconds    Name = "InitSeconds"
)

// Kind says how values of a metric add up.
type Kind string

// Kinds of metrics.
const (
	Gauge     Kind = "gauge"     // the newest value counts
	Counter   Kind = "counter"   // the sum counts
	Histogram Kind = "histogram" // how the values are spread counts, and their number and sum
)

// Label keeps values of a metric apart.
type Label string

// The labels.
const (
	Stage     Label = "stage"
	Action    Label = "action"  // process or verify
	Outcome   Label = "outcome" // of an attempt
	Cause     Label = "cause"   // of a failure
	Service   Label = "service" // that was called
	Result    Label = "result"  // of a call or of a read of the cache
	Tier      Label = "tier"    // which cache was read
	Rule      Label = "rule"    // that closed a batch
	BatchKind Label = "kind"    // snos or aggregator
)

// Other is a label's value that is in no list.
const Other = "other"

// Outcomes of an attempt.
const (
	Submitted = "submitted"
	Verified  = "verified"
	Pending   = "pending"
	Watching  = "watching"
	Rejected  = "rejected"
	Lost      = "lost"
	Undone    = "undone"
	Transient = "transient" // failed, tried again by itself
	Permanent = "permanent" // failed, waits for an operator
	Panicked  = "panicked"
)

// Causes of failures.
const (
	Timeout    = "timeout"    // no answer in time
	Connection = "connection" // the service can't be reached
	Refused    = "refused"    // the service rejected the work
	Fees       = "fees"       // above the cap
	Funds      = "funds"      // the wallet can't pay
	Contract   = "contract"   // the contract refuses the call
	Artifact   = "artifact"   // a file is missing or corrupt
	Awaited    = "awaited"    // waits for a change that somebody else makes
	Crash      = "crash"      // a panic; an invocation that never came back can measure nothing
)

// Results of calls and of reads of the cache.
const (
	OK     = "ok"
	Failed = "error"
	Hit    = "hit"
	Miss   = "miss"
)

// Caches of chain reads.
const (
	Memory = "memory" // the process's own
	Redis  = "redis"  // the one behind it
)

// External services, by what they are to us.
const (
	AppChain        = "app chain"
	SettlementLayer = "settlement layer"
	SnosRunner      = "SNOS runner"
	Prover          = "prover"
	Database        = "database"
	Artifacts       = "artifacts" // S3
	Queues          = "queues"    // SQS
	Topic           = "topic"     // SNS
	Bus             = "bus"       // EventBridge
	Secrets         = "secrets"   // Secrets Manager
	Keys            = "keys"      // KMS
	Functions       = "functions" // Lambda
	Cache           = "cache"     // Redis
)

// Metric is one row of the table.
type Metric struct {
	Name   Name
	Kind   Kind
	Unit   string  // as UCUM has it, as OpenTelemetry wants: s, By, 1, or {what is counted}
	Labels []Label // that every value has
	Help   string
	// CloudWatch says that CloudWatch gets the metric too, where each costs money: by chain, and where Dimension is not
	// "" also by chain and that label.
	CloudWatch bool
	Dimension  Label
}

// table is every metric.
var table = []Metric{
	{HeadBlock, Gauge, "{block}", nil, "number of the app chain's newest block", true, ""},
	{SettledBlock, Gauge, "{block}", nil, "number of the last block that is settled", true, ""},
	{LagBlocks, Gauge, "{block}", nil, "blocks that are not settled", true, ""},
	{LagSeconds, Gauge, "s", nil, "age of the oldest block that is not settled", true, ""},
	{FailedJobs, Gauge, "{job}", nil, "jobs that wait for an operator", true, ""},
	{OverdueJobs, Gauge, "{job}", nil, "jobs whose action was due and that nobody took", true, ""},
	{WalletBalance, Gauge, "{unit}", nil, "what the wallet holds, in wei or fri", true, ""},
	{DataBalance, Gauge, "{wei}", nil, "L3: what the wallet that publishes on a layer of its own holds", true, ""},
	{FeeCapReached, Counter, "{time}", nil, "times that fees above the cap made a transaction wait", true, ""},
	{FeePaid, Counter, "{unit}", nil, "fees of settled batches, in wei or fri", true, ""},
	{DataFeePaid, Counter, "{wei}", nil, "L3: fees of publications on a layer of their own", false, ""},
	{SettleSeconds, Histogram, "s", nil, "from the first block of a batch to its settlement", true, ""},
	{StageSeconds, Histogram, "s", []Label{Stage}, "from the creation of a job to its completion", true, Stage},
	{QueueSeconds, Histogram, "s", []Label{Stage, Action}, "from when an action is due to when it is taken", false, ""},
	{AttemptSeconds, Histogram, "s", []Label{Stage, Action}, "how long an attempt works", false, ""},
	{Attempts, Counter, "{attempt}", []Label{Stage, Action, Outcome}, "attempts by outcome", false, ""},
	{Failures, Counter, "{failure}", []Label{Stage, Cause}, "failed attempts by cause", false, ""},
	{BatchesClosed, Counter, "{batch}", []Label{BatchKind, Rule}, "closed batches by closing rule", false, ""},
	{BatchBlocks, Histogram, "{block}", []Label{BatchKind}, "blocks of a closed batch", false, ""},
	{BatchFill, Histogram, "1", []Label{BatchKind}, "largest part that a closed batch has of a limit", false, ""},
	{CallSeconds, Histogram, "s", []Label{Service, Result}, "calls to external services: number, time, result", false,
		""},
	{CallErrors, Counter, "{call}", []Label{Service, Result}, "calls to external services that failed", true, Service},
	{CacheReads, Counter, "{read}", []Label{Tier, Result}, "reads of the caches of chain reads", false, ""},
	{ProverSteps, Counter, "{step}", nil, "Cairo steps of settled batches, by which provers charge", false, ""},
	{StoredBytes, Counter, "By", nil, "bytes of settled batches' artifacts", false, ""},
	{ColdStarts, Counter, "{start}", nil, "processes that began", true, ""},
	{InitSeconds, Histogram, "s", nil, "from the start of a process to when its function was ready", false, ""},
}

// All returns every metric.
func All() []Metric { return slices.Clone(table) }

// byName is the table for look-ups.
var byName = func() map[Name]*Metric {
	m := make(map[Name]*Metric, len(table))
	for i := range table {
		m[table[i].Name] = &table[i]
	}
	return m
}()

// Find returns the row of a metric; ok is false for a name that the table does not have.
func Find(n Name) (m Metric, ok bool) {
	p, ok := byName[n]
	if !ok {
		return Metric{}, false
	}
	return *p, true
}

// allowed are the values that each label may have, besides Other.
var allowed = map[Label][]string{
	Stage:   names(stage.Names()),
	Action:  {"process", "verify"},
	Outcome: {Submitted, Verified, Pending, Watching, Rejected, Lost, Undone, Transient, Permanent, Panicked},
	Cause:   {Timeout, Connection, Refused, Fees, Funds, Contract, Artifact, Awaited, Crash},
	Service: {AppChain, SettlementLayer, SnosRunner, Prover, Database, Artifacts, Queues, Topic, Bus, Secrets, Keys,
		Functions, Cache},
	Result:    {OK, Failed, Timeout, Hit, Miss},
	Tier:      {Memory, Redis},
	Rule:      names(batch.Reasons),
	BatchKind: {"snos", "aggregator"},
}

// Allowed returns the values that a label may have.
func Allowed(l Label) []string { return append(slices.Clone(allowed[l]), Other) }

func names[S ~string](in []S) []string {
	out := make([]string, 0, len(in))
	for _, s := range in {
		out = append(out, string(s))
	}
	return out
}

// Labels are a value's labels.
type Labels map[Label]string

// Value is one measurement.
type Value struct {
	Name   Name
	Value  float64
	Labels Labels
}

// closed returns the labels that the metric has, each with a value of its set: what else a program may say does not
// pass, as each new value would be a time series of its own.
func (v Value) closed(m *Metric) Labels {
	if len(m.Labels) == 0 {
		return nil
	}
	out := make(Labels, len(m.Labels))
	for _, l := range m.Labels {
		said := v.Labels[l]
		if !slices.Contains(allowed[l], said) {
			said = Other
		}
		out[l] = said
	}
	return out
}

// OpenTelemetry is the metric's name for OpenTelemetry, such as orchestrator.stage for StageSeconds: a unit is not a
// part of a name there.
func (m Metric) OpenTelemetry() string {
	name := string(m.Name)
	switch m.Unit {
	case "s":
		name = strings.TrimSuffix(name, "Seconds")
	case "By":
		name = strings.TrimSuffix(name, "Bytes")
	}
	var b strings.Builder
	b.WriteString("orchestrator.")
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
