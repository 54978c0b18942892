package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	devoptions "github.com/madara-orchestrator/orchestrator/shared/dev/options"
)

// call is one run of a command.
type call struct {
	command command
	flags   *flag.FlagSet
	json    bool
	args    []string
	stdin   io.Reader
	stdout  io.Writer
	read    bool // standard input was
}

func newCall(cmd command, args []string, stdin io.Reader, stdout io.Writer) *call {
	c := &call{command: cmd, flags: flag.NewFlagSet(cmd.name, flag.ContinueOnError),
		args: args, stdin: stdin, stdout: stdout}
	c.flags.SetOutput(io.Discard)
	c.flags.BoolVar(&c.json, "json", false, "print JSON")
	devoptions.Add(c.flags)
	return c
}

// parse reads flags and exactly n other arguments, in any order.
func (c *call) parse(n int) ([]string, error) {
	var others, after []string
	args := c.args
	if i := slices.Index(args, "--"); i >= 0 {
		args, after = args[:i], args[i+1:]
	}
	for {
		if err := c.flags.Parse(args); errors.Is(err, flag.ErrHelp) {
			return nil, err
		} else if err != nil {
			return nil, usageError{err}
		}
		if c.flags.NArg() == 0 {
			break
		}
		others, args = append(others, c.flags.Arg(0)), c.flags.Args()[1:]
	}
	if err := devoptions.Fill(c.flags, c.command.options(), os.Environ()); err != nil {
		return nil, usageError{err}
	}
	if others = append(others, after...); len(others) != n {
		return nil, usagef("%d arguments beside the flags, want %d", len(others), n)
	}
	return others, nil
}

func (c *call) usage(w io.Writer) {
	fmt.Fprintf(w, "usage: inspect %s %s\n\n%s.\n\n", c.command.name, c.command.args, c.command.summary)
	c.flags.SetOutput(w)
	c.flags.PrintDefaults()
	fmt.Fprint(w, devoptions.Help(c.command.options()))
}

// fileFlag is a flag that takes a file; required ones are checked by need.
func (c *call) fileFlag(to *string, name, what string) {
	c.flags.StringVar(to, name, "", "`FILE` with "+what)
}

// need fails where a flag was not given.
func need(flags ...[2]string) error {
	for _, f := range flags {
		if f[1] == "" {
			return usagef("--%s is missing", f[0])
		}
	}
	return nil
}

// feltFlag is a flag that takes a field element in hex; given says whether it was there.
func (c *call) feltFlag(to *felt.Felt, given *bool, name, what string) {
	c.flags.Func(name, what, func(s string) (err error) {
		*given = true
		*to, err = felt.FromHex(s)
		return err
	})
}

// maxFile bounds files that are held in memory: far more than the state updates of a batch.
const maxFile = 256 << 20

// open opens a file, or standard input for "-", which may be named once.
func (c *call) open(path string) (io.ReadCloser, error) {
	if path != "-" {
		return os.Open(path)
	}
	if c.read {
		return nil, usagef("standard input is named twice")
	}
	c.read = true
	return io.NopCloser(c.stdin), nil
}

// readFile reads a file of at most maxFile bytes.
func (c *call) readFile(path string) ([]byte, error) {
	f, err := c.open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("%s has more than %d MB", path, maxFile>>20)
	}
	return b, nil
}
