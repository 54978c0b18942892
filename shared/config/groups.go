package config

import (
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
)

// Chain is the app chain.
type Chain struct {
	// Name of the deployment, with which all names in the cloud begin: 1 to 31 of a-z, 0-9 and -.
	Name string `env:"NAME" set:"stack" example:"mychain"`
	// Where the chain settles: l2 (on Ethereum, with blobs) or l3 (with calldata). Required.
	Layer stage.Layer `env:"LAYER" set:"stack" example:"l2"`
	// The chain's own id, a short string of at most 31 characters. Required.
	ID string `env:"ID" example:"SN_SEPOLIA"`
	// URL of the chain's node (JSON-RPC). Give it or RPC_SECRET.
	RPC string `env:"RPC" url:"service" example:"https://rpc.mychain.example"`
	// The secret that is that URL, if it holds a key.
	RPCSecret string `env:"RPC_SECRET" secret:"chain" example:"mychain/node"`
	// URL of a second node, which is asked if the first one can't be used.
	BackupRPC string `env:"BACKUP_RPC" url:"service" example:"https://backup.mychain.example"`
	// The secret that is that URL, if it holds a key.
	BackupRPCSecret string `env:"BACKUP_RPC_SECRET" secret:"chain" example:"mychain/backup-node"`
	// URL of the feeder gateway of the node that produces the chain's blocks: that node alone has their bouncer
	// weights, a full node answers 500. Unset: weights are estimated from receipts and state updates, with the blocks'
	// L2 gas as proving gas; set the limits BATCH_MAX_* with a margin then.
	FeederGateway string `env:"FEEDER_GATEWAY" url:"service" example:"https://gateway.mychain.example"`
	// First block that this deployment settles. 0: the block after the core contract's. A block that contradicts the
	// contract is refused.
	FirstBlock uint64 `env:"FIRST_BLOCK" unit:"block" example:"1200"`
	// Last block that is batched. Unset: all.
	MaxBlock *uint64 `env:"MAX_BLOCK" unit:"block" example:"5000"`
	// Address of the token STRK on the chain. The config hash is computed from it, ID, ETH_FEE_TOKEN_ADDRESS and
	// DA_PUBLIC_KEYS; SNOS and the prover are given it too. The default is the address on Starknet.
	FeeTokenAddress string `env:"FEE_TOKEN_ADDRESS" envDefault:"0x4718f5a0fc34cc1af16a1cdee98ffb20c31f5cd61d6ab07201858f4287c938d"`
	// Address of the token ETH on the chain. The default is the address on Starknet.
	EthFeeTokenAddress string `env:"ETH_FEE_TOKEN_ADDRESS" envDefault:"0x49d36570d4e46f48e99674bd3fcc84644ddd6b96f7c741b1562b82f9e004dc7"`
	// Public keys of the data availability committee, hex, with commas between them. Unset: state diffs are not
	// encrypted.
	DAPublicKeys []string `env:"DA_PUBLIC_KEYS" example:"0x1f2…,0x3a4…"`
}

// Mongo is the database.
type Mongo struct {
	// URI of the database, where it has no password. Give it or URI_SECRET.
	URI string `env:"URI" example:"mongodb://127.0.0.1:27017"`
	// The secret that is the URI, or a DocumentDB cluster's login as AWS keeps it.
	URISecret string `env:"URI_SECRET" secret:"mongo" example:"mychain/mongo"`
	// File with the PEM certificates of the only authorities that are trusted. Unset: the system's.
	CAFile string `env:"CA_FILE" set:"stack" example:"/var/task/rds-ca.pem"`
	// Name of the database. Unset: orchestrator_ and the deployment's name.
	Database string `env:"DATABASE" example:"orchestrator_mychain"`
	// Most connections of one process.
	PoolSize uint64 `env:"POOL_SIZE" envDefault:"2" unit:"connections"`
}

// AWS is what the stack made. Queues are named by the deployment's name.
type AWS struct {
	// URL of an AWS emulator. Unset: AWS.
	Endpoint string `env:"ENDPOINT" set:"stack" example:"http://127.0.0.1:4566"`
	// Name of the artifacts bucket. Required.
	Bucket string `env:"BUCKET" set:"stack" example:"mychain-artifacts"`
	// ARN of the alerts topic. Required.
	TopicARN string `env:"TOPIC_ARN" set:"stack" example:"arn:aws:sns:eu-west-1:123456789012:mychain-alerts"`
	// Name of the event bus. Required.
	Bus string `env:"BUS" set:"stack" example:"mychain"`
}

// Redis is the optional cache of chain reads behind the functions' own.
type Redis struct {
	// URL of a Redis that the functions share, behind the cache that each has in memory. rediss is TLS, with a
	// certificate of an authority that systems trust, as ElastiCache's. Unset: none.
	URL string `env:"URL" url:"service" example:"redis://127.0.0.1:6379"`
	// The secret that is that URL, if it holds a password.
	URLSecret string `env:"URL_SECRET" secret:"chain" example:"mychain/redis"`
}

