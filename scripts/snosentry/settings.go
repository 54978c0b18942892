package main

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/contract"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/version"
)

// Variables that the image itself sets.
const (
	programVariable    = "SNOS_PROGRAM"    // what runs blocks
	aggregatorVariable = "SNOS_AGGREGATOR" // what runs the aggregator
	limitVariable      = "SNOS_TIME_LIMIT" // such as 110m
)

const (
	defaultProgram = "generate-pie"
	// defaultLimit is shorter than the job definition's own limit, so that the container itself can say what happened.
	defaultLimit = 110 * time.Minute
)

// settings are what the environment says.
type settings struct {
	task    snos.Task
	hash    version.HashFunction // of programs
	bucket  string
	layer   string
	node    string // of the two nodes, the one that the task asks for
	program string
	limit   time.Duration
	pass    []string // of the environment, what the program gets too
}

// parse reads the environment. The error names everything that is wrong.
func parse(environ []string) (settings, error) {
	env := map[string]string{}
	var s settings
	for _, line := range environ {
		k, v, _ := strings.Cut(line, "=")
		env[k] = v
		if k != contract.TaskVariable && k != contract.RPC && k != contract.BackupRPC {
			s.pass = append(s.pass, line)
		}
	}
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	task, err := contract.Decode(env[contract.TaskVariable])
	fault(err != nil, "%s: %w", contract.TaskVariable, err)
	s.task, s.bucket, s.layer, s.node = task, env[contract.Bucket], env[contract.Layer], env[contract.RPC]
	s.hash = version.Pedersen // a task from before versions were recorded is of Starknet 0.14.2 at most
	if v := task.StarknetVersion; v != "" {
		s.hash, err = version.HashFunctionOf(v)
		fault(err != nil, "%s: %w", contract.TaskVariable, err)
	}
	fault(s.bucket == "", "%s: missing", contract.Bucket)
	fault(s.layer != "l2" && s.layer != "l3", "%s: %q: want l2 or l3", contract.Layer, s.layer)
	if backup := env[contract.BackupRPC]; task.UseBackup && backup != "" {
		s.node = backup
	}
	if task.RPC != "" && !task.UseBackup {
		s.node = task.RPC
	}
	u, err := url.Parse(s.node)
	fault(err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "", "%s: want an http or https URL",
		contract.RPC)
	s.program = env[programVariable]
	if s.program == "" {
		s.program = defaultProgram
	}
	if task.Kind == snos.Aggregate {
		s.program = env[aggregatorVariable]
		fault(s.program == "", "%s: missing: this image has no aggregator program", aggregatorVariable)
	}
	s.limit = defaultLimit
	if v := env[limitVariable]; v != "" {
		s.limit, err = time.ParseDuration(v)
		fault(err != nil || s.limit <= 0, "%s: %q: want a duration such as 110m", limitVariable, v)
	}
	return s, errors.Join(errs...)
}

// environment is what the program gets: the names of the Rust generate-pie, and ours for what it does not have. What
// the task does not say of the chain stays as the image has it.
func (s settings) environment(d folders) []string {
	blocks := make([]string, 0, s.task.EndBlock-s.task.StartBlock+1)
	for n := s.task.StartBlock; n <= s.task.EndBlock && s.task.Kind == snos.Run; n++ {
		blocks = append(blocks, strconv.FormatUint(n, 10))
	}
	env := s.pass[:len(s.pass):len(s.pass)]
	c := s.task.Chain
	for _, v := range [][2]string{
		{"SNOS_NETWORK", c.ID}, {"SNOS_STRK_FEE_TOKEN_ADDRESS", c.FeeToken},
		{"SNOS_ETH_FEE_TOKEN_ADDRESS", c.EthFeeToken},
		{"SNOS_PUBLIC_KEYS", strings.Join(c.PublicKeys, ",")},
	} {
		if v[1] != "" {
			env = append(env, v[0]+"="+v[1])
		}
	}
	return append(env,
		"SNOS_BLOCKS="+strings.Join(blocks, ","), "SNOS_RPC_URL="+s.node, "SNOS_OUTPUT="+d.pie,
		"SNOS_IS_L3="+strconv.FormatBool(s.layer == "l3"),
		"SNOS_FULL_OUTPUT="+strconv.FormatBool(s.task.FullOutput),
		"SNOS_DA_SEGMENT="+d.segment, "SNOS_INPUTS="+d.inputs)
}
