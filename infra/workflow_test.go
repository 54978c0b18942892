package main

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// workflow is what matters of a GitHub workflow.
type workflow struct {
	Permissions map[string]string
	Env         map[string]string
	Jobs        map[string]struct {
		Environment string
		Permissions map[string]string
		Env         map[string]string
		Steps       []struct {
			Uses string
			Run  string
			With map[string]any
			Env  map[string]string
		}
	}
}

var (
	pinned   = regexp.MustCompile(`^[\w-]+/[\w-]+@[0-9a-f]{40}$`)
	makeCall = regexp.MustCompile(`make ([a-z]+)`)
	versions = regexp.MustCompile(`(?m)uses: \S+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
)

// The example workflow takes AWS's role by GitHub's token, has no key of any kind, pins what it uses by commit, may do
// nothing else, and has what people type in checked before make sees it.
func TestWorkflow(t *testing.T) {
	raw, err := os.ReadFile("../.github/workflows/deploy.yml")
	if err != nil {
		t.Fatal(err)
	}
	var w workflow
	if err := yaml.Unmarshal(raw, &w); err != nil {
		t.Fatal(err)
	}
	job := w.Jobs["deploy"]
	if len(w.Jobs) != 1 || w.Permissions == nil || len(w.Permissions) != 0 {
		t.Errorf("%d jobs, and permissions %v for all of them: want one, and none", len(w.Jobs), w.Permissions)
	}
	if want := map[string]string{"id-token": "write", "contents": "read"}; !maps.Equal(job.Permissions, want) {
		t.Errorf("permissions %v, want %v", job.Permissions, want)
	}
	for _, bad := range []string{"secrets.", "access-key", "ACCESS_KEY"} {
		if strings.Contains(string(raw), bad) {
			t.Errorf("it has %q: there must be no long-lived key", bad)
		}
	}
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	role, checked, actions, ran := false, false, 0, map[string]bool{}
	for _, s := range job.Steps {
		if s.Uses != "" {
			actions++
			if !pinned.MatchString(s.Uses) {
				t.Errorf("%s is not pinned by a commit: whoever moves the tag runs code with the role", s.Uses)
			}
		}
		if strings.HasPrefix(s.Uses, "aws-actions/configure-aws-credentials@") {
			role = s.With["role-to-assume"] != nil
		}
		if strings.HasPrefix(s.Uses, "actions/checkout@") && s.With["persist-credentials"] != false {
			t.Error("the checkout leaves the repository's token behind")
		}
		if s.Run == "infra/cdk.sh check" {
			checked = strings.Contains(s.Env["STACKS"], "inputs.stacks")
		}
		for _, m := range makeCall.FindAllStringSubmatch(s.Run, -1) {
			ran[m[1]] = true
			if !strings.Contains(string(makefile), "\n"+m[1]+":") {
				t.Errorf("there is no target %s", m[1])
			}
			if !checked {
				t.Errorf("%q runs before what people typed in is checked", s.Run)
			}
		}
		if strings.Contains(s.Run, "${{") || strings.Contains(s.Run, "STACKS=") {
			t.Errorf("%q: what people type in must not become a part of the script or of make's text", s.Run)
		}
	}
	if len(w.Env)+len(job.Env) > 0 {
		t.Error("variables are given to every step: give them to those that need them")
	}
	if got := len(versions.FindAll(raw, -1)); got != actions {
		t.Errorf("%d of %d pins say which version they are", got, actions)
	}
	if !role || !ran["synth"] || !ran["diff"] || !ran["deploy"] || job.Environment == "" {
		t.Errorf("role %t, targets %v, environment %q", role, ran, job.Environment)
	}
}

// cdkBench is a copy of what deploys, with a CDK that writes down how it is called.
func cdkBench(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	cdk := filepath.Join(dir, ".tools/cdk/node_modules/.bin/cdk")
	for _, d := range []string{filepath.Dir(cdk), filepath.Join(dir, "infra")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for from, to := range map[string]string{
		"../Makefile": "Makefile", "cdk.sh": "infra/cdk.sh", "package.json": "infra/package.json",
		"package-lock.json": "infra/package-lock.json",
	} {
		b, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), b, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(cdk, []byte("#!/bin/sh\nprintf '%s\\n' \"$ORCHESTRATOR_CHAINS\" \"$@\" > called\n"),
		0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// What is typed into STACKS, CHAINS and APPROVAL reaches the CDK as it is or not at all: neither make nor a shell runs
// any of it, whether it comes on make's command line or in the environment, as the workflow has it.
func TestTypedIn(t *testing.T) {
	for name, tt := range map[string]struct {
		target, variable, value string
		want                    string // the CDK's arguments; "": it is not called
	}{
		"all": {"deploy", "STACKS", "--all",
			"infra/chains.yaml deploy --require-approval broadening --all"},
		"one": {"deploy", "STACKS", "Orchestrator-mychain",
			"infra/chains.yaml deploy --require-approval broadening Orchestrator-mychain"},
		"two": {"diff", "STACKS", "Orchestrator-a Orchestrator-b2",
			"infra/chains.yaml diff Orchestrator-a Orchestrator-b2"},
		"none":             {"diff", "STACKS", "", "infra/chains.yaml diff"},
		"a file of chains": {"synth", "CHAINS", "infra/others.yaml", "infra/others.yaml synth --quiet"},
		"without asking": {"deploy", "APPROVAL", "never",
			"infra/chains.yaml deploy --require-approval never --all"},
		"a command":               {"deploy", "STACKS", "--all; touch owned", ""},
		"a command in the middle": {"diff", "STACKS", "Orchestrator-a;touch owned", ""},
		"a shell's substitution":  {"deploy", "STACKS", "Orchestrator-$(touch owned)", ""},
		"backquotes":              {"deploy", "STACKS", "`touch owned`", ""},
		"make's shell":            {"deploy", "STACKS", "$(shell touch owned)", ""},
		"make's shell, named all": {"synth", "STACKS", "--all$(shell touch owned)", ""},
		"make's braces":           {"diff", "STACKS", "${shell touch owned}", ""},
		"make's eval":             {"deploy", "STACKS", "$(eval $(shell touch owned))", ""},
		"a line of its own":       {"deploy", "STACKS", "--all\ntouch owned", ""},
		"another option":          {"deploy", "STACKS", "--app=touch owned", ""},
		"another option too":      {"deploy", "STACKS", "--all --app=./owned", ""},
		"quotes":                  {"deploy", "STACKS", `" ; touch owned ; "`, ""},
		"a chain with quotes":     {"synth", "CHAINS", `'; touch owned; '`, ""},
		"a chain in make":         {"synth", "CHAINS", "$(shell touch owned)", ""},
		"an option as chain":      {"synth", "CHAINS", "--app", ""},
		"another approval":        {"deploy", "APPROVAL", "never; touch owned", ""},
		"a map that is a command": {"import", "MAP", "map.json; touch owned", ""},
		"a map in make":           {"import", "MAP", "$(shell touch owned)", ""},
		"an option as map":        {"import", "MAP", "--app", ""},
	} {
		for _, how := range []string{"command line", "environment"} {
			t.Run(name+" on the "+how, func(t *testing.T) {
				t.Parallel()
				dir := cdkBench(t)
				cmd := exec.Command("make", "-C", dir, tt.target)
				cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "MAKE") })
				if how == "environment" {
					cmd.Env = append(cmd.Env, tt.variable+"="+tt.value)
				} else {
					cmd.Args = append(cmd.Args, tt.variable+"="+tt.value)
				}
				out, err := cmd.CombinedOutput()
				if _, owned := os.Stat(filepath.Join(dir, "owned")); owned == nil {
					t.Errorf("it was run: %s", out)
				}
				called, _ := os.ReadFile(filepath.Join(dir, "called")) // missing where it is not called
				if got := strings.Join(strings.Fields(string(called)), " "); got != tt.want ||
					(err == nil) != (tt.want != "") {
					t.Errorf("the CDK is called with %q, want %q; %v: %s", got, tt.want, err, out)
				}
				if tt.want == "" && !strings.Contains(string(out), tt.variable+": want") {
					t.Errorf("it does not say what is wanted: %s", out)
				}
			})
		}
	}
}

// What stayed of a removed stack is taken into one stack, by a file that says what it is.
func TestImport(t *testing.T) {
	for name, tt := range map[string]struct{ stacks, file, want, fault string }{
		"one stack": {"Orchestrator-mychain", "map.json",
			"infra/chains.yaml import --resource-mapping map.json Orchestrator-mychain", ""},
		"all stacks": {"--all", "map.json", "", "STACKS: want one stack"},
		"two stacks": {"Orchestrator-a Orchestrator-b", "map.json", "", "STACKS: want one stack"},
		"no file":    {"Orchestrator-mychain", "", "", "MAP: want the file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := cdkBench(t)
			out, err := exec.Command("make", "-C", dir, "import", "STACKS="+tt.stacks, "MAP="+tt.file).CombinedOutput()
			called, _ := os.ReadFile(filepath.Join(dir, "called")) // missing where it is not called
			if got := strings.Join(strings.Fields(string(called)), " "); got != tt.want ||
				(err == nil) != (tt.fault == "") || !strings.Contains(string(out), tt.fault) {
				t.Errorf("the CDK is called with %q, want %q; %v: %s", got, tt.want, err, out)
			}
		})
	}
}
