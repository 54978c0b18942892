// Command words lists the words that our texts avoid, as file:line, with what to say instead: `make words`. Arguments are
// the files and folders to look at, by default all that git knows; -count gives the number a folder only. It exits with 1
// where it finds one.
package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path"
	"slices"
	"strings"
)

// exempt may hold banned words: the changelog is history, terminology and this list name them, and what is generated or
// recorded is not our text.
var exempt = []string{"CHANGELOG.md", "docs/terminology.md", "shared/dev/words/"}

func main() {
	count := flag.Bool("count", false, "print the number of words in each folder only")
	flag.Parse()
	found, err := run(flag.Args(), *count)
	if err != nil {
		fmt.Fprintln(os.Stderr, "words:", err)
		os.Exit(2)
	}
	if found > 0 {
		os.Exit(1)
	}
}

func run(paths []string, count bool) (found int, err error) {
	out, err := exec.Command("git", append([]string{"ls-files", "--"}, paths...)...).Output()
	if err != nil {
		return 0, fmt.Errorf("list the files: %w", err)
	}
	folders := map[string]int{}
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
			folders[path.Dir(name)]++
			if !count {
				fmt.Printf("%s:%d: %q: say %s\n", name, f.line, f.text, f.say)
			}
		}
	}
	if count {
		for _, folder := range slices.Sorted(maps.Keys(folders)) {
			fmt.Printf("%6d  %s\n", folders[folder], folder)
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
	case ".go", ".md", ".yaml", ".yml", ".html", ".sh":
		return true
	}
	return path.Base(name) == "Makefile" || path.Base(name) == "install"
}
