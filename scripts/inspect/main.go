// Inspect encodes and decodes what goes between an app chain and its settlement layer, from files: blobs, KZG proofs,
// Cairo PIEs, program outputs and calldata. `make inspect ARGS=help` lists its commands.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/core/release"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

// Exit codes of run.
const (
	exitOK     = 0
	exitFailed = 1 // what was given can't be read, encoded or decoded
	exitUsage  = 2
)

// command is one thing that the tool does.
type command struct {
	name    string // one or two words
	args    string // what stands in the usage line after the name
	summary string
	run     func(c *call) error
}

// options is the name that the command's options have in the environment and in files.
func (c command) options() string { return "inspect_" + c.name }

var commands = []command{
	{
		"blob encode", "--state-update FILE --starknet-version V [--nonces FILE] [--aliases FILE | --aliased] [--json]",
		"the blobs of a state diff, in hex, one a line", blobEncode,
	},
	{
		"blob decode", "FILE [--starknet-version V] [--key-file FILE] [--json]",
		"the words of blobs, decrypted with a key; with a version the state diff that they hold", blobDecode,
	},
	{
		"kzg", "--blob FILE [--point 0x..] [--json]",
		"commitment, versioned hash and proof of blobs: with a point the proof and the value there, else the blob " +
			"proof", kzgProve,
	},
	{
		"pie", "FILE [--starknet-version V] [--aggregator] [--program-hash 0x..] [--json]",
		"program hash, output and facts of a Cairo PIE", pieShow,
	},
	{"output", "FILE [--json]", "the fields of a program output", outputShow},
	{
		"config-hash", "--version V --chain ID --fee-token 0x.. [--eth-fee-token 0x..] [--key 0x..]... [--json]",
		"the config hash that the Starknet OS, the aggregator and the core contract must have", configHash,
	},
	{
		"history", "FILE [--json]",
		"a batch that was moved out of the database (setting RETENTION), with its jobs; --json has every field",
		historyShow,
	},
	{
		"calldata", "--output FILE [--blob FILE]... [--segment FILE] [--json]",
		"the call that settles a program output on Ethereum: updateStateKzgDA, or updateState where it names no blobs",
		calldataEncode,
	},
}

const intro = `inspect encodes and decodes what goes between an app chain and its settlement layer.

usage: inspect COMMAND [ARGUMENTS]

`

const outro = `
FILE may be - for standard input, in one place. Files are bounded in size, as all that comes from outside.
--json prints JSON. inspect COMMAND -h explains the arguments.

exit codes: 0 done, 1 the input is faulty, 2 wrong usage
`

// usageError says that the arguments are wrong.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// run is the program; it returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if release.Asked(args, stdout) {
		return 0
	}
	if len(args) == 0 {
		usage(stderr)
		return exitUsage
	}
	if args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		usage(stdout)
		return exitOK
	}
	cmd, rest, ok := find(args)
	if !ok {
		fmt.Fprintf(stderr, "inspect: no command %.80q\n\n", strings.Join(args[:min(2, len(args))], " "))
		usage(stderr)
		return exitUsage
	}
	c := newCall(cmd, rest, stdin, stdout)
	err := cmd.run(c)
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, flag.ErrHelp):
		c.usage(stdout)
		return exitOK
	case errors.As(err, new(usageError)):
		fmt.Fprintf(stderr, "inspect %s: %v\n\n", cmd.name, err)
		c.usage(stderr)
		return exitUsage
	}
	fmt.Fprintf(stderr, "inspect %s: %v\n", cmd.name, err)
	return exitFailed
}

func find(args []string) (command, []string, bool) {
	for _, c := range commands {
		words := strings.Fields(c.name)
		if len(args) >= len(words) && strings.Join(args[:len(words)], " ") == c.name {
			return c, args[len(words):], true
		}
	}
	return command{}, nil, false
}

func usage(w io.Writer) {
	fmt.Fprint(w, intro)
	for _, c := range commands {
		fmt.Fprintf(w, "  %s %s\n      %s\n", c.name, c.args, c.summary)
	}
	fmt.Fprint(w, outro)
}
