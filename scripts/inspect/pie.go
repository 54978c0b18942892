package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/output"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/pie"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

// pieJSON is what is printed of a PIE.
type pieJSON struct {
	Version      string      `json:"version"`
	Steps        uint64      `json:"steps"`
	MemoryCells  int64       `json:"memory_cells"`
	Builtins     []string    `json:"builtins"`
	ProgramWords int         `json:"program_words"`
	HashFunction string      `json:"hash_function"`
	ProgramHash  felt.Felt   `json:"program_hash"`
	Pages        [][2]uint64 `json:"pages,omitempty"` // start and size of each page beside the main one
	Tree         []int       `json:"tree,omitempty"`
	// Fact is under ProgramHash; SharpFact under AggregatorHash, where a verifier that knows aggregators registers it.
	Fact           pieFact     `json:"fact"`
	StarknetFact   felt.Felt   `json:"starknet_fact"`
	AggregatorHash *felt.Felt  `json:"aggregator_hash,omitempty"`
	SharpFact      *pieFact    `json:"aggregator_fact,omitempty"`
	DataHash       bytesHex    `json:"data_hash,omitempty"`
	DataSize       uint64      `json:"data_size,omitempty"`
	Inputs         int         `json:"input_words,omitempty"`
	Output         []felt.Felt `json:"output"`
}

type pieFact pie.Fact

// MarshalText implements encoding.TextMarshaler.
func (f pieFact) MarshalText() ([]byte, error) { return []byte(pie.Fact(f).String()), nil }

func pieShow(c *call) error {
	var aggregator, given bool
	var hash felt.Felt
	var starknet string
	c.flags.StringVar(&starknet, "starknet-version", "",
		"`V` of the blocks, which decides how the program is hashed; default: Pedersen, as until 0.14.2")
	c.flags.BoolVar(&aggregator, "aggregator", false, "it is an aggregator's: output and facts without its inputs")
	c.feltFlag(&hash, &given, "program-hash", "`0x..` to use for the facts instead of hashing the program")
	args, err := c.parse(1)
	if err != nil {
		return err
	}
	function := version.Pedersen
	if starknet != "" {
		if function, err = version.HashFunctionOf(starknet); err != nil {
			return usagef("--starknet-version: %w", err)
		}
	}
	p, err := c.readPIE(args[0])
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	if !given {
		if hash, err = p.Program.Hash(function); err != nil {
			return err
		}
	}
	out := pieJSON{
		Version: p.Version, Steps: p.Steps, MemoryCells: p.MemoryCells, Builtins: p.Program.Builtins,
		ProgramWords: len(p.Program.Data), HashFunction: string(function), ProgramHash: hash,
		Tree: p.Tree, Output: p.Output,
		StarknetFact: pie.StarknetFact(p.Output),
	}
	for _, g := range p.Pages {
		out.Pages = append(out.Pages, [2]uint64{g.Start, g.Size})
	}
	data, size, ok, err := p.DataHash()
	if err != nil {
		return err
	}
	if ok {
		out.DataHash, out.DataSize = data[:], size
	}
	if err := out.facts(p, aggregator, given, function); err != nil {
		return err
	}
	return c.print(out, out.rows())
}

// facts finds the facts of the whole output, or of an aggregator's update. A program hash that was given is taken as it
// is.
func (o *pieJSON) facts(p *pie.PIE, aggregator, given bool, function version.HashFunction) error {
	if !aggregator {
		f, err := p.SharpFactOf(o.ProgramHash)
		o.Fact = pieFact(f)
		return err
	}
	f, err := p.AggregatorFactOf(o.ProgramHash)
	if err != nil {
		return fmt.Errorf("not an aggregator's: %w", err)
	}
	o.Fact = pieFact(f)
	if o.Inputs, err = output.SkipInputs(p.Output); err != nil {
		return err
	}
	o.Output = p.Output[o.Inputs:]
	if w, err := output.UpdateWords(o.Output); err == nil {
		o.Output = w
	}
	o.StarknetFact = pie.StarknetFact(o.Output)
	if given {
		return nil
	}
	h := pie.AggregatorHash(o.ProgramHash, function)
	if f, err = p.AggregatorFactOf(h); err != nil {
		return err
	}
	o.AggregatorHash, o.SharpFact = &h, (*pieFact)(&f)
	return nil
}

func (o *pieJSON) rows() [][]string {
	rows := [][]string{
		{"version", o.Version},
		{"steps", strconv.FormatUint(o.Steps, 10)},
		{"memory cells", strconv.FormatInt(o.MemoryCells, 10)},
		{"builtins", strings.Join(o.Builtins, " ")},
		{"program words", strconv.Itoa(o.ProgramWords)},
		{"program hash", o.ProgramHash.String()},
		{"hash function", o.HashFunction},
	}
	if len(o.Pages) > 0 || o.Tree != nil {
		rows = append(rows, []string{"pages", fmt.Sprint(o.Pages)}, []string{"tree", fmt.Sprint(o.Tree)})
	}
	rows = append(rows, []string{"fact", pie.Fact(o.Fact).String()}, []string{"Starknet fact", o.StarknetFact.String()})
	if o.SharpFact != nil {
		rows = append(rows, []string{"aggregator hash", o.AggregatorHash.String()},
			[]string{"aggregator fact", pie.Fact(*o.SharpFact).String()})
	}
	if o.DataSize > 0 {
		rows = append(rows, []string{"data hash", o.DataHash.String()},
			[]string{"data size", strconv.FormatUint(o.DataSize, 10)})
	}
	if o.Inputs > 0 {
		rows = append(rows, []string{"input words", strconv.Itoa(o.Inputs)})
	}
	return append(rows, listed("output", o.Output)...)
}

// readPIE reads a PIE from where it lies, and by a copy on disk from standard input.
func (c *call) readPIE(path string) (*pie.PIE, error) {
	r, err := c.open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if f, ok := r.(*os.File); ok {
		if st, err := f.Stat(); err == nil && st.Mode().IsRegular() {
			return pie.Read(f, st.Size(), pie.Limits{})
		}
	}
	return pie.ReadStream(io.Reader(r), "", pie.Limits{})
}
