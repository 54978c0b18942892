// Package config reads what a process is configured with from environment variables, and says everything that is wrong
// at once. Secrets are named here and read elsewhere (client/secrets): none is ever a value of a variable in the cloud.
package config

import (
	"fmt"
	"math/big"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// Prefix is what the names of all variables start with.
const Prefix = "ORCHESTRATOR_"

// Config is the whole configuration. Every function reads all of it, so that a contradiction shows in each; secrets are
// resolved only by the functions that use them.
//
// A setting is declared once, by a field here or in a struct below. Its comment is its meaning; the tags are its name
// (env, envPrefix), default (envDefault, default), unit, example, the kinds of secret that it names (secret, see
// resource.Secret), whether the stack sets it (set:"stack"), and whether it is the URL of a service that others run
// (url:"service"). docs/settings.md and what the stack knows of settings derive from them.
type Config struct {
	Chain      Chain      `envPrefix:"CHAIN_"`
	Heads      Heads      `envPrefix:"CHAIN_"`
	Mongo      Mongo      `envPrefix:"MONGO_"`
	AWS        AWS        `envPrefix:"AWS_"`
	Queue      Queue      `envPrefix:"QUEUE_"`
	Redis      Redis      `envPrefix:"REDIS_"`
	Settlement Settlement `envPrefix:"SETTLEMENT_"`
	DA         DA         `envPrefix:"DA_"`
	Prover     Prover     `envPrefix:"PROVER_"`
	Snos       Snos       `envPrefix:"SNOS_"`
	Batch      Batch      `envPrefix:"BATCH_"`
	API        API        `envPrefix:"API_"`
	OTLP       OTLP       `envPrefix:"OTLP_"`
	Links      Links      `envPrefix:"LINK_"`
	Schedules  Schedules  `envPrefix:"SCHEDULE_"`
	// Does everything but send transactions.
	DryRun bool `env:"DRY_RUN"`
	// Divides the delays between polls, for tests and development.
	Pace int `env:"PACE" envDefault:"1" unit:"factor" example:"20"`
	// How long documents of settled batches and their jobs stay in the database, at least 768h (32 days). Then they are
	// moved into files of the bucket (history/), which `make inspect` reads. 0s: they stay for ever.
	Retention time.Duration `env:"RETENTION" envDefault:"0s" unit:"duration" example:"2160h"`
	// Least level of log lines: debug, info, warn or error. Metrics, which alarms read in the log, are always there.
	LogLevel string `env:"LOG_LEVEL" envDefault:"info"`
}

// FromEnviron reads the configuration from lines KEY=value, as os.Environ gives them. The error is Faults with every
// fault.
func FromEnviron(environ []string) (Config, error) {
	var c Config
	variables := env.ToMap(environ)
	faults := misread(variables)
	for _, f := range faults { // the rest is read with defaults
		delete(variables, Prefix+f.Setting)
	}
	if err := env.ParseWithOptions(&c, env.Options{Prefix: Prefix, Environment: variables}); err != nil {
		return c, fmt.Errorf("read the configuration: %w", err)
	}
	faults = append(faults, c.faults()...)
	faults = append(faults, unknown(environ)...)
	if len(faults) > 0 {
		return c, faults
	}
	return c, nil
}

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)

