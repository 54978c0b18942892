package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/ethereum/go-ethereum/common"

	"github.com/madara-orchestrator/orchestrator/shared/client/ethereum"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	devethereum "github.com/madara-orchestrator/orchestrator/shared/dev/ethereum"
	devoptions "github.com/madara-orchestrator/orchestrator/shared/dev/options"
	"github.com/madara-orchestrator/orchestrator/shared/dev/report"
	"github.com/madara-orchestrator/orchestrator/shared/dev/snosrunner"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

// options are what the user chose, with what the settings say where no option does.
type options struct {
	rpc, env, chainRPC  string
	secret              string // the deployer's key, in hex
	config              config.Config
	chainID             string // of the app chain
	version             string // Starknet version; "": of the next block, or the newest
	program, aggregator felt.Felt
	operator, registrar common.Address // zero: the deployer
	core, verifier      target
	settled             *uint64
	fund                *big.Int // wei that the operator gets; nil: none
	another             bool
	mainnet             bool
	dryRun, json        bool
	timeout             time.Duration
}

// target is a contract: one that exists, or an artifact; neither: the development contract.
type target struct {
	at       common.Address
	artifact *devethereum.Artifact
}

func (t target) exists() bool { return t.at != common.Address{} }

// texts are options as they are typed.
type texts struct {
	key, layer, core, verifier, program, aggregator, operator, registrar, settled, fund string
}

const usage = `Deploy a core contract and a fact registry on Ethereum, and set them up for an
app chain.

  make deploy-contracts RPC=URL KEY=FILE [ENV=SETTINGS] [SETTLED=BLOCK]
      [CORE=PATH|0x..] [VERIFIER=PATH|0x..] [OPERATOR=0x..] [DRY_RUN=1] ...

Without -core and -verifier they are the development contracts, which prove
nothing: whoever has the registrar's key says what is proven.

Options of the program itself:
`

// parse reads the command line and the settings. It has printed what is wrong, or the help, when it returns an error.
func parse(args, environ []string, out io.Writer) (options, error) {
	var o options
	var t texts
	fs := o.flags(out, &t)
	if err := devoptions.Parse(fs, "contracts", args, environ); err != nil {
		return o, err
	}
	err := o.read(t, fs.Args(), environ)
	if err != nil {
		fmt.Fprintln(out, err)
	}
	return o, err
}

