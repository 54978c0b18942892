package main

import (
	"slices"
	"testing"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, file, text string
		want             []string
	}{
		{"a comment", "a.go", "package a\n\n// It meets trouble.\n", []string{"trouble"}},
		{"a string", "a.go", "package a\n\nvar x = \"start anew\"\n", []string{"anew"}},
		{"a raw string", "a.go", "package a\n\nvar x = `the outside\n world; seldom`\n",
			[]string{"seldom", "outside world"}},
		{"names", "a.go", "package a\n\nvar trouble, toMend, notTold_yet, recommend int\n",
			[]string{"trouble", "Mend", "Told"}},
		{"names beside one another are not a phrase", "a.go", "package a\n\nfunc has(not int) {}\n", nil},
		{"a file's name", "shared/trouble/trouble_test.go", "package a\n", []string{"trouble"}},
		{"a word in a word", "a.md", "a retold storyteller's amendment", nil},
		{"capitals", "a.md", "Seldom.", []string{"Seldom"}},
		{"is no X", "a.md", "It is no operator.", []string{"is no operator"}},
		{"there is no X", "a.md", "There is no operator, it is no longer one.", nil},
		{"there is no X, over a line's end", "a.go", "package a\n\n// Nil where there\n// is no operator.\n", nil},
		{"is no X, over a line's end", "a.go", "package a\n\n// It is\n// no operator.\n", []string{"is no operator"}},
		{"a line that ends with a word", "a.md", "It is seldom\nread.", []string{"seldom"}},
		{"has not X", "a.md", "It has not the key.", []string{"has not"}},
		{"has it not", "a.md", "The contract has it not.", []string{"has it not"}},
		{"a command", "a.md", "An operator's order, and the order of two batches.", []string{"operator's order"}},
		{"has not done", "a.md", "It has not been read and has not changed.", nil},
		{"held against", "a.md", "It is held against the code.", []string{"held against"}},
		{"hold it against", "a.md", "Tests hold it against the code.", []string{"hold it against"}},
		{"but for", "a.md", "All but for one", []string{"but for"}},
		{"a contrast", "a.md", "not for SNOS batches, but for each block", nil},
		{"a word behind a long character", "a.go", "package a\n\n// … → seldom\n", []string{"seldom"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, f := range check(tt.file, []byte(tt.text)) {
				got = append(got, f.text)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLine(t *testing.T) {
	t.Parallel()
	got := check("a.go", []byte("package a\n\n/* one\n seldom */\n"))
	if len(got) != 1 || got[0].line != 4 {
		t.Errorf("got %+v, want one on line 4", got)
	}
}

func TestLooked(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"README.md": true, "shared/core/job/job.go": true, "Makefile": true,
		"events/x.yaml": true, "CHANGELOG.md": false,
		"docs/terminology.md": false, "shared/dev/words/words.go": false,
		"shared/a/testdata/x.md": false, "go.sum": false,
		"shared/a/b.pb.go": false,
	} {
		if got := looked(name); got != want {
			t.Errorf("%s: looked at %t, want %t", name, got, want)
		}
	}
}