// Limits are the closing rules as configured.
func (c Config) Limits() batch.Limits {
	l := batch.DefaultLimits()
	set(&l.SnosBlocks, c.Batch.SnosBlocks)
	set(&l.SnosAge, c.Batch.SnosAge)
	set(&l.Blocks, c.Batch.Blocks)
	set(&l.Age, c.Batch.Age)
	set(&l.SnosBatches, c.Batch.SnosBatches)
	set(&l.Blobs, c.Batch.Blobs)
	set(&l.InputSize, c.Batch.InputSize)
	set(&l.EmptyGas, c.Batch.EmptyGas)
	set(&l.BlocksPerRun, c.Batch.BlocksPerRun)
	l.BlobBuffer = c.Batch.BlobBuffer
	set(&l.SnosWeights.ProvingGas, c.Batch.ProvingGas)
	set(&l.SnosWeights.SierraGas, c.Batch.SierraGas)
	set(&l.SnosWeights.L1Gas, c.Batch.L1Gas)
	set(&l.SnosWeights.MessageSegmentLength, c.Batch.MessageLength)
	set(&l.SnosWeights.StateDiffSize, c.Batch.StateDiffSize)
	set(&l.SnosWeights.NEvents, c.Batch.Events)
	set(&l.SnosWeights.NTxs, c.Batch.Transactions)
	set(&l.SnosWeights.ReceiptL2Gas, c.Batch.ReceiptL2Gas)
	set(&l.Weights.L1Gas, c.Batch.L1Gas)
	set(&l.Weights.MessageSegmentLength, c.Batch.MessageLength)
	switch { // minus what the OS may add to the state diff, as for blobs
	case c.DA.Kind == EthereumDA:
		l.DAWords = l.Capacity()
		set(&l.DAWords, c.Batch.DAWords)
	case c.DA.Kind == NoDA:
		l.DAWords = c.Batch.DAWords
	case c.Settlement.Kind == StarknetLayer:
		l.DAWords = batch.CalldataWords - c.Batch.BlobBuffer
		set(&l.DAWords, c.Batch.DAWords)
	}
	if c.Chain.MaxBlock != nil {
		l.HasMaxBlock, l.MaxBlock = true, *c.Chain.MaxBlock
	}
	return l
}

// TxPolicy is how transactions on the settlement layer are priced, replaced and waited for, as configured.
func (c Config) TxPolicy() tx.Policy { return c.Settlement.TxPolicy() }

// TxPolicy is how a layer's transactions are priced, replaced and waited for.
func (s Settlement) TxPolicy() tx.Policy {
	p := tx.DefaultPolicy()
	if s.Kind == StarknetLayer {
		p = tx.StarknetPolicy()
	}
	set(&p.Confirmations, s.Confirmations)
	set(&p.ReplaceAfter, s.ReplaceAfter)
	if n, ok := new(big.Int).SetString(s.FeeCap, 10); ok {
		p.FeeCap = n
	}
	if n, ok := new(big.Int).SetString(s.MinTip, 10); ok {
		p.MinTip = n
	}
	set(&p.GasCap, s.GasCap)
	set(&p.InFlight, s.InFlight)
	set(&p.BlockBlobs, s.BlockBlobs)
	p.Target = tx.FeeTarget{Percentile: s.FeeTarget, Patience: s.FeePatience}
	return p
}

// maxInFlight is what geth's blob pool holds of an account (core/txpool/blobpool, maxTxsPerAccount).
const maxInFlight = 16

// Policies are how jobs are tried and polled, at the configured pace.
func (c Config) Policies() map[job.Type]job.Policy { return job.Paced(job.Policies(), c.Pace) }

func set[T comparable](to *T, v T) {
	var zero T
	if v != zero {
		*to = v
	}
}

// MinRetention is the least time that documents stay: the ledger by day looks 31 days back.
const MinRetention = 32 * 24 * time.Hour

// faults checks values and how they fit together.
func (c Config) faults() Faults {
	f := &faultList{}
	c.chainFaults(f)
	c.storeFaults(f)
	c.Queue.faults(f)
	c.settlementFaults(f)
	c.dataFaults(f)
	c.Snos.faults(f)
	c.Prover.faults(f, c.Chain.Layer, c.Settlement)
	c.Batch.faults(f)
	f.check(c.Pace >= 1 && c.Pace <= 1000, "PACE", "%d: want 1 to 1000", c.Pace)
	f.check(c.Retention == 0 || c.Retention >= MinRetention, "RETENTION", "%s: want 0s, or at least %s: the ledger "+
		"looks back as far", c.Retention, MinRetention)
	c.nameFaults(f)
	c.plainFaults(f)
	c.OTLP.faults(f)
	c.Links.faults(f)
	c.Schedules.faults(f)
	f.oneOf("LOG_LEVEL", c.LogLevel, "debug", "info", "warn", "error")
	return f.faults
}