// Batch is the closing rules and the pace of batching. 0 means the default.
type Batch struct {
	// Most blocks of a SNOS batch.
	SnosBlocks uint64 `env:"SNOS_BLOCKS" unit:"blocks" example:"50"`
	// Age at which a SNOS batch closes.
	SnosAge time.Duration `env:"SNOS_AGE" unit:"duration" example:"10m"`
	// L2: most blocks of an aggregator batch.
	Blocks uint64 `env:"BLOCKS" unit:"blocks" example:"500"`
	// L2: age at which an aggregator batch closes.
	Age time.Duration `env:"AGE" unit:"duration" example:"30m"`
	// L2: most SNOS batches of an aggregator batch.
	SnosBatches int `env:"SNOS_BATCHES" unit:"SNOS batches" example:"20"`
	// L2: most blobs of a state update, 1 to 9.
	Blobs int `env:"BLOBS" unit:"blobs" example:"6"`
	// L2: words that are kept free in the blobs, for what the prover adds.
	BlobBuffer int `env:"BLOB_BUFFER" envDefault:"15" unit:"words"`
	// L2: largest input of the aggregator program.
	InputSize int `env:"INPUT_SIZE" unit:"felts" example:"500000"`
	// Sum of the blocks' proving gas that closes a SNOS batch. This limit and the seven below are bouncer weights; the
	// defaults are the reference's production values (README, Limits).
	ProvingGas uint64 `env:"MAX_PROVING_GAS" unit:"gas" example:"5000000000"`
	// Sum of Sierra gas that closes a SNOS batch.
	SierraGas uint64 `env:"MAX_SIERRA_GAS" unit:"gas" example:"4000000000"`
	// Sum of L1 gas that closes a SNOS batch, and on an L2 an aggregator batch.
	L1Gas uint64 `env:"MAX_L1_GAS" unit:"gas" example:"4400000"`
	// Sum of message words that closes a SNOS batch, and on an L2 an aggregator batch.
	MessageLength uint64 `env:"MAX_MESSAGE_SEGMENT_LENGTH" unit:"words" example:"3700"`
	// Sum of state diff sizes that closes a SNOS batch.
	StateDiffSize uint64 `env:"MAX_STATE_DIFF_SIZE" unit:"words" example:"24556"`
	// Number of events that closes a SNOS batch.
	Events uint64 `env:"MAX_EVENTS" unit:"events" example:"50000"`
	// Number of transactions that closes a SNOS batch.
	Transactions uint64 `env:"MAX_TRANSACTIONS" unit:"transactions" example:"10000"`
	// Sum of the receipts' L2 gas that closes a SNOS batch.
	ReceiptL2Gas uint64 `env:"MAX_RECEIPT_L2_GAS" unit:"gas" example:"2500000000"`
	// L3: DA words that close a SNOS batch. 0: what one transaction carries.
	DAWords int `env:"MAX_DA_WORDS" unit:"words" example:"4994"`
	// Proving gas of a block for which the node says 0.
	EmptyGas uint64 `env:"EMPTY_BLOCK_PROVING_GAS" unit:"gas" example:"1500000"`
	// How many batches above the oldest unfinished one a stage may have jobs for.
	Window uint64 `env:"WINDOW" envDefault:"50" unit:"batches"`
	// Most blocks that one run of a batching worker reads; the next run follows at once.
	BlocksPerRun int `env:"BLOCKS_PER_RUN" unit:"blocks" example:"200"`
}

// API is the HTTP API.
type API struct {
	// Serves commands: retry, process, verify, pause, resume, requeue, close, rewind, subscribers.
	Admin bool `env:"ADMIN" set:"stack"`
	// Scopes, with commas between them, of which a token (JWT) that gives a command must have one. Unset: any token
	// may.
	CommandScopes []string `env:"COMMAND_SCOPES" set:"stack" example:"orchestrator/commands"`
}

// OTLP is the OpenTelemetry collector that gets metrics and traces. CloudWatch has the most important metrics without
// it.
type OTLP struct {
	// URL of the collector (OTLP over HTTP, without /v1/traces). Unset: none.
	Endpoint string `env:"ENDPOINT" url:"service" example:"https://otlp.mychain.example:4318"`
	// The secret that is the headers which the collector wants, as lines NAME: VALUE.
	HeadersSecret string `env:"HEADERS_SECRET" secret:"telemetry" example:"mychain/otlp"`
}

func (o OTLP) faults(f *faultList) {
	f.url("OTLP_ENDPOINT", o.Endpoint, false)
	f.check(o.HeadersSecret == "" || o.Endpoint != "", "OTLP_HEADERS_SECRET",
		"it is for a collector: name one in OTLP_ENDPOINT")
}
