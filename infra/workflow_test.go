package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The example workflow takes AWS's role by GitHub's token, has no key of any kind, and calls targets that there are.
func TestWorkflow(t *testing.T) {
	raw, err := os.ReadFile("../.github/workflows/deploy.yml")
	if err != nil {
		t.Fatal(err)
	}
	var w struct {
		Permissions map[string]string
		Jobs        map[string]struct {
			Environment string
			Steps       []struct {
				Uses string
				Run  string
				With map[string]any
			}
		}
	}
	if err := yaml.Unmarshal(raw, &w); err != nil {
		t.Fatal(err)
	}
	if len(w.Permissions) != 2 || w.Permissions["id-token"] != "write" || w.Permissions["contents"] != "read" {
		t.Errorf("permissions %v", w.Permissions)
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
	role, ran := false, map[string]bool{}
	for _, s := range w.Jobs["deploy"].Steps {
		if strings.HasPrefix(s.Uses, "aws-actions/configure-aws-credentials@") {
			role = s.With["role-to-assume"] != nil
		}
		for _, m := range regexp.MustCompile(`make ([a-z]+)`).FindAllStringSubmatch(s.Run, -1) {
			ran[m[1]] = true
			if !strings.Contains(string(makefile), "\n"+m[1]+":") {
				t.Errorf("there is no target %s", m[1])
			}
		}
		if strings.Contains(s.Run, "${{") {
			t.Errorf("%q: what people type in must not become a part of the script", s.Run)
		}
	}
	if !role || !ran["synth"] || !ran["diff"] || !ran["deploy"] || w.Jobs["deploy"].Environment == "" {
		t.Errorf("role %t, targets %v, environment %q", role, ran, w.Jobs["deploy"].Environment)
	}
}