// chainFaults checks the app chain.
func (c Config) chainFaults(f *faultList) {
	f.check(namePattern.MatchString(c.Chain.Name), "CHAIN_NAME",
		"%q: want 1 to 31 of a-z, 0-9 and -, beginning with a letter", c.Chain.Name)
	f.check(c.Chain.Layer == stage.L2 || c.Chain.Layer == stage.L3, "CHAIN_LAYER", "%q: want l2 or l3", c.Chain.Layer)
	f.check(c.Chain.ID != "" && len(c.Chain.ID) <= 31, "CHAIN_ID", "%q: want the chain's id, such as SN_SEPOLIA",
		c.Chain.ID)
	f.node("CHAIN_RPC", c.Chain.RPC, c.Chain.RPCSecret, true)
	f.node("CHAIN_BACKUP_RPC", c.Chain.BackupRPC, c.Chain.BackupRPCSecret, false)
	c.Heads.faults(f)
	f.url("CHAIN_FEEDER_GATEWAY", c.Chain.FeederGateway, false)
	f.felt("CHAIN_FEE_TOKEN_ADDRESS", c.Chain.FeeTokenAddress)
	f.felt("CHAIN_ETH_FEE_TOKEN_ADDRESS", c.Chain.EthFeeTokenAddress)
	for _, k := range c.Chain.DAPublicKeys {
		f.felt("CHAIN_DA_PUBLIC_KEYS", k)
	}
}

// storeFaults checks where documents, artifacts, alerts and cached reads are kept.
func (c Config) storeFaults(f *faultList) {
	f.check((c.Mongo.URI == "") != (c.Mongo.URISecret == ""), "MONGO_URI_SECRET",
		"give either it or MONGO_URI, not both or none")
	f.check(!strings.Contains(c.Mongo.URI, "@"), "MONGO_URI",
		"it carries credentials: put the whole URI into a secret and name that in MONGO_URI_SECRET")
	f.check(c.Mongo.PoolSize >= 1 && c.Mongo.PoolSize <= 100, "MONGO_POOL_SIZE", "%d: want 1 to 100", c.Mongo.PoolSize)
	f.url("AWS_ENDPOINT", c.AWS.Endpoint, false)
	f.check(c.AWS.Bucket != "", "AWS_BUCKET", "missing: the artifacts bucket's name")
	f.check(c.AWS.TopicARN != "", "AWS_TOPIC_ARN", "missing: the alerts topic's ARN")
	f.check(c.AWS.Bus != "", "AWS_BUS", "missing: the event bus's name")
	f.check(c.Redis.URL == "" || c.Redis.URLSecret == "", "REDIS_URL_SECRET", "give either it or REDIS_URL, not both")
}

// settlementFaults checks the settlement layer and the wallet on it.
func (c Config) settlementFaults(f *faultList) {
	s := c.Settlement
	f.check(s.Beacon+s.BeaconSecret == "" || s.Kind == EthereumLayer, "SETTLEMENT_BEACON",
		"it belongs to Ethereum: what is published on Starknet is read back without it")
	f.check(s.Contract != "", "SETTLEMENT_CONTRACT", "missing: the core contract's address")
	s.walletFaults(f, "SETTLEMENT_")
	s.kindFaults(f, c.Chain.Layer)
	s.feeFaults(f)
	f.check(s.FirstBatch >= 1, "SETTLEMENT_FIRST_BATCH", "0: batches count from 1")
}

