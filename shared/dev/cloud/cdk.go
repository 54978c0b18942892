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
	"runtime"
	"strings"
	"syscall"

	"go.yaml.in/yaml/v3"

	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// CDK runs the CDK's own command line against an AWS emulator, as an operator runs it against AWS.
type CDK struct {
	Root     string // the project's folder; the command line is below it in .tools
	Dir      string // gets the file of chains, the compiled CDK app and the templates
	Endpoint string // of the emulator, http://127.0.0.1:PORT
	Account  string
	Region   string
	Log      io.Writer // gets what the programs print; nil: shown in errors only
}

// Chains is a file of chains as infra reads it.
type Chains struct {
	Account string           `yaml:"account"`
	Region  string           `yaml:"region"`
	Chains  []map[string]any `yaml:"chains"`
}

// ErrNoCDK says that the CDK's command line is not installed.
var ErrNoCDK = errors.New("the CDK's command line is not installed: run `make tools`")

// Architecture is this machine's processor in Lambda's words: an emulator runs functions as processes.
func Architecture() string {
	if runtime.GOARCH == "amd64" {
		return "x86_64"
	}
	return runtime.GOARCH
}

// Bootstrap compiles the CDK app and prepares account and region.
func (c *CDK) Bootstrap(ctx context.Context) error {
	if _, err := os.Stat(c.program()); err != nil {
		return fmt.Errorf("%w: %w", ErrNoCDK, err)
	}
	if err := c.run(ctx, "go", "build", "-o", c.app(), "./infra"); err != nil {
		return err
	}
	return c.cdk(ctx, "bootstrap", "--app", "", "aws://"+c.Account+"/"+c.Region)
}

// Deploy writes the file of chains, makes its templates and deploys the stacks of all chains in it.
func (c *CDK) Deploy(ctx context.Context, chains ...map[string]any) error {
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
	if err := c.cdk(ctx, "synth", "--quiet", "--app", c.app(), "--output", c.Out()); err != nil {
		return err
	}
	args := []string{"deploy", "--require-approval", "never", "--app", c.Out(), "--outputs-file", c.outputs()}
	for _, chain := range chains {
		args = append(args, resource.Stack(fmt.Sprint(chain["name"])))
	}
	return c.cdk(ctx, args...)
}

// Outputs are the outputs of a chain's stack, by name.
func (c *CDK) Outputs(chain string) (map[string]string, error) {
	raw, err := os.ReadFile(c.outputs())
	if err != nil {
		return nil, fmt.Errorf("read the outputs of the stacks: %w", err)
	}
	var all map[string]map[string]string
	if err := json.Unmarshal(raw, &all); err != nil {
		return nil, fmt.Errorf("read the outputs of the stacks: %w", err)
	}
	out, ok := all[resource.Stack(chain)]
	if !ok {
		return nil, fmt.Errorf("stack %s has no outputs", resource.Stack(chain))
	}
	return out, nil
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

func (c *CDK) app() string { return filepath.Join(c.Dir, "infra") }

func (c *CDK) program() string { return filepath.Join(c.Root, ".tools/cdk/node_modules/.bin/cdk") }

func (c *CDK) cdk(ctx context.Context, args ...string) error {
	return c.run(ctx, c.program(), append(args, "--no-notices")...)
}

// Environ is the environment in which AWS programs talk to the emulator. The CDK wants a host name in the URL of its
// template.
func (c *CDK) Environ() []string {
	local := strings.Replace(c.Endpoint, "127.0.0.1", "localhost", 1)
	return append(os.Environ(), "ORCHESTRATOR_CHAINS="+c.ChainsFile(),
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
