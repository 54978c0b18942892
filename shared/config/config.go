// Package config reads what a process is configured with from environment variables, and says everything that is wrong at
// once. Secrets are named here and read elsewhere (client/secrets): none is ever a value of a variable in the cloud.
package config

import (
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"regexp"
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
type Config struct {
	Chain Chain `envPrefix:"CHAIN_"`
	Mongo Mongo `envPrefix:"MONGO_"`
	AWS   AWS   `envPrefix:"AWS_"`
	Redis Redis `envPrefix:"REDIS_"`

	Settlement Settlement `envPrefix:"SETTLEMENT_"`
	Prover     Prover     `envPrefix:"PROVER_"`
	Snos       Snos       `envPrefix:"SNOS_"`
	Batch      Batch      `envPrefix:"BATCH_"`
	API        API        `envPrefix:"API_"`
	DryRun     bool       `env:"DRY_RUN"`
	// Pace divides the pauses between polls, for tests and development; 1 is the cloud's.
	Pace     int    `env:"PACE" envDefault:"1"`
	LogLevel string `env:"LOG_LEVEL" envDefault:"info"`
}

// Chain is the app chain.
type Chain struct {
	Name            string      `env:"NAME"`  // of the deployment: prefix of all cloud names
	Layer           stage.Layer `env:"LAYER"` // l2 or l3
	ID              string      `env:"ID"`    // the chain's own id, such as SN_SEPOLIA
	RPC             string      `env:"RPC"`
	BackupRPC       string      `env:"BACKUP_RPC"`
	FeederGateway   string      `env:"FEEDER_GATEWAY"`
	FirstBlock      uint64      `env:"FIRST_BLOCK"` // 0: the one after the core contract's; another one is refused
	MaxBlock        *uint64     `env:"MAX_BLOCK"`
	ConfigHash      string      `env:"CONFIG_HASH" envDefault:"0x0"`
	FeeTokenAddress string      `env:"FEE_TOKEN_ADDRESS"`
}

// Mongo is the database.
type Mongo struct {
	URI       string `env:"URI"`        // where it carries no password
	URISecret string `env:"URI_SECRET"` // name of the secret that is the URI, or a DocumentDB cluster's login as AWS keeps it
	CAFile    string `env:"CA_FILE"`    // PEM certificates of the only authorities that are trusted; "": the system's
	Database  string `env:"DATABASE"`
	PoolSize  uint64 `env:"POOL_SIZE" envDefault:"2"`
}

// AWS names what the stack made. Queues are named by Physical(Chain.Name, ...).
type AWS struct {
	Endpoint string `env:"ENDPOINT"` // of an emulator; "" for AWS
	Bucket   string `env:"BUCKET"`
	TopicARN string `env:"TOPIC_ARN"`
	Bus      string `env:"BUS"`
}

// Redis is the optional cache of chain reads.
type Redis struct {
	URL string `env:"URL"`
}

// Settlement is the layer that the chain settles on, and the wallet.
type Settlement struct {
	Kind          string        `env:"KIND" envDefault:"ethereum"` // ethereum or starknet
	RPC           string        `env:"RPC"`
	ChainID       string        `env:"CHAIN_ID"` // decimal on Ethereum, short string on Starknet
	Contract      string        `env:"CONTRACT"`
	Verifier      string        `env:"VERIFIER"`      // fact registry
	KeySecret     string        `env:"KEY_SECRET"`    // name of the secret that is the private key
	KeyFile       string        `env:"KEY_FILE"`      // instead: a file
	KMSKey        string        `env:"KMS_KEY"`       // instead: id of a KMS key
	Account       string        `env:"ACCOUNT"`       // Starknet: the account contract that the key controls
	Arguments     string        `env:"ARGUMENTS"`     // Starknet: what update_state takes: data (default) or outputs
	FeeToken      string        `env:"FEE_TOKEN"`     // Starknet: the fee token's contract; "" is STRK
	DataContract  string        `env:"DATA_CONTRACT"` // Starknet: whom publications call; "" is the account
	DataFunction  string        `env:"DATA_FUNCTION"` // Starknet: its function (felt, Array<felt252>); "" is is_valid_signature
	Sidecar       string        `env:"SIDECAR"`       // auto, v0, v1
	FeeCapWei     string        `env:"FEE_CAP"`       // decimal, smallest unit
	Confirmations uint64        `env:"CONFIRMATIONS"` // 0: the default
	ReplaceAfter  time.Duration `env:"REPLACE_AFTER"` // 0: the default
	FirstBatch    uint64        `env:"FIRST_BATCH" envDefault:"1"`
}

// Batch are the closing rules. Zero values mean the defaults of batch.DefaultLimits.
type Batch struct {
	SnosBlocks  uint64        `env:"SNOS_BLOCKS"`
	SnosAge     time.Duration `env:"SNOS_AGE"`
	Blocks      uint64        `env:"BLOCKS"`
	Age         time.Duration `env:"AGE"`
	SnosBatches int           `env:"SNOS_BATCHES"`
	Blobs       int           `env:"BLOBS"`
	BlobBuffer  int           `env:"BLOB_BUFFER" envDefault:"15"`
	InputSize   int           `env:"INPUT_SIZE"`
	// The sums of bouncer weights that close a SNOS batch; L1Gas and MessageLength close an aggregator batch too.
	ProvingGas    uint64 `env:"MAX_PROVING_GAS"`
	SierraGas     uint64 `env:"MAX_SIERRA_GAS"`
	L1Gas         uint64 `env:"MAX_L1_GAS"`
	MessageLength uint64 `env:"MAX_MESSAGE_SEGMENT_LENGTH"`
	StateDiffSize uint64 `env:"MAX_STATE_DIFF_SIZE"`
	Events        uint64 `env:"MAX_EVENTS"`
	Transactions  uint64 `env:"MAX_TRANSACTIONS"`
	ReceiptL2Gas  uint64 `env:"MAX_RECEIPT_L2_GAS"`
	DAWords       int    `env:"MAX_DA_WORDS"` // L3
	EmptyGas      uint64 `env:"EMPTY_BLOCK_PROVING_GAS"`
	Window        uint64 `env:"WINDOW" envDefault:"50"`
	BlocksPerRun  int    `env:"BLOCKS_PER_RUN"`
}

// API is the HTTP function.
type API struct {
	Admin bool `env:"ADMIN"` // admin routes
}

// FromEnviron reads the configuration from lines KEY=value, as os.Environ gives them. The error lists every fault.
func FromEnviron(environ []string) (Config, error) {
	var c Config
	err := env.ParseWithOptions(&c, env.Options{Prefix: Prefix, Environment: env.ToMap(environ)})
	var all env.AggregateError
	faults := []error{}
	if errors.As(err, &all) {
		faults = append(faults, all.Errors...)
	} else if err != nil {
		faults = append(faults, err)
	}
	faults = append(faults, c.faults()...)
	faults = append(faults, unknown(environ)...)
	if len(faults) > 0 {
		return c, fmt.Errorf("configuration has %d faults:\n%w", len(faults), errors.Join(faults...))
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
	if c.Settlement.Kind == StarknetLayer { // minus what the OS may add to the state diff, as for blobs
		l.DAWords = batch.CalldataWords - c.Batch.BlobBuffer
		set(&l.DAWords, c.Batch.DAWords)
	}
	if c.Chain.MaxBlock != nil {
		l.HasMaxBlock, l.MaxBlock = true, *c.Chain.MaxBlock
	}
	return l
}

// TxPolicy is how transactions are priced, replaced and waited for, as configured.
func (c Config) TxPolicy() tx.Policy {
	p := tx.DefaultPolicy()
	if c.Settlement.Kind == StarknetLayer {
		p = tx.StarknetPolicy()
	}
	set(&p.Confirmations, c.Settlement.Confirmations)
	set(&p.ReplaceAfter, c.Settlement.ReplaceAfter)
	if n, ok := new(big.Int).SetString(c.Settlement.FeeCapWei, 10); ok {
		p.FeeCap = n
	}
	return p
}

// Policies are how jobs are tried and polled, at the configured pace.
func (c Config) Policies() map[job.Type]job.Policy { return job.Paced(job.Policies(), c.Pace) }

func set[T comparable](to *T, v T) {
	var zero T
	if v != zero {
		*to = v
	}
}

// faults checks values and how they fit together.
func (c Config) faults() []error {
	f := &faultList{}
	f.check(namePattern.MatchString(c.Chain.Name), "CHAIN_NAME", "%q: want 1 to 31 of a-z, 0-9 and -, beginning with a letter", c.Chain.Name)
	f.check(c.Chain.Layer == stage.L2 || c.Chain.Layer == stage.L3, "CHAIN_LAYER", "%q: want l2 or l3", c.Chain.Layer)
	f.check(c.Chain.ID != "" && len(c.Chain.ID) <= 31, "CHAIN_ID", "%q: want the chain's id, such as SN_SEPOLIA", c.Chain.ID)
	f.url("CHAIN_RPC", c.Chain.RPC, true)
	f.url("CHAIN_BACKUP_RPC", c.Chain.BackupRPC, false)
	f.url("CHAIN_FEEDER_GATEWAY", c.Chain.FeederGateway, false)
	_, err := felt.FromHex(c.Chain.ConfigHash)
	f.check(err == nil, "CHAIN_CONFIG_HASH", "%q: want a hex felt", c.Chain.ConfigHash)
	f.check((c.Mongo.URI == "") != (c.Mongo.URISecret == ""), "MONGO_URI_SECRET", "give either it or MONGO_URI, not both or none")
	f.check(!strings.Contains(c.Mongo.URI, "@"), "MONGO_URI", "it carries credentials: put the whole URI into a secret and name that in MONGO_URI_SECRET")
	f.check(c.Mongo.PoolSize >= 1 && c.Mongo.PoolSize <= 100, "MONGO_POOL_SIZE", "%d: want 1 to 100", c.Mongo.PoolSize)
	f.url("AWS_ENDPOINT", c.AWS.Endpoint, false)
	f.check(c.AWS.Bucket != "", "AWS_BUCKET", "missing: the artifacts bucket's name")
	f.check(c.AWS.TopicARN != "", "AWS_TOPIC_ARN", "missing: the alerts topic's ARN")
	f.check(c.AWS.Bus != "", "AWS_BUS", "missing: the event bus's name")
	f.url("SETTLEMENT_RPC", c.Settlement.RPC, true)
	f.check(c.Settlement.ChainID != "", "SETTLEMENT_CHAIN_ID", "missing: the settlement layer's chain id")
	f.check(c.Settlement.Contract != "", "SETTLEMENT_CONTRACT", "missing: the core contract's address")
	c.Settlement.kindFaults(f, c.Chain.Layer)
	keys := 0
	for _, k := range []string{c.Settlement.KeySecret, c.Settlement.KeyFile, c.Settlement.KMSKey} {
		if k != "" {
			keys++
		}
	}
	f.check(keys == 1, "SETTLEMENT_KEY_SECRET", "give one of it, SETTLEMENT_KEY_FILE and SETTLEMENT_KMS_KEY; %d are given", keys)
	f.oneOf("SETTLEMENT_SIDECAR", c.Settlement.Sidecar, "", "auto", "v0", "v1")
	if c.Settlement.FeeCapWei != "" {
		n, ok := new(big.Int).SetString(c.Settlement.FeeCapWei, 10)
		f.check(ok && n.Sign() > 0, "SETTLEMENT_FEE_CAP", "%q: want a positive decimal number of wei (fri)", c.Settlement.FeeCapWei)
	}
	f.check(c.Settlement.FirstBatch >= 1, "SETTLEMENT_FIRST_BATCH", "0: batches count from 1")
	c.Snos.faults(f)
	c.Prover.faults(f, c.Chain.Layer, c.Settlement)
	f.check(c.Batch.Blobs >= 0 && c.Batch.Blobs <= 9, "BATCH_BLOBS", "%d: want 1 to 9, or 0 for the default", c.Batch.Blobs)
	f.check(c.Batch.BlobBuffer >= 0 && c.Batch.BlobBuffer < batch.WordsPerBlob, "BATCH_BLOB_BUFFER", "%d: want 0 to 4095 words", c.Batch.BlobBuffer)
	f.check(c.Batch.L1Gas <= batch.MaxL1Gas, "BATCH_MAX_L1_GAS", "%d: want at most %d, or state updates would not fit in a transaction",
		c.Batch.L1Gas, batch.MaxL1Gas)
	f.check(c.Batch.DAWords >= 0, "BATCH_MAX_DA_WORDS", "%d: want a number of words, or 0 for the default", c.Batch.DAWords)
	f.check(c.Batch.Window >= 1, "BATCH_WINDOW", "0: no job would ever be created")
	f.check(c.Pace >= 1 && c.Pace <= 1000, "PACE", "%d: want 1 to 1000", c.Pace)
	c.nameFaults(f)
	f.oneOf("LOG_LEVEL", c.LogLevel, "debug", "info", "warn", "error")
	return f.errs
}

var (
	secretName = regexp.MustCompile(`^(file:[^\x00-\x1f]+|[A-Za-z0-9/_+=.@:-]{1,512}(#[A-Za-z0-9_.-]{1,100})?)$`)
	hexKey     = regexp.MustCompile(`^(0x)?[0-9a-fA-F]{32,}$`)
)

// nameFaults refuses what looks like a secret where the name of one belongs: it would be shown in errors and by AWS.
func (c Config) nameFaults(f *faultList) {
	for name, v := range map[string]string{
		"MONGO_URI_SECRET": c.Mongo.URISecret, "SETTLEMENT_KEY_SECRET": c.Settlement.KeySecret, "SNOS_TOKEN_SECRET": c.Snos.TokenSecret,
		"SNOS_CA_SECRET":    c.Snos.CASecret,
		"PROVER_KEY_SECRET": c.Prover.KeySecret, "PROVER_ATLANTIC_HOOK_SECRET": c.Prover.Atlantic.HookSecret,
		"PROVER_SHARP_CLIENT_CERT_SECRET": c.Prover.Sharp.ClientCertSecret, "PROVER_SHARP_CLIENT_KEY_SECRET": c.Prover.Sharp.ClientKeySecret,
		"PROVER_SHARP_SERVER_CERT_SECRET": c.Prover.Sharp.ServerCertSecret,
	} {
		ok := v == "" || secretName.MatchString(v) && !hexKey.MatchString(v) && (strings.HasPrefix(v, "file:") || !strings.Contains(v, "://"))
		f.check(ok, name, "it is no secret's name and looks like a secret itself (so it is not shown): put the value into Secrets Manager and its name here")
	}
	f.check(!hexKey.MatchString(c.Settlement.KeyFile), "SETTLEMENT_KEY_FILE", "it looks like a key itself (so it is not shown): want the path of a file that holds it")
}

type faultList struct{ errs []error }

func (f *faultList) check(ok bool, name, format string, args ...any) {
	if !ok {
		f.errs = append(f.errs, fmt.Errorf("%s%s: %s", Prefix, name, fmt.Sprintf(format, args...)))
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

func (f *faultList) oneOf(name, value string, allowed ...string) {
	for _, a := range allowed {
		if value == a {
			return
		}
	}
	f.check(false, name, "%q: want one of %q", value, allowed)
}

// unknown names variables with our prefix that mean nothing: most are misspelt.
func unknown(environ []string) []error {
	known := map[string]bool{}
	if params, err := env.GetFieldParamsWithOptions(&Config{}, env.Options{Prefix: Prefix}); err == nil {
		for _, p := range params {
			known[p.Key] = true
		}
	}
	var errs []error
	for _, line := range environ {
		name, _, _ := strings.Cut(line, "=")
		if strings.HasPrefix(name, Prefix) && !known[name] && !known[strings.TrimSuffix(name, "_")] && !reserved[name] {
			errs = append(errs, fmt.Errorf("%s: no such setting", name))
		}
	}
	return errs
}

// reserved are variables of tests and tools that share the prefix.
var reserved = map[string]bool{Prefix + "DATA": true, Prefix + "REQUIRE_TOOLS": true}
