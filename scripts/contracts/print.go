package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"strings"

	"github.com/ethereum/go-ethereum/common"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
	"github.com/madara-orchestrator/orchestrator/shared/dev/report"
	"github.com/madara-orchestrator/orchestrator/shared/service/contracts"
)

// printPlan prints what will be done, and what it costs.
func (d *deployer) printPlan() {
	say := func(head, format string, args ...any) {
		report.Wrap(d.out, fmt.Sprintf("%-11s", head), fmt.Sprintf(format, args...))
	}
	say("chain", "%s at %s", d.id, redact.Host(d.o.rpc))
	say("deployer", "%s holds %s ETH", d.from, ether(d.balance))
	say("app chain", "%s, Starknet %s (%s)", d.o.chainID, d.head.StarknetVersion, d.version)
	if d.setup.Settled {
		say("settled", "block %d, root %s, hash %s", d.setup.Block, d.setup.Root, d.setup.BlockHash)
	} else {
		say("settled", "nothing; block 0 is the first one")
	}
	d.printContracts(say)
	say("hashes", "programs %s; config computed of the chain's id, fee token and DA keys", d.program)
	say(" program", "%s", d.setup.ProgramHash)
	say(" aggreg.", "%s", d.setup.AggregatorProgramHash)
	say(" config", "%s", d.setup.ConfigHash)
	say("operator", "%s%s", d.operator, ifDeployer(d.operator == d.from))
	if d.developmentRegistry() {
		say("registrar", "%s%s", d.setup.Registrar, ifDeployer(d.setup.Registrar == d.from))
	}
	fmt.Fprintln(d.out)
	if len(d.steps) == 0 {
		report.Wrap(d.out, "", "Nothing is to be done: the contracts are there and set up.")
		return
	}
	fmt.Fprintln(d.out, "          gas  transaction")
	for i, s := range d.steps {
		report.Wrap(d.out, fmt.Sprintf("%2d %10d  ", i+1, s.estimate), s.About)
	}
	fmt.Fprintln(d.out)
	say("cost", "about %s ETH (gas %d at %s gwei), at most %s ETH", ether(d.expected()), d.gas(), gwei(d.fees.Price),
		ether(d.most()))
}

// printContracts says which contracts they are.
func (d *deployer) printContracts(say func(head, format string, args ...any)) {
	for _, c := range []struct {
		head, development string
		t                 target
	}{
		{"core", "the development core contract", d.o.core},
		{"verifier", "the development fact registry, which proves nothing: the registrar says what is proven",
			d.o.verifier},
	} {
		switch {
		case c.t.artifact != nil:
			say(c.head, "%s, %d bytes", c.t.artifact.Name, len(c.t.artifact.Code))
		case c.t.exists():
			say(c.head, "%s, which exists", c.t.at)
		case d.o.core.exists():
			say(c.head, "%s, which the core contract asks", d.setup.Existing.Registry)
		default:
			say(c.head, "%s", c.development)
		}
	}
}

// developmentRegistry says whether one is made.
func (d *deployer) developmentRegistry() bool {
	return !d.o.core.exists() && !d.o.verifier.exists() && d.o.verifier.artifact == nil
}

func ifDeployer(is bool) string {
	if is {
		return ", the deployer"
	}
	return ""
}

// expected is what the steps cost at the node's price, in wei.
func (d *deployer) expected() *big.Int {
	sum := new(big.Int).Mul(d.fees.Price, new(big.Int).SetUint64(d.gas()))
	for _, s := range d.steps {
		if v := s.Call.Value; v != nil {
			sum.Add(sum, v)
		}
	}
	return sum
}

// paid is what the steps that are done cost, in wei, without what they sent.
func (d *deployer) paid() (gas uint64, wei *big.Int) {
	wei = new(big.Int)
	for _, s := range d.steps {
		if s.done {
			gas += s.used
			wei.Add(wei, s.paid)
		}
	}
	return gas, wei
}

// settings are the lines for the file of settings.
func (d *deployer) settings() [][2]string {
	lines := [][2]string{
		{"SETTLEMENT_CHAIN_ID", d.id.String()},
		{"SETTLEMENT_CONTRACT", d.at.Core.Hex()},
		{"SETTLEMENT_VERIFIER", d.at.Registry.Hex()},
	}
	if d.o.config.Settlement.KMSKey == "" {
		lines = append(lines, [2]string{"SETTLEMENT_ADDRESS", d.operator.Hex()})
	}
	if len(d.o.config.Settlement.ProgramHashes) == 0 || !d.o.program.IsZero() {
		lines = append(lines, [2]string{"SETTLEMENT_PROGRAM_HASHES", fmt.Sprintf("%s=%s/%s", d.head.StarknetVersion,
			d.setup.ProgramHash, d.setup.AggregatorProgramHash)})
	}
	return lines
}

func (d *deployer) printSettings() {
	if gas, wei := d.paid(); gas > 0 {
		fmt.Fprintf(d.out, "\npaid       %s ETH, gas %d\n", ether(wei), gas)
	}
	fmt.Fprintln(d.out, "\nSettings (docs/settings.md; in infra/chains.yaml without ORCHESTRATOR_):")
	fmt.Fprintln(d.out)
	for _, l := range d.settings() {
		fmt.Fprintf(d.out, "%s%s=%s\n", config.Prefix, l[0], l[1])
	}
}