// walletFaults checks nodes and wallet of a layer, whose settings begin with prefix.
func (s Settlement) walletFaults(f *faultList, prefix string) {
	f.nodes(prefix+"RPC", s.Nodes(), s.RPCSecret)
	f.node(prefix+"BEACON", s.Beacon, s.BeaconSecret, false)
	f.check(s.Explorer == "" || strings.HasPrefix(s.Explorer, "https://") || strings.HasPrefix(s.Explorer, "http://"),
		prefix+"EXPLORER", "want a URL to which a transaction's hash is appended, such as https://etherscan.io/tx/")
	f.check(s.ChainID != "", prefix+"CHAIN_ID", "missing: the layer's chain id")
	keys := 0
	for _, k := range []string{s.KeySecret, s.KeyFile, s.KMSKey} {
		if k != "" {
			keys++
		}
	}
	f.check(keys == 1, prefix+"KEY_SECRET", "give one of it, %[1]sKEY_FILE and %[1]sKMS_KEY; %[2]d are given", prefix,
		keys)
	f.oneOf(prefix+"SIDECAR", s.Sidecar, "", "auto", "v0", "v1")
	if s.FeeCap != "" {
		n, ok := new(big.Int).SetString(s.FeeCap, 10)
		f.check(ok && n.Sign() > 0, prefix+"FEE_CAP", "%q: want a positive decimal number of wei (fri)", s.FeeCap)
	}
	if s.MinTip != "" {
		n, ok := new(big.Int).SetString(s.MinTip, 10)
		f.check(ok && n.Sign() > 0 && n.IsUint64(), prefix+"MIN_TIP",
			"%q: want a positive decimal number of wei (fri) for a unit of gas", s.MinTip)
	}
	f.check(s.InFlight >= 1 && s.InFlight <= maxInFlight, prefix+"IN_FLIGHT", "%d: want 1 to %d", s.InFlight,
		maxInFlight)
	f.check(s.BlockBlobs >= 0, prefix+"BLOCK_BLOBS", "%d: want a positive number", s.BlockBlobs)
}

func (c Batch) faults(f *faultList) {
	f.check(c.Blobs >= 0 && c.Blobs <= 9, "BATCH_BLOBS", "%d: want 1 to 9, or 0 for the default",
		c.Blobs)
	f.check(c.BlobBuffer >= 0 && c.BlobBuffer < batch.WordsPerBlob, "BATCH_BLOB_BUFFER",
		"%d: want 0 to 4095 words", c.BlobBuffer)
	f.check(c.L1Gas <= batch.MaxL1Gas, "BATCH_MAX_L1_GAS",
		"%d: want at most %d, or state updates would not fit in a transaction",
		c.L1Gas, batch.MaxL1Gas)
	f.check(c.DAWords >= 0, "BATCH_MAX_DA_WORDS", "%d: want a number of words, or 0 for the default",
		c.DAWords)
	f.check(c.Window >= 1, "BATCH_WINDOW", "0: no job would ever be created")
}

var (
	secretName = regexp.MustCompile(`^(file:[^\x00-\x1f]+|[A-Za-z0-9/_+=.@:-]{1,512}(#[A-Za-z0-9_.-]{1,100})?)$`)
	hexKey     = regexp.MustCompile(`^(0x)?[0-9a-fA-F]{32,}$`)
)

// nameFaults refuses what looks like a secret where the name of one belongs: it would be shown in errors and by AWS.
func (c Config) nameFaults(f *faultList) {
	each(reflect.ValueOf(c), "", func(setting Setting, value reflect.Value) {
		if len(setting.Secrets) == 0 {
			return
		}
		v := value.String()
		ok := v == "" || secretName.MatchString(v) && !hexKey.MatchString(v) &&
			(strings.HasPrefix(v, "file:") || !strings.Contains(v, "://"))
		f.check(ok, setting.Name, "this looks like a secret value (not shown): put the value into Secrets Manager "+
			"and give the secret's name here")
	})
	for name, file := range map[string]string{"SETTLEMENT_KEY_FILE": c.Settlement.KeyFile,
		"DA_KEY_FILE": c.DA.KeyFile} {
		f.check(!hexKey.MatchString(file), name,
			"this looks like a key (not shown): give the path of a file that holds it")
	}
}

