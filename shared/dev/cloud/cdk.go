package cloud

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"go.yaml.in/yaml/v3"

	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/dev/functions"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// CDK runs the CDK's own command line against an AWS emulator, as an operator runs it against AWS.
type CDK struct {
	Root     string // the project's folder; the command line is below it in .tools
	Dir      string // gets the file of chains and the templates
	Endpoint string // of the emulator, http://127.0.0.1:PORT
	Account  string
	Region   string
	Log      io.Writer // gets what the programs print; nil: shown in errors only
	// Checked says that templates like these were checked before: the CDK's own validation is left out, which takes
	// more than half of making them (findings/cdk-validates-in-wasm.sh).
	Checked bool
}

// Chains is a file of chains as infra reads it.
type Chains struct {
	Account string           `yaml:"account"`
	Region  string           `yaml:"region"`
	Chains  []map[string]any `yaml:"chains"`
}

// Entry is a chain's entry in the file of chains, with the settings of a deployment on this machine: a secret's name in
// them begins with the chain's. The API serves commands, and a node with a websocket is listened to.
func Entry(chain string, layer stage.Layer, kms bool, settings map[string]string) map[string]any {
	all := map[string]string{"MONGO_URI_SECRET": "mongo"}
	for k, v := range settings {
		if v != "" {
			all[k] = strings.TrimPrefix(v, chain+"/")
		}
	}
	return map[string]any{
		"name": chain, "environment": "dev", "layer": string(layer), "wallet_kms": kms,
		"architecture": functions.Here(false).Architecture,
		"settings":     all, "api": map[string]any{"admin": true}, "heads": all["CHAIN_WEBSOCKET"] != "",
		"alerts": map[string]any{"emails": []string{"ops@example.org"}},
	}
}

// ErrNoCDK says that the CDK's command line is not installed.
var ErrNoCDK = errors.New("the CDK's command line is not installed: run `make tools`")

// Bootstrap prepares account and region.
func (c *CDK) Bootstrap(ctx context.Context) error {
	return c.cdk(ctx, "bootstrap", "--app", "", "aws://"+c.Account+"/"+c.Region)
}

// synthesizing lets one CDK app at a time write the functions' programs and zips, which have one folder.
var synthesizing sync.Mutex

// Synth compiles the CDK app, writes the file of chains and makes the templates of all chains in it.
func (c *CDK) Synth(ctx context.Context, chains ...map[string]any) error {
	synthesizing.Lock()
	defer synthesizing.Unlock()
	if err := c.run(ctx, "go", "build", "-o", c.app(), "./infra"); err != nil {
		return err
	}
	file, err := yaml.Marshal(Chains{Account: c.Account, Region: c.Region, Chains: chains})
	if err != nil {
		return fmt.Errorf("write the file of chains: %w", err)
	}
	if err := os.WriteFile(c.ChainsFile(), file, 0o600); err != nil {
		return fmt.Errorf("write the file of chains: %w", err)
	}
	if err := os.RemoveAll(c.Out()); err != nil {
		return fmt.Errorf("remove the templates of the deployment before: %w", err)
	}
	return c.cdk(ctx, "synth", "--quiet", "--app", c.app(), "--output", c.Out())
}

// Deploy makes the templates of chains as Synth does, and deploys their stacks.
func (c *CDK) Deploy(ctx context.Context, chains ...map[string]any) error {
	if err := c.Synth(ctx, chains...); err != nil {
		return err
	}
	args := []string{"deploy", "--require-approval", "never", "--app", c.Out(), "--outputs-file", c.outputs(),
		"--concurrency", strconv.Itoa(len(chains))}
	for _, chain := range chains {
		args = append(args, resource.Stack(fmt.Sprint(chain["name"])))
	}
	return c.cdk(ctx, args...)
}

// Made reads what a chain's stack made from the outputs of the last deployment.
func (c *CDK) Made(chain string) (Stack, error) {
	raw, err := os.ReadFile(c.outputs())
	if err != nil {
		return Stack{}, fmt.Errorf("read the outputs of the stacks: %w", err)
	}
	var all map[string]map[string]string
	if err := json.Unmarshal(raw, &all); err != nil {
		return Stack{}, fmt.Errorf("read the outputs of the stacks: %w", err)
	}
	out, ok := all[resource.Stack(chain)]
	if !ok {
		return Stack{}, fmt.Errorf("stack %s has no outputs", resource.Stack(chain))
	}
	return Stack{
		Bucket: out["ArtifactsBucket"], TopicARN: out["AlertsTopic"], Bus: resource.Physical(chain, "events"),
		APIURL: out["ApiUrl"],
	}, nil
}

func (c *CDK) outputs() string { return filepath.Join(c.Dir, "outputs.json") }

// Destroy removes the stacks of chains.
func (c *CDK) Destroy(ctx context.Context, chains ...string) error {
	args := []string{"destroy", "--force", "--app", c.Out()}
	for _, chain := range chains {
		args = append(args, resource.Stack(chain))
	}
	return c.cdk(ctx, args...)
}

// Template is the template of a chain's stack.
func (c *CDK) Template(chain string) string {
	return filepath.Join(c.Out(), resource.Stack(chain)+".template.json")
}

// ChainsFile is the file of chains.
func (c *CDK) ChainsFile() string { return filepath.Join(c.Dir, "chains.yaml") }

// Out is the folder of the templates.
func (c *CDK) Out() string { return filepath.Join(c.Dir, "cdk.out") }

// app is the compiled CDK app; the next run links it again only if it has changed.
func (c *CDK) app() string { return filepath.Join(c.Root, "build", "cdk-app") }

func (c *CDK) program() string { return filepath.Join(c.Root, ".tools/cdk/node_modules/.bin/cdk") }

func (c *CDK) cdk(ctx context.Context, args ...string) error {
	if _, err := os.Stat(c.program()); err != nil {
		return fmt.Errorf("%w: %w", ErrNoCDK, err)
	}
	return c.run(ctx, c.program(), append(args, "--no-notices")...)
}

// Environ is the environment in which AWS programs talk to the emulator. The CDK wants a host name in the URL of its
// template.
func (c *CDK) Environ() []string {
	local := strings.Replace(c.Endpoint, "127.0.0.1", "localhost", 1)
	env := os.Environ()
	if c.Checked {
		env = append(env, "CDK_VALIDATION=false")
	}
	return append(env, "ORCHESTRATOR_CHAINS="+c.ChainsFile(),
		"AWS_ENDPOINT_URL="+local, "AWS_ENDPOINT_URL_S3="+c.Endpoint,
		"AWS_ACCESS_KEY_ID=test", "AWS_SECRET_ACCESS_KEY=test",
		"AWS_SESSION_TOKEN=test", "AWS_REGION="+c.Region, "AWS_DEFAULT_REGION="+c.Region, "AWS_CA_BUNDLE=",
		"CDK_DISABLE_CLI_TELEMETRY=true", "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION=1",
		"JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=18,20")
}

// shown is how much of a failed program's output an error shows, in bytes.
const shown = 3000

func (c *CDK) run(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = c.Root
	cmd.Env = c.Environ()
	// The programs start others, which outlive them and hold their output: all are of one group and end together.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var out bytes.Buffer
	var w io.Writer = &out
	if c.Log != nil {
		w = io.MultiWriter(&out, c.Log)
	}
	cmd.Stdout, cmd.Stderr = w, w
	if err := cmd.Run(); err != nil {
		text := out.String()
		return fmt.Errorf("%s %s: %w\n%s",
			filepath.Base(program), strings.Join(args, " "), err, text[max(0, len(text)-shown):])
	}
	return nil
}
