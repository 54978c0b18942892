package atlantic

import "github.com/madara-orchestrator/orchestrator/shared/client/atlantic/settings"

// What a client is made of, see package settings.
type (
	Config           = settings.Config
	AggregatorParams = settings.AggregatorParams
	Routes           = settings.Routes
)

// Values of Config.
const (
	Mainnet = settings.Mainnet
	Testnet = settings.Testnet

	Ethereum = settings.Ethereum
	Starknet = settings.Starknet

	TraceGeneration       = settings.TraceGeneration
	ProofGeneration       = settings.ProofGeneration
	VerificationOnL1      = settings.VerificationOnL1
	VerificationOnL2      = settings.VerificationOnL2
	VerificationOnL2Trans = settings.VerificationOnL2Trans

	RegisterProof = settings.RegisterProof
	RegisterPIE   = settings.RegisterPIE
)

const none = settings.None
