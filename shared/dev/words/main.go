// Command words lists the words that our texts avoid, as file:line, with what to say instead: `make words`. Arguments
// are the files and folders to look at, by default all that git knows. It exits with 1 where it finds one: `make lint`
// runs it.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path"
	"strings"
)

// exempt may hold banned words: the changelog is history, terminology and this list name them, and what is generated or
// recorded is not our text.
var exempt = []string{"CHANGELOG.md", "docs/terminology.md", "shared/dev/words/"}

func main() {
	flag.Parse()
	found, err := run(flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "words:", err)
		os.Exit(2)
	}
	if found > 0 {
		os.Exit(1)
	}
}

// run prints what it finds and returns how many words that are.
func run(paths []string) (found int, err error) {
	out, err := exec.Command("git", append([]string{"ls-files", "--"}, paths...)...).Output()
	if err != nil {
		return 0, fmt.Errorf("list the files: %w", err)
	}
	for _, name := range strings.Fields(string(out)) {
		if !looked(name) {
			continue
		}
		content, err := os.ReadFile(name)
		if os.IsNotExist(err) {
			continue // deleted and not committed yet
		}
		if err != nil {
			return found, err
		}
		for _, f := range check(name, content) {
			found++
			fmt.Printf("%s:%d: %q: say %s\n", name, f.line, f.text, f.say)
		}
	}
	if found > 0 {
		fmt.Printf("%d words to replace; docs/terminology.md has those to use\n", found)
	}
	return found, nil
}

// looked says whether a file has texts of ours.
func looked(name string) bool {
	for _, e := range exempt {
		if strings.HasPrefix(name, e) {
			return false
		}
	}
	if strings.Contains(name, "/testdata/") || strings.HasSuffix(name, ".pb.go") {
		return false
	}
	switch path.Ext(name) {
	case ".go", ".md", ".yaml", ".yml", ".html", ".sh", ".js", ".sol", ".proto":
		return true
	}
	return path.Base(name) == "Makefile" || path.Base(name) == "install"
}
