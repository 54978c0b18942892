package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/controller/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
	"github.com/madara-orchestrator/orchestrator/shared/simulation"
)

// Prices in USD: AWS's public list for us-east-1 as of 2025, without its free tier. Check them before you rely on a
// sum.
const (
	lambdaRequest    = 0.20 / 1e6
	lambdaGBSecond   = 0.0000133334 // arm64
	lambdaGBSecond86 = 0.0000166667 // x86_64
	sqsRequest       = 0.40 / 1e6
	s3Write          = 0.005 / 1e3 // PUT, LIST, tags
	s3Read           = 0.0004 / 1e3
	s3GBMonth        = 0.023
	busEvent         = 1.00 / 1e6
	schedulerFiring  = 1.00 / 1e6
	logGB            = 0.50
	metricMonth      = 0.30 // "prorated by the hour and metered only when you send" (aws.amazon.com/cloudwatch/pricing)
	alarmMonth       = 0.10
	dashboardMonth   = 3.00
	secretMonth      = 0.40
	kmsKeyMonth      = 1.00
	kmsSignature     = 0.15 / 1e4
	apiRequest       = 1.00 / 1e6
)

const hoursOfMonth = 730

// Lambda's event source mappings ask each queue in up to five long polls of 20 seconds at a time, also where nothing
// comes.
const (
	pollers   = 5
	longPolls = 3600 / 20 // an hour
)

// platformBytes is what Lambda itself logs of an invocation: START, END and REPORT.
const platformBytes = 400

// metrics are how many time series CloudWatch gets in an hour, by which it charges: Reconcile's, which says each minute
// how things are, cold starts (a function that nobody needs is started again after some hours), and with blocks what
// was logged. Series of calls that fail come on top, while they fail.
func (m Model) metrics(rate float64) float64 {
	series := map[string]bool{string(metric.ColdStarts): true}
	for _, row := range metric.All() {
		own := row.Name == metric.DataBalance // of a second wallet, which only an L3 with DA_KIND ethereum has
		if row.CloudWatch && row.Kind == metric.Gauge && !own {
			series[string(row.Name)] = true
		}
	}
	if rate > 0 {
		maps.Copy(series, m.Series)
	}
	return float64(len(series))
}

// secrets is how many a chain with a prover has: database, wallet, prover, and what the settings want besides.
func (m Model) secrets() float64 {
	n := 3.0
	if m.WalletKMS {
		n--
	}
	if m.Reports { // the webhooks' URL
		n++
	}
	if m.Kafka { // the brokers' login
		n++
	}
	return n
}

// settledDays is how long a PIE, which is nearly all of a batch's bytes, waits for its batch to be settled for good and
// for the day's end, at which S3 removes what has expired. Then come Assumptions.WorkDays.
const settledDays = 1

// seconds is how long a call takes at a component, in the same region where it is AWS's: what an invocation's time is
// made of.
var seconds = map[string]float64{
	"jobs": 0.004, "batches": 0.004, "locks": 0.004, "controls": 0.004, "paces": 0.004, "rewinds": 0.004,
	"queues": 0.010, "artifacts": 0.030, "events": 0.015, "alerts": 0.015, "blocks": 0.050, "l1": 0.080,
	"prover": 0.200, "runner": 0.080,
}

// Beyond calls: proving blobs of a settlement (the Go library's start and 6 blobs), and moving a PIE to the prover, a
// MB.
const (
	settlementSeconds = 8
	transferMBSeconds = 0.08
)

// mongoMonth is the price of an Atlas cluster that bears so many operations a second: M10 at 0.08 an hour shares its
// cores, M30 at 0.54 has its own.
func mongoMonth(operations float64) float64 {
	if operations <= 200 {
		return 0.08 * hoursOfMonth
	}
	return 0.54 * hoursOfMonth
}

// Item is a row of the table.
type Item struct {
	Name string  `json:"name"`
	USD  float64 `json:"usd"`
}

// mongoItem is the row of the database.
const mongoItem = "MongoDB (Atlas M10; M30 where it is busy)"

// Month prices a month at a rate of blocks a second.
func (m Model) Month(rate float64) []Item {
	c := m.hour(rate)
	month := func(perHour float64) float64 { return perHour * hoursOfMonth }
	calls := c.calls
	invocations := 0.0
	for _, n := range c.Invocations {
		invocations += n
	}
	fired := m.schedules() + c.Invocations[resource.FnHeads]
	messages := calls("queues", "Send") + c.Received
	if m.Kafka {
		messages = 0
	}
	gbSecond := lambdaGBSecond
	if m.X86 {
		gbSecond = lambdaGBSecond86
	}
	runs := c.Runs
	writes := calls("artifacts", "Put", "PutNew", "Tag", "List", "Delete") + 6*runs // a run writes its artifacts
	reads := calls("artifacts") - calls("artifacts", "Put", "PutNew", "Tag", "List", "Delete")
	items := []Item{
		{"Lambda", month(invocations*lambdaRequest + m.gbSeconds(c)*gbSecond)},
		{"SQS: the mappings' polls", month(float64(m.polled())*pollers*longPolls) * sqsRequest},
		{"SQS: messages", month(messages * sqsRequest)},
		{"S3: requests", month(writes*s3Write + reads*s3Read)},
		{"S3: artifacts", runs * 24 * m.keptDays() * m.PIE / 1000 * s3GBMonth},
		{"EventBridge", month(calls("events")*busEvent + fired*schedulerFiring)},
		{"CloudWatch: logs", month((c.LogBytes+platformBytes*invocations)/1e9) * logGB},
		{"CloudWatch: metrics, alarms, dashboard",
			m.metrics(rate)*metricMonth + float64(m.alarms())*alarmMonth + dashboardMonth},
		{"Secrets Manager", m.secrets() * secretMonth},
		{mongoItem, mongoMonth(c.operations() / 3600)},
	}
	if m.WalletKMS {
		items = append(items, Item{"KMS", kmsKeyMonth + month(calls("l1", "Sign"))*kmsSignature})
	}
	if m.Reports {
		items = append(items, Item{"HTTP API: webhooks", month(c.Invocations[resource.FnHooks]) * apiRequest})
	}
	return items
}