func (o *options) flags(out io.Writer, t *texts) *flag.FlagSet {
	fs := flag.NewFlagSet("contracts", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.Usage = func() {
		fmt.Fprint(out, usage)
		fs.VisitAll(func(f *flag.Flag) {
			value, text := flag.UnquoteUsage(f)
			fmt.Fprintf(out, "  -%s %s\n", f.Name, value)
			report.Wrap(out, "        ", text)
		})
	}
	fs.StringVar(&o.rpc, "rpc", "", "`URL` of the Ethereum node; default: SETTLEMENT_RPC of the settings")
	fs.StringVar(&t.key, "key", "", "`FILE` with the deployer's private key (hex), or env:NAME for the environment "+
		"variable that holds it. The key itself is never an option")
	fs.StringVar(&o.env, "env", "", "`FILE` of the deployment's settings, lines ORCHESTRATOR_...=value: chain id, fee "+
		"token, DA keys, program hashes, nodes and wallet are read of it")
	fs.StringVar(&t.layer, "layer", "", "l2, which settles on Ethereum; an l3's contract on Starknet is not deployed")
	fs.StringVar(&t.core, "core", "", "compiled core contract (`PATH` of JSON, PATH:NAME for one of several), such as "+
		"StarkWare's Starknet.sol; or the address 0x.. of one that exists, to go on with")
	fs.StringVar(&t.verifier, "verifier", "",
		"compiled fact registry (`PATH`), or the address 0x.. of one that exists, such as SHARP's verifier")
	fs.StringVar(&o.chainID, "chain-id", "",
		"the app chain's `ID`; default: CHAIN_ID of the settings, else "+snosrunner.ChainID)
	fs.StringVar(&o.chainRPC, "chain-rpc", "", "`URL` of the app chain's node; default: CHAIN_RPC of the settings")
	fs.StringVar(&o.version, "starknet-version", "",
		"Starknet `VERSION` that decides the hashes; default: that of the app chain's next block, else "+
			version.Newest())
	fs.StringVar(&t.program, "program-hash", "",
		"program hash `0x..` of SNOS; default: SETTLEMENT_PROGRAM_HASHES of the settings, "+
			"else that of the development SNOS runner")
	fs.StringVar(&t.aggregator, "aggregator-program-hash", "",
		"aggregator program hash `0x..` with its prefix; together with -program-hash")
	fs.StringVar(&t.operator, "operator", "",
		"`ADDRESS` of the wallet that updates the state; default: SETTLEMENT_ADDRESS, or the "+
			"account of SETTLEMENT_KEY_FILE, of the settings, else the deployer")
	fs.StringVar(&t.registrar, "registrar", "",
		"`ADDRESS` that registers facts on the development registry: that of the mock prover's key; default: "+
			"the deployer")
	fs.StringVar(&t.settled, "settled", "",
		"`BLOCK` of the app chain that counts as settled; default: none, block 0 is the first one")
	fs.StringVar(&t.fund, "fund", "", "`ETH` to send to the operator, such as 0.5; default: none")
	fs.BoolVar(&o.another, "another", false, "deploy although the deployer, or the settings, have a core contract here")
	fs.BoolVar(&o.mainnet, "allow-mainnet", false, "deploy on Ethereum's mainnet, where everything costs real money")
	fs.BoolVar(&o.dryRun, "dry-run", false, "print the plan and what it costs, and send nothing")
	fs.BoolVar(&o.json, "json", false, "print the result as JSON to stdout, and everything else to stderr")
	fs.DurationVar(&o.timeout, "timeout", 10*time.Minute, "give up after; default: 10m")
	return fs
}

// read checks the options, takes from the settings what they do not say, and names everything that is wrong.
func (o *options) read(t texts, rest, environ []string) error {
	var errs []error
	add := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(rest) > 0 { // not shown: it may be a key
		add("%d unexpected arguments: options begin with -, and a switch's value follows a =", len(rest))
	}
	if err := o.settings(); err != nil {
		return errors.Join(append(errs, err)...)
	}
	layer := stage.Layer(t.layer)
	if layer == "" {
		layer = o.config.Chain.Layer
	}
	if layer != stage.L2 {
		add("-layer %q: only the contracts of an l2, on Ethereum, are deployed by this. For an l3, deploy piltover "+
			"with `saya-ops core-contract` (declare, deploy, setup-program; github.com/dojoengine/saya), put its "+
			"address into SETTLEMENT_CONTRACT, and let `make ops ARGS='contracts'` check it", layer)
	}
	if u, err := url.Parse(o.rpc); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		add("-rpc: want the http or https URL of an Ethereum node")
	}
	if u, err := url.Parse(o.chainRPC); o.chainRPC != "" &&
		(err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		add("-chain-rpc: want the http or https URL of the app chain's node")
	}
	if o.version != "" {
		if _, err := version.Check(o.version); err != nil {
			add("-starknet-version: %w", err)
		}
	}
	if o.timeout <= 0 {
		add("-timeout %s: want a positive time", o.timeout)
	}
	var err error
	if o.secret, err = readKey(t.key, environ); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, o.hashes(t), o.addresses(t), o.amounts(t))
	return errors.Join(errs...)
}

// used are the settings that this program reads. Others may still be missing.
var used = []string{
	"CHAIN_LAYER", "CHAIN_ID", "CHAIN_FEE_TOKEN_ADDRESS", "CHAIN_ETH_FEE_TOKEN_ADDRESS", "CHAIN_DA_PUBLIC_KEYS",
	"CHAIN_RPC", "SETTLEMENT_KIND", "SETTLEMENT_CHAIN_ID", "SETTLEMENT_PROGRAM_HASHES",
}

