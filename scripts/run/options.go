package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/madara-orchestrator/orchestrator/shared/client/atlantic"
	"github.com/madara-orchestrator/orchestrator/shared/client/kafka"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devethereum "github.com/madara-orchestrator/orchestrator/shared/dev/ethereum"
	fakeatlantic "github.com/madara-orchestrator/orchestrator/shared/dev/fake/atlantic"
	fakesharp "github.com/madara-orchestrator/orchestrator/shared/dev/fake/sharp"
	fakestarknet "github.com/madara-orchestrator/orchestrator/shared/dev/fake/starknet"
	devoptions "github.com/madara-orchestrator/orchestrator/shared/dev/options"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

// options are what the user may choose. Zero values mean the embedded default.
type options struct {
	blocks    int    // how many blocks of the development chain
	recording string // instead: recorded state updates
	seed      uint64
	layer     stage.Layer
	speed     float64 // blocks a second; 0: all are there from the start
	perBatch  uint64  // blocks of an aggregator batch
	perSnos   uint64  // blocks of a SNOS batch
	version   string  // Starknet version of the blocks; "": the newest, or 0.13.5 for recorded ones
	snos      string
	prover    string
	settle    string // ethereum or starknet; "": by layer
	contract  string // form of the core contract on Starknet
	da        string // where an L3's data go: settlement, ethereum or none
	api       string // address to serve status page and API on
	dryRun    bool
	inFlight  int           // transactions of the wallet on their way at a time; 0: the default
	backlog   bool          // settle only once all batches are ready
	blockTime time.Duration // of the embedded settlement layer
	latency   time.Duration // of requests to the fake of Starknet
	timeout   time.Duration
	limited   bool // the user gave -timeout
	json      bool // the result goes to stdout as JSON, everything else to stderr
	fail      failure
	verbose   bool
	keep      bool      // the bucket that a run made in the emulator stays
	notes     io.Writer // for what can't be returned as an error
	otlp      string    // URL of an OpenTelemetry collector

	atlantic func(*fakeatlantic.Config, *atlantic.Config) // tests: what the fake is to do, and how it is asked
	sharp    func(*fakesharp.Config)
	started  func(any) // tests: the fake

	mongo, redis, aws, queue, ethereum, ethereumKey, starknet, websocket string // URLs of real parts

	core, verifier string // addresses of contracts that exist
	daEthereum     string // URL of the Ethereum that gets an L3's data; "": an embedded one
}

// recordedVersion is the Starknet version of recorded blocks where none is given: that of batch 8373665.
const recordedVersion = "0.13.5"

// Settlement layers.
const (
	ethereumLayer = "ethereum"
	starknetLayer = "starknet"
)

// parse reads the command line. It has printed what is wrong, or the help, when it returns an error.
func parse(args []string, out io.Writer) (options, error) {
	var o options
	var blocks, layer, fail string
	fs := o.flags(out, &blocks, &layer, &fail)
	o.notes = out
	if err := devoptions.Parse(fs, "run", args, os.Environ()); err != nil {
		return o, err
	}
	fs.Visit(func(f *flag.Flag) { o.limited = o.limited || f.Name == "timeout" })
	o.layer = stage.Layer(layer)
	if o.settle == "" {
		o.settle = ethereumLayer
		if o.layer == stage.L3 && o.ethereum == "" {
			o.settle = starknetLayer
		}
	}
	var wrong error
	o.fail, wrong = parseFailure(fail)
	err := errors.Join(wrong, o.setBlocks(blocks))
	if o.version == "" {
		if o.version = version.Newest(); o.recording != "" {
			o.version = recordedVersion
		}
	}
	err = errors.Join(err, o.validate(fs.Args()))
	if err != nil {
		fmt.Fprintln(out, err)
	}
	return o, err
}