type faultList struct{ faults Faults }

func (f *faultList) check(ok bool, name, format string, args ...any) {
	if !ok {
		f.faults = append(f.faults, Fault{name, fmt.Sprintf(format, args...)})
	}
}

func (f *faultList) url(name, value string, required bool) {
	if value == "" {
		f.check(!required, name, "missing: want a URL")
		return
	}
	u, err := url.Parse(value)
	f.check(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "", name, "not an http or https URL")
}

// node checks the URL of a node that is given in plain or as the name of a secret.
func (f *faultList) node(name, plain, secret string, required bool) {
	f.check(plain == "" || secret == "", name+"_SECRET", "give either it or %s, not both", name)
	if plain == "" && secret == "" {
		f.check(!required, name, "missing: want a URL here, or in %s_SECRET the name of a secret that holds it", name)
	}
	f.url(name, plain, false)
}

// nodes checks the URLs of a layer's nodes, given in plain or as the name of a secret.
func (f *faultList) nodes(name string, plain []string, secret string) {
	f.node(name, first(plain), secret, true)
	f.check(len(plain) <= MaxNodes, name, "%d URLs: want 1 to %d", len(plain), MaxNodes)
	for i, u := range plain {
		if i > 0 {
			f.url(name, u, false)
		}
		f.check(!slices.Contains(plain[:i], u), name, "URL %d is there before: give each node once", i+1)
	}
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}

// felt wants a felt in hex that is not 0.
func (f *faultList) felt(name, value string) {
	v, err := felt.FromHex(value)
	f.check(err == nil && !v.IsZero(), name, "%.80q: want a felt in hex such as 0x4718f5a0…, not 0", value)
}

func (f *faultList) oneOf(name, value string, allowed ...string) {
	for _, a := range allowed {
		if value == a {
			return
		}
	}
	f.check(false, name, "%q: want one of %q", value, allowed)
}

// unknown names variables with our prefix that mean nothing: most are misspelt.
func unknown(environ []string) Faults {
	known, names := map[string]bool{}, []string{}
	for _, setting := range Settings() {
		known[Prefix+setting.Name] = true
		names = append(names, setting.Name)
	}
	var out Faults
	for _, line := range environ {
		name, _, _ := strings.Cut(line, "=")
		if strings.HasPrefix(name, Prefix) && !known[name] && !known[strings.TrimSuffix(name, "_")] && !reserved[name] {
			short := strings.TrimPrefix(name, Prefix)
			hint := renamed[name]
			if nearest := Nearest(short, names); hint == "" && nearest != "" {
				hint = "; did you mean " + nearest + "?"
			}
			out = append(out, Fault{short, "no such setting" + hint})
		}
	}
	return out
}

// renamed says what took the place of settings of earlier versions.
var renamed = map[string]string{
	Prefix + "PROVER_ATLANTIC_DA_PUBLIC_KEYS": ": it is CHAIN_DA_PUBLIC_KEYS now, as SNOS is given the keys too",
	Prefix + "SETTLEMENT_ARGUMENTS":           ": it is read from the class of the core contract; remove it",
	Prefix +
		"CHAIN_CONFIG_HASH": ": it is computed from CHAIN_ID, CHAIN_FEE_TOKEN_ADDRESS and CHAIN_DA_PUBLIC_KEYS; " +
		"remove it",
	Prefix + "CHAIN_MIN_STARKNET_VERSION": ": it had no effect; remove it",
	Prefix + "CHAIN_MAX_STARKNET_VERSION": ": it had no effect; remove it",
}

// reserved are variables of tests and tools that share the prefix.
var reserved = map[string]bool{Prefix + "DATA": true, Prefix + "REQUIRE_TOOLS": true}