// settings reads the file of settings, if there is one; else they have their defaults.
func (o *options) settings() error {
	var environ []string
	if o.env != "" {
		var err error
		if environ, err = config.ReadFile(o.env); err != nil {
			return fmt.Errorf("-env: %w", err)
		}
	}
	layer := config.Prefix + "CHAIN_LAYER="
	if !slices.ContainsFunc(environ, func(l string) bool { return strings.HasPrefix(l, layer) }) {
		environ = append(environ, layer+string(stage.L2))
	}
	c, err := config.FromEnviron(environ)
	var faults config.Faults
	if err != nil && !errors.As(err, &faults) {
		return err
	}
	var errs []error
	for _, f := range faults {
		given := slices.ContainsFunc(environ, func(l string) bool {
			name, value, _ := strings.Cut(l, "=")
			return name == config.Prefix+f.Setting && value != ""
		})
		known := slices.ContainsFunc(config.Settings(), func(s config.Setting) bool { return s.Name == f.Setting })
		if given && (!known || slices.Contains(used, f.Setting)) { // not known: misspelt
			errs = append(errs, fmt.Errorf("%s: %w", o.env, f))
		}
	}
	o.config = c
	if o.chainID == "" {
		o.chainID = c.Chain.ID
	}
	if o.chainID == "" && o.env != "" {
		errs = append(errs, fmt.Errorf("%s has no ORCHESTRATOR_CHAIN_ID: add it, or give -chain-id", o.env))
	}
	if o.chainID == "" {
		o.chainID = snosrunner.ChainID
	}
	if o.chainRPC == "" {
		o.chainRPC = c.Chain.RPC
	}
	if nodes := c.Settlement.Nodes(); o.rpc == "" && len(nodes) > 0 {
		o.rpc = nodes[0]
	}
	return errors.Join(errs...)
}

var hexKey = regexp.MustCompile(`^(0x)?[0-9a-fA-F]{32,}$`)

// readKey reads the deployer's key. No error shows it.
func readKey(from string, environ []string) (string, error) {
	text := ""
	name, variable := strings.CutPrefix(from, "env:")
	switch {
	case from == "":
		return "", errors.New("-key: missing: a file with the deployer's private key, or env:NAME")
	case hexKey.MatchString(strings.TrimSpace(name)):
		return "", errors.New("-key: this looks like a private key (not shown), which other programs on this " +
			"machine can read on a command line: put it into a file and give that, and use another key if it " +
			"guards anything")
	case variable:
		for _, line := range environ {
			if n, value, _ := strings.Cut(line, "="); n == name {
				text = value
			}
		}
		if text == "" {
			return "", fmt.Errorf("-key: the environment has no variable %.80s with a key", name)
		}
	default:
		b, err := os.ReadFile(from)
		if err != nil {
			return "", fmt.Errorf("-key: %w", err)
		}
		text = string(b)
	}
	text = strings.TrimPrefix(strings.TrimSpace(text), "0x")
	if _, err := ethereum.NewKeySigner(text); err != nil {
		return "", fmt.Errorf("-key %s: %w", from, err)
	}
	return text, nil
}

// hashes reads the program hashes.
func (o *options) hashes(t texts) error {
	var errs []error
	for _, h := range []struct {
		flag, text string
		to         *felt.Felt
	}{{"program-hash", t.program, &o.program}, {"aggregator-program-hash", t.aggregator, &o.aggregator}} {
		if h.text == "" {
			continue
		}
		var err error
		if *h.to, err = felt.FromHex(h.text); err != nil || h.to.IsZero() {
			errs = append(errs, fmt.Errorf("-%s %.80q: want a felt in hex, 0x.., not 0", h.flag, h.text))
		}
	}
	if (t.program == "") != (t.aggregator == "") {
		errs = append(errs, errors.New("-program-hash and -aggregator-program-hash: give both or none"))
	}
	return errors.Join(errs...)
}