// flags are the options of the command line; blocks, layer and fail get those that are looked at afterwards.
func (o *options) flags(out io.Writer, blocks, layer, fail *string) *flag.FlagSet {
	fs := flag.NewFlagSet("run", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.Usage = func() {
		fmt.Fprint(out, "Carry an app chain's blocks through every stage to a settled state, on this machine.\n\n  "+
			"make run [BLOCKS=N|PATH] [SEED=N] [LAYER=l2|l3] [SETTLE=ethereum|starknet] "+
			"[CONTRACT=data|outputs|snos|input] [DA=settlement|ethereum|none] [VERSION=0.14.2] [SPEED=N] "+
			"[SNOS=http|grpc|batch] [PROVER=atlantic|sharp] [DRY_RUN=1] [FAIL=prover@3|runner|l1|mongo] [API=ADDRESS] "+
			"[OTLP=URL] [MONGO=URL] [QUEUE=kafka://HOST:PORT] ...\n\nOptions of the program itself:\n")
		fs.PrintDefaults()
	}
	fs.StringVar(blocks, "blocks", "36",
		"number of blocks, or a path of recorded state updates (folder, JSON or tar.gz)")
	fs.Uint64Var(&o.seed, "seed", 1, "seed of the development chain: the same seed gives the same blocks")
	fs.StringVar(layer, "layer", "l2", "l2 (settles on Ethereum) or l3 (settles on Starknet)")
	fs.Float64Var(&o.speed, "speed", 0, "blocks a second that the chain makes; 0: all at once")
	fs.Uint64Var(&o.perBatch, "batch", 0, "blocks of an aggregator batch; 0: a third of the blocks, at most 100")
	fs.Uint64Var(&o.perSnos, "snos-batch", 0, "blocks of a SNOS batch; 0: a third of a batch, at most 10")
	fs.StringVar(&o.version, "starknet-version", "",
		"Starknet version of the blocks that the development chain makes, or of recorded ones, "+
			"which do not say it; default: "+version.Newest()+", recorded ones "+recordedVersion)
	fs.StringVar(&o.snos, "snos", devRunner,
		"dev (in this process), or http, grpc or batch: the real client against a server of the same runner")
	fs.StringVar(&o.prover, "prover", "mock", "mock, or atlantic or sharp: the real client with a fake of the service")
	fs.StringVar(&o.settle, "settle", "",
		"ethereum or starknet; default: ethereum for an l2, a fake of Starknet for an l3")
	fs.StringVar(&o.contract, "contract", "",
		"form of the core contract on the fake of Starknet: data (default), outputs, snos or input")
	fs.StringVar(&o.da, "da", config.SettlementDA, "where an l3's data are published: settlement (on the settlement "+
		"layer), ethereum (in blobs, on an embedded node or that of -da-ethereum) or none")
	fs.StringVar(&o.daEthereum, "da-ethereum", "", "`URL` of a development node such as anvil that gets the blobs")
	fs.BoolVar(&o.dryRun, "dry-run", false, "do everything but send transactions")
	fs.IntVar(&o.inFlight, "in-flight", 0,
		"transactions of the wallet that may wait for a block at a time; 0: the default")
	fs.BoolVar(&o.backlog, "backlog", false,
		"settle only once all batches are ready, and say how many a block of the settlement layer took")
	fs.DurationVar(&o.blockTime, "block-time", blockTime, "time between blocks of the embedded settlement layer")
	fs.DurationVar(&o.latency, "latency", 0, "how long each request to the fake of Starknet takes at least")
	fs.DurationVar(&o.timeout, "timeout", 5*time.Minute, "give up after; with -api the default is never")
	fs.BoolVar(&o.json, "json", false, "print the result as JSON to stdout, and everything else to stderr")
	fs.StringVar(fail, "fail", "",
		"break something, to practise being on call: prover@3 (the third proof is refused once), runner, l1 or mongo "+
			"(down for "+outageTime.String()+"); with -api the run goes on, and you can act")
	fs.StringVar(&o.api, "api", "",
		"serve status page and API on this loopback address, such as 127.0.0.1:8080, and go on until interrupted")
	fs.StringVar(&o.otlp, "otlp", "",
		"send metrics and traces to the OpenTelemetry collector at this URL, such as http://127.0.0.1:4318")
	fs.BoolVar(&o.verbose, "v", false, "log what the functions log")
	o.realParts(fs)
	return fs
}

// realParts are the options that name real services in the place of embedded ones.
func (o *options) realParts(fs *flag.FlagSet) {
	fs.StringVar(&o.mongo, "mongo", "", "URI of a real MongoDB")
	fs.StringVar(&o.redis, "redis", "", "URL of a real Redis for chain reads")
	fs.StringVar(&o.aws, "aws", "", "endpoint of an AWS emulator: queues, artifacts, alerts and events go there")
	fs.BoolVar(&o.keep, "keep", false, "with -aws: bucket and topic stay when the run ends")
	fs.StringVar(&o.queue, "queue", "",
		"URL of Kafka's brokers, kafka://host:port[,host:port...]: the queues are topics there, made for this run")
	fs.StringVar(&o.ethereum, "ethereum", "",
		"URL of a real Ethereum node such as anvil; the contracts are deployed on it")
	fs.StringVar(&o.ethereumKey, "ethereum-key", "",
		"file with the private key (hex) of a funded account there; default: anvil's first")
	fs.StringVar(&o.core, "core", "", "with -ethereum and -verifier: settle on the core contract at this "+
		"address, which make deploy-contracts made for operator "+devethereum.Address(devethereum.Keys[2]).Hex())
	fs.StringVar(&o.verifier, "verifier", "",
		"its development fact registry, made for registrar "+devethereum.Address(devethereum.Keys[1]).Hex())
	fs.StringVar(&o.starknet, "starknet", "", "URL of a real Starknet node to read blocks from, 0 up to -blocks")
	fs.StringVar(&o.websocket, "websocket", "",
		"with -starknet: URL (ws or wss) where that node announces new blocks: batching need not wait for its schedule")
}

func (o *options) setBlocks(v string) error {
	if n, err := strconv.Atoi(v); err == nil {
		if n < 1 || n > 100_000 {
			return fmt.Errorf("-blocks %d: want 1 to 100000", n)
		}
		o.blocks = n
		return nil
	}
	if _, err := os.Stat(v); err != nil {
		return fmt.Errorf("-blocks %q: neither a number nor a path that can be read: %w", v, err)
	}
	o.recording = v
	return nil
}

// validateLayer says what is wrong with the layer and where it settles.
func (o *options) validateLayer() (errs []error) {
	if o.layer != stage.L2 && o.layer != stage.L3 {
		errs = append(errs, fmt.Errorf("-layer %q: want l2 or l3", o.layer))
	}
	if o.settle != ethereumLayer && o.settle != starknetLayer {
		errs = append(errs, fmt.Errorf("-settle %q: want ethereum or starknet", o.settle))
	}
	if o.settle == starknetLayer && (o.layer == stage.L2 || o.ethereum != "") {
		errs = append(errs,
			errors.New("-settle starknet: it is for -layer l3 without -ethereum; an l2 settles on Ethereum"))
	}
	if o.contract != "" &&
		(o.settle != starknetLayer || !slices.Contains(fakestarknet.Forms(), fakestarknet.Form(o.contract))) {
		errs = append(errs, fmt.Errorf("-contract %q: want one of %q, for an l3 that settles on Starknet", o.contract,
			fakestarknet.Forms()))
	}
	if !slices.Contains([]string{config.SettlementDA, config.EthereumDA, config.NoDA}, o.da) ||
		o.da != config.SettlementDA && (o.layer != stage.L3 || o.settle != starknetLayer) {
		errs = append(errs, fmt.Errorf("-da %q: want settlement, or for an l3 that settles on Starknet ethereum or "+
			"none", o.da))
	}
	if o.daEthereum != "" && o.da != config.EthereumDA {
		errs = append(errs, errors.New("-da-ethereum: it belongs to -da ethereum"))
	}
	return errs
}

// validate names everything that is wrong.
func (o *options) validate(rest []string) error {
	var errs []error
	if _, err := version.Check(o.version); err != nil {
		errs = append(errs, fmt.Errorf("-starknet-version: %w", err))
	}
	if len(rest) > 0 {
		errs = append(errs, fmt.Errorf("unexpected arguments %q", rest))
	}
	errs = append(errs, o.validateLayer()...)
	if o.inFlight < 0 || o.inFlight > 16 {
		errs = append(errs, fmt.Errorf("-in-flight %d: want 0 to 16", o.inFlight))
	}
	if o.blockTime <= 0 {
		errs = append(errs, fmt.Errorf("-block-time %s: want a positive time", o.blockTime))
	}
	if o.latency < 0 || o.latency > 0 && o.settle != starknetLayer {
		errs = append(errs, fmt.Errorf("-latency %s: want a positive time, for an l3 that settles on Starknet",
			o.latency))
	}
	if o.speed < 0 || o.speed > 1000 {
		errs = append(errs, fmt.Errorf("-speed %v: want 0 to 1000 blocks a second", o.speed))
	}
	if !slices.Contains([]string{devRunner, config.HTTPRunner, config.GRPCRunner, config.BatchRunner}, o.snos) {
		errs = append(errs, fmt.Errorf("-snos %q: want dev, http, grpc or batch", o.snos))
	}
	if !slices.Contains([]string{"mock", "atlantic", "sharp"}, o.prover) {
		errs = append(errs, fmt.Errorf("-prover %q: want mock, atlantic or sharp", o.prover))
	}
	if o.prover == "sharp" && o.layer == stage.L3 {
		errs = append(errs,
			errors.New("-prover sharp: it proves for Ethereum only, and an l3 settles on Starknet; use atlantic"))
	}
	if o.queue != "" {
		if _, err := kafka.ParseURL(o.queue); err != nil {
			errs = append(errs, fmt.Errorf("-queue: %w", err))
		}
	}
	if o.websocket != "" && (o.starknet == "" || config.CheckWebsocket(o.websocket) != nil) {
		errs = append(errs, errors.New("-websocket: want a ws or wss URL of the node that -starknet names"))
	}
	for name, a := range map[string]string{"-core": o.core, "-verifier": o.verifier} {
		if (a != "" || o.core+o.verifier != "") && (!common.IsHexAddress(a) || o.ethereum == "") {
			errs = append(errs, fmt.Errorf("%s %.80q: want the addresses 0x.. of both -core and -verifier, on "+
				"the chain of -ethereum", name, a))
		}
	}
	if o.fail.what == failMongo && o.mongo != "" {
		errs = append(errs, errors.New("-fail mongo: it breaks the stores of this run; stop your mongod instead"))
	}
	if o.recording != "" && o.starknet != "" {
		errs = append(errs, errors.New("-starknet and a recording: give one of them"))
	}
	return errors.Join(errs...)
}

// sizes fills in the batch sizes for a number of blocks. A recording is one batch, as it was on its chain, unless blobs
// or the number of SNOS batches close it earlier.
func (o *options) sizes(total int) {
	switch {
	case o.perBatch != 0:
	case o.recording != "":
		o.perBatch = uint64(total)
	default:
		o.perBatch = uint64(min(max((total+2)/3, 1), 100))
	}
	if o.perSnos == 0 {
		o.perSnos = min(max((o.perBatch+2)/3, 1), 10)
	}
}
