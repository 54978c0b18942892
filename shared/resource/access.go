package resource

import (
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
)

// Secret names what a function may need the value of. Settings name the secrets themselves.
type Secret string

// Secrets.
const (
	MongoSecret  Secret = "mongo"  // the database's URI
	ChainSecret  Secret = "chain"  // URLs of the app chain's nodes and of the cache, where they hold keys
	LayerSecret  Secret = "layer"  // the URL of the settlement layer's node, where it holds a key
	FactsSecret  Secret = "facts"  // the same, for provers that look for facts or register them
	WalletSecret Secret = "wallet" // the key that settles, if it is not a KMS key
	DataSecret   Secret = "data"   // URLs of the nodes of a layer of its own that data are published on
	// DataWalletSecret is the key that publishes there, if it is not a KMS key.
	DataWalletSecret Secret = "datawallet"
	ProverSecret     Secret = "prover" // registrar's key, API key or certificates
	RunnerSecret     Secret = "runner" // the SNOS runner's token
	HookSecret       Secret = "hook"   // what the prover's webhooks carry, and the key to ask it about them
	QueueSecret      Secret = "queue"  // what Kafka's brokers know the functions by
	// headers with which telemetry is sent
	TelemetrySecret Secret = "telemetry"
)

// Access is what a function may do beyond being invoked and writing its log. Everything else is denied.
type Access struct {
	// Consumes and Sends are names of queues.
	Consumes, Sends []string
	// Reads and Writes are prefixes of artifact keys; "" is none, and All is every key. Tags: may mark objects to
	// expire and delete them.
	Reads, Writes []string
	Lists, Tags   bool
	Links         []string // prefixes of artifact keys to which it gives out links, where settings allow any
	Secrets       []Secret
	Signs         bool     // with the wallet's KMS key, where there is one
	SignsData     bool     // with the KMS key of the wallet that publishes on a layer of its own, where there is one
	Watches       bool     // asks for the public part of the wallet's KMS key, where there is one
	WatchesData   bool     // likewise of the one that publishes
	Pings         []string // queues that it looks for without sending
	Invokes       []string // functions
	Publishes     bool     // alerts and events
	Looks         bool     // whether topic and bus are there, and who gets the alerts
	Subscribes    bool     // changes who gets the alerts
	Schedules     bool     // looks at the schedules and changes them
	Runs          bool     // starts and follows SNOS runs
}

// Prefixes of artifact keys, as package artifact makes them.
const (
	SnosArtifacts       = "snos/"
	AggregatorArtifacts = "aggregator/"
	SignedTransactions  = artifact.Transactions
)

// AccessOf is what a function may do.
func AccessOf(function string) Access {
	a := Access{Secrets: []Secret{MongoSecret, TelemetrySecret, QueueSecret}, Publishes: true}
	for _, q := range Queues() {
		if q.Function == function {
			a.Consumes = append(a.Consumes, q.Name)
		}
	}
	for _, s := range stages() {
		if FunctionOf(s.Name) == function { // its own next action, and the trigger of what follows
			a.Sends = []string{Route(s.Name, job.Process, false), Route(s.Name, job.Verify, false), TriggerQueue}
		}
	}
	all := []string{SnosArtifacts, AggregatorArtifacts, SignedTransactions}
	switch function {
	case FnSnosRun:
		a.Reads, a.Runs = []string{SnosArtifacts}, true
		a.Secrets = append(a.Secrets, RunnerSecret)
	case FnProofCreation, FnProofRegistration:
		a.Reads, a.Writes = []string{SnosArtifacts}, []string{SnosArtifacts}
		a.Secrets = append(a.Secrets, ProverSecret, FactsSecret)
	case FnAggregator:
		a.Reads, a.Writes, a.Runs = []string{SnosArtifacts, AggregatorArtifacts}, []string{AggregatorArtifacts}, true
		a.Secrets = append(a.Secrets, ProverSecret, FactsSecret, RunnerSecret)
	case FnDataSubmission, FnStateTransition:
		a.Reads, a.Writes, a.Signs = all, []string{SignedTransactions}, true
		a.Secrets = append(a.Secrets, WalletSecret, LayerSecret, ChainSecret) // of blocks to compare with
		if function == FnDataSubmission {                                     // of which Publishing leaves one or none
			a.Secrets, a.SignsData = append(a.Secrets, DataSecret, DataWalletSecret), true
		}
	case FnTrigger:
		a.Sends = allQueues()
		a.Reads, a.Writes, a.Lists, a.Tags = all, []string{AggregatorArtifacts, artifact.History}, true, true
		a.Secrets = append(a.Secrets, ProverSecret, ChainSecret, LayerSecret)
		a.Schedules = true
		for _, s := range stages() {
			a.Invokes = append(a.Invokes, FunctionOf(s.Name))
		}
	case FnJobFailure:
		a.Sends = allQueues()
	case FnAPI: // /ready looks at everything that settles; commands wake jobs and workers
		a.Sends, a.Lists, a.Watches, a.Looks, a.Subscribes = allQueues(), true, true, true, true
		a.Links = []string{SnosArtifacts, AggregatorArtifacts}
		a.Secrets = append(a.Secrets, ChainSecret, LayerSecret, DataSecret)
		a.WatchesData = true
		for _, x := range Asks() { // with secrets that the API does not read
			a.Invokes = append(a.Invokes, x.Function)
		}
	case FnHeads: // it reads no document: a new block wakes batching, and that is all
		a.Sends, a.Publishes = []string{TriggerQueue}, false
		a.Secrets = []Secret{ChainSecret, TelemetrySecret, QueueSecret}
	case FnHooks: // a webhook wakes what waits at the SNOS runner or the prover
		for _, t := range []job.Type{job.SnosRun, job.ProofCreation, job.ProofRegistration, job.Aggregator} {
			a.Sends = append(a.Sends, Route(t, job.Verify, false))
		}
		a.Secrets = append(a.Secrets, HookSecret)
	}
	return a
}

// Asked is an external service that /ready asks a function about, which alone has the secrets for it.
type Asked struct{ Service, Function string }

// Asks are all of them.
func Asks() []Asked {
	return []Asked{{metric.SnosRunner, FnSnosRun}, {metric.Prover, FnProofCreation}}
}

// Checking says whether /ready asks a function.
func Checking(function string) bool {
	return slices.ContainsFunc(Asks(), func(a Asked) bool { return a.Function == function })
}

// WithoutCommands is what the API may do where it serves no commands: it reads.
func (a Access) WithoutCommands() Access {
	a.Sends, a.Publishes, a.Subscribes, a.Pings = nil, false, false, []string{TriggerQueue}
	return a
}

// Without is the same without secrets that the settings leave no use for.
func (a Access) Without(unused ...Secret) Access {
	a.Secrets = slices.DeleteFunc(slices.Clone(a.Secrets), func(s Secret) bool { return slices.Contains(unused, s) })
	return a
}

// Publishing is what the function that publishes data may do where that is not on the settlement layer: on a layer of
// its own, with that layer's wallet alone, or nowhere, with none.
func (a Access) Publishing(own bool) Access {
	a.Signs, a.SignsData = false, own
	if a = a.Without(WalletSecret, LayerSecret); own {
		return a
	}
	return a.Without(DataSecret, DataWalletSecret)
}

// allQueues are the names of the queues that wake-ups go to.
func allQueues() []string {
	var out []string
	for _, q := range Queues() {
		if q.Name != DeadLetterQueue {
			out = append(out, q.Name)
		}
	}
	return slices.Clip(out)
}