var address = regexp.MustCompile(`^0x[0-9a-fA-F]{40}$`)

// addresses reads accounts and contracts.
func (o *options) addresses(t texts) error {
	var errs []error
	for _, a := range []struct {
		flag, text string
		to         *common.Address
	}{{"operator", t.operator, &o.operator}, {"registrar", t.registrar, &o.registrar}} {
		if a.text != "" && !address.MatchString(a.text) {
			errs = append(errs, fmt.Errorf("-%s %.80q: want an address, 0x and 40 hex digits", a.flag, a.text))
		}
		*a.to = common.HexToAddress(a.text)
	}
	if t.operator == "" {
		errs = append(errs, o.wallet())
	}
	for _, c := range []struct {
		flag, text string
		to         *target
	}{{"core", t.core, &o.core}, {"verifier", t.verifier, &o.verifier}} {
		switch {
		case c.text == "":
		case address.MatchString(c.text):
			c.to.at = common.HexToAddress(c.text)
		default:
			a, err := devethereum.ReadArtifact(c.text)
			if err != nil {
				errs = append(errs, fmt.Errorf("-%s: %w", c.flag, err))
			}
			c.to.artifact = &a
		}
	}
	return errors.Join(errs...)
}

// wallet takes the operator from the settings.
func (o *options) wallet() error {
	s := o.config.Settlement
	switch {
	case s.Address != "":
		if !address.MatchString(s.Address) {
			return fmt.Errorf("%s: ORCHESTRATOR_SETTLEMENT_ADDRESS: want an address, 0x and 40 hex digits", o.env)
		}
		o.operator = common.HexToAddress(s.Address)
	case s.KeyFile != "":
		b, err := os.ReadFile(s.KeyFile)
		if err != nil {
			return fmt.Errorf("ORCHESTRATOR_SETTLEMENT_KEY_FILE: %w; or give -operator", err)
		}
		key := strings.TrimPrefix(strings.TrimSpace(string(b)), "0x")
		if _, err := ethereum.NewKeySigner(key); err != nil {
			return fmt.Errorf("ORCHESTRATOR_SETTLEMENT_KEY_FILE: %w", err)
		}
		o.operator = devethereum.Address(key)
	case s.KMSKey != "" || s.KeySecret != "":
		return errors.New("-operator: missing: the wallet's key is in AWS, where this does not look. Give the " +
			"wallet's address here, or as SETTLEMENT_ADDRESS in the settings")
	}
	return nil
}

// amounts reads numbers.
func (o *options) amounts(t texts) error {
	var errs []error
	if t.settled != "" {
		n, ok := new(big.Int).SetString(t.settled, 10)
		if !ok || !n.IsUint64() {
			errs = append(errs, fmt.Errorf("-settled %.40q: want a block's number", t.settled))
		} else {
			block := n.Uint64()
			o.settled = &block
		}
		if o.chainRPC == "" {
			errs = append(errs, errors.New("-settled: root and hash of the block are read of the app chain: "+
				"give -chain-rpc, "+
				"or CHAIN_RPC in the settings"))
		}
	}
	if t.fund != "" {
		var err error
		if o.fund, err = parseEther(t.fund); err != nil {
			errs = append(errs, fmt.Errorf("-fund: %w", err))
		}
	}
	return errors.Join(errs...)
}

// maxFund is the most that is sent to the operator, in ETH: a number that is larger is in another unit.
const maxFund = 100

// parseEther reads an amount of ETH as wei.
func parseEther(text string) (*big.Int, error) {
	r, ok := new(big.Rat).SetString(text)
	if ok && strings.Trim(text, "0123456789.") == "" {
		wei := new(big.Rat).Mul(r, new(big.Rat).SetInt64(1e18))
		if wei.IsInt() && wei.Sign() > 0 && r.Cmp(big.NewRat(maxFund, 1)) <= 0 {
			return wei.Num(), nil
		}
	}
	return nil, fmt.Errorf("%.40q: want an amount of ETH, at most %d, such as 0.5", text, maxFund)
}