// printMade says after a failure what exists, and how to go on.
func (d *deployer) printMade(w io.Writer) {
	var how []string
	sent := false
	for _, s := range d.steps {
		if s.tx == (common.Hash{}) {
			continue
		}
		state := "is in a block"
		if !s.done {
			state = "was sent, and is not known to be in a block"
		}
		if !sent {
			fmt.Fprintln(w, "\nmade so far:")
			sent = true
		}
		report.Wrap(w, "  ", fmt.Sprintf("%s: %s %s", s.About, s.tx, state))
		if option := d.option(s.Creates); option != "" && s.done {
			how = append(how, option+" "+s.Creates.Hex())
		}
	}
	if sent && d.check == nil {
		report.Wrap(w, "", "Nothing of it is lost. Go on with the same options and "+strings.Join(append(how,
			"what is listed above"), " ")+".")
	}
}

// option is the option that goes on with a contract; "" where there is none.
func (d *deployer) option(a common.Address) string {
	switch a {
	case common.Address{}:
		return ""
	case d.at.Core:
		return "-core"
	case d.at.Registry:
		return "-verifier"
	}
	return ""
}

// resultJSON is a run's result for programs.
type resultJSON struct {
	OK       bool              `json:"ok"`
	Error    string            `json:"error,omitempty"`
	DryRun   bool              `json:"dry_run,omitempty"`
	ChainID  string            `json:"chain_id,omitempty"`
	Deployer string            `json:"deployer,omitempty"`
	Core     string            `json:"core_contract,omitempty"`
	Registry string            `json:"fact_registry,omitempty"`
	Operator string            `json:"operator,omitempty"`
	Program  felt.Felt         `json:"program_hash"`
	Aggreg   felt.Felt         `json:"aggregator_program_hash"`
	Config   felt.Felt         `json:"config_hash"`
	Starknet string            `json:"starknet_version,omitempty"`
	MostWei  string            `json:"most_wei,omitempty"`
	PaidWei  string            `json:"paid_wei"`
	Gas      uint64            `json:"gas_used"`
	Steps    []stepJSON        `json:"transactions"`
	Settings map[string]string `json:"settings,omitempty"`
	Check    *contracts.Report `json:"check,omitempty"`
}

type stepJSON struct {
	About   string `json:"about"`
	Tx      string `json:"tx,omitempty"`
	Address string `json:"address,omitempty"`
	Gas     uint64 `json:"gas_estimated"`
	Used    uint64 `json:"gas_used,omitempty"`
	Done    bool   `json:"done"`
}

// printJSON prints the result; failed is why it failed.
func (d *deployer) printJSON(w io.Writer, failed string) error {
	gas, wei := d.paid()
	out := resultJSON{OK: failed == "", Error: failed, DryRun: d.o.dryRun, Program: d.setup.ProgramHash,
		Aggreg: d.setup.AggregatorProgramHash, Config: d.setup.ConfigHash, Starknet: d.head.StarknetVersion,
		PaidWei: wei.String(), Gas: gas, Steps: []stepJSON{}, Check: d.check}
	if d.id != nil {
		out.ChainID, out.Deployer = d.id.String(), d.from.Hex()
	}
	if d.fees.Cap != nil {
		out.MostWei = d.most().String()
	}
	done := true
	for _, s := range d.steps {
		j := stepJSON{About: s.About, Gas: s.estimate, Used: s.used, Done: s.done}
		if s.tx != (common.Hash{}) {
			j.Tx = s.tx.Hex()
		}
		if s.Creates != (common.Address{}) {
			j.Address = s.Creates.Hex()
		}
		done = done && s.done
		out.Steps = append(out.Steps, j)
	}
	if d.at.Core != (common.Address{}) {
		out.Core, out.Registry, out.Operator = d.at.Core.Hex(), d.at.Registry.Hex(), d.operator.Hex()
		if done {
			out.Settings = map[string]string{}
			for _, l := range d.settings() {
				out.Settings[config.Prefix+l[0]] = l[1]
			}
		}
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(out); err != nil {
		return fmt.Errorf("print the result: %w", err)
	}
	return nil
}

// ether is an amount of wei in ETH, with at most six decimals that say something.
func ether(wei *big.Int) string { return decimal(wei, 18, 6) }

// gwei is a price in 10^9 wei.
func gwei(wei *big.Int) string { return decimal(wei, 9, 3) }

// decimal is n in units of 10^digits, rounded up to some decimals.
func decimal(n *big.Int, digits, decimals int64) string {
	ten := big.NewInt(10)
	unit := new(big.Int).Exp(ten, big.NewInt(digits-decimals), nil)
	up := new(big.Int).Div(new(big.Int).Add(n, new(big.Int).Sub(unit, big.NewInt(1))), unit)
	text := new(big.Rat).SetFrac(up, new(big.Int).Exp(ten, big.NewInt(decimals), nil)).FloatString(int(decimals))
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}