// hour is what is done in an hour at a rate of blocks a second. Blocks that come faster than one a second share the
// wake-ups of heads.
func (m Model) hour(rate float64) Count {
	return m.Idle.plus(m.PerBlock, rate*3600).plus(m.PerHead, min(rate, 1)*3600)
}

// calls are those of a component, or only those of some of its methods.
func (c Count) calls(component string, methods ...string) (n float64) {
	for k, v := range c.Calls {
		if k.Component == component && (len(methods) == 0 || slices.Contains(methods, k.Method)) {
			n += v
		}
	}
	return n
}

// operations are those of the database.
func (c Count) operations() (n float64) {
	for _, collection := range []string{"jobs", "batches", "locks", "controls", "paces", "rewinds", "reports"} {
		n += c.calls(collection)
	}
	return n
}

// keptDays is how long a PIE stays.
func (m Model) keptDays() float64 { return settledDays + float64(m.WorkDays) }

// atOnce is how many records of one event a function works on at the same time, on average: it waits for them together.
func (c Count) atOnce(function string) float64 {
	records := c.Calls[simulation.Call{Function: function, Component: "jobs", Method: "Get"}]
	return max(1, records/max(c.Invocations[function], 1e-9))
}

// gbSeconds is the functions' time in an hour, weighed with their memory.
func (m Model) gbSeconds(c Count) float64 {
	sum := 0.0
	for _, f := range resource.Functions() {
		t := 0.0
		for k, n := range c.Calls {
			if k.Function != f.Name {
				continue
			}
			t += n * seconds[k.Component] / c.atOnce(f.Name)
			if k.Component == "prover" && strings.HasPrefix(k.Method, "Submit") {
				t += n * m.PIE * transferMBSeconds
			}
			if k.Component == "l1" && k.Method == "Sign" {
				t += n * settlementSeconds
			}
		}
		if f.Name == resource.FnHeads { // it listens as long as it may
			t = c.Invocations[f.Name] * (f.Timeout - event.ListenMargin).Seconds()
		}
		sum += t * float64(f.MemoryMB) / 1024
	}
	return sum
}

func (m Model) queues() (out []resource.Queue) {
	for _, q := range resource.Queues() {
		if slices.Contains(q.Layers, m.Layer) {
			out = append(out, q)
		}
	}
	return out
}

// polled is how many queues the mappings poll. With Kafka one of SQS is left, the schedules' dead letters.
func (m Model) polled() int {
	if m.Kafka {
		return 1
	}
	return len(m.queues())
}

// schedules is how many schedules fire in an hour.
func (m Model) schedules() (n float64) {
	for _, every := range resource.Intervals(m.Layer, m.Intervals) {
		n += 1 / every.Hours()
	}
	return n
}

// alarms is how many alarms a stack has: eight of the chain, one for each queue other than the dead-letter queue, with
// Kafka for each function that has topics, and three a function; heads, which always takes its time, has two.
func (m Model) alarms() int {
	watched := map[string]bool{}
	for _, q := range m.queues() {
		if m.Kafka {
			watched[q.Function] = true
		} else if q.Name != resource.DeadLetterQueue {
			watched[q.Name] = true
		}
	}
	n := 8 + len(watched)
	for _, f := range resource.Functions() {
		if slices.Contains(f.Layers, m.Layer) && (!f.Optional || f.Name == resource.FnHeads && m.Heads) {
			n += 3
			if f.Name == resource.FnHeads {
				n--
			}
		}
	}
	return n
}

// Describe says what the table rests on.
func (m Model) Describe(rate float64) string {
	c := m.hour(rate)
	total := func(c Count) (n float64) {
		for _, v := range c.Invocations {
			n += v
		}
		return n
	}
	batches := fmt.Sprintf("SNOS batches of %d blocks", m.SnosBlocks)
	if m.Layer == "l2" {
		batches += fmt.Sprintf(" and aggregator batches of %d", m.Blocks)
	}
	return fmt.Sprintf("%s; a SNOS run takes %s, a proof %s, a PIE has %v MB and stays %v days. %.0f invocations an "+
		"hour idle, %.0f at %v block/s.",
		batches, m.Run, m.Proof, m.PIE, m.keptDays(), total(m.Idle), total(c), rate)
}
