package main

import (
	"bytes"
	"go/scanner"
	"go/token"
	"regexp"
	"slices"
	"strings"
)

// banned is a word or phrase that readers whose first language is not English do not take in at once.
type banned struct {
	pattern *regexp.Regexp
	say     string // what to write instead
	// except are phrases with the word that are plain English; a match that overlaps one is left alone.
	except *regexp.Regexp
}

func ban(pattern, say string) banned {
	return banned{pattern: regexp.MustCompile(`(?i)\b(?:` + pattern + `)\b`), say: say}
}

func (b banned) but(except string) banned {
	b.except = regexp.MustCompile(`(?i)\b(?:` + except + `)`)
	return b
}

// list is what is banned. docs/terminology.md has the words to use instead.
var list = []banned{
	ban(`troubles?|troubled|troublesome`, "transient failure, problem, error"),
	ban(`mend|mends|mended|mending`, "fix"),
	ban(`stand-ins?`, "fake"),
	ban(`seldom`, "rarely"),
	ban(`reckon|reckons|reckoned|reckoning`, "compute, count"),
	ban(`heed|heeds|heeded|heeding|unheeded`, "follow, use"),
	ban(`anew`, "again"),
	ban(`outside world`, "external service"),
	ban(`see to it|sees to it|saw to it|seen to it`, "make sure"),
	ban(`(?:hold|holds|held)(?: \S+){0,5} against`, "compare with, check"),
	ban(`tell|tells|told|telling`, "report, return, show, say"),
	ban(`wish|wishes|wished`, "request, requested delay"),
	ban(`strangers?|stranger's`, "third party"),
	ban(`but for`, "except, other than").but(`but for (?:an? )?(?:each|every|all|now|example|that|this|l2|l3)\b`),
	ban(`is no \w+`, "is not a, there is no").but(`(?:there|here) is no \w+|is no (?:longer|more|such)\b`),
	ban(`are no \w+`, "are not, there are no").but(`(?:there|here) are no \w+|are no (?:longer|more|such)\b`),
	ban(`has not|have not`, "does not have").
		but(`(?:has|have) not (?:yet|been|changed|\w+ed|\w+en|come|begun|run|read|had|set|put|met|found|made|sent|left|lost|kept|gone|done)\b`),
}

// finding is one banned word in a file.
type finding struct {
	line      int // from 1
	text, say string
}

// check returns the banned words of a file: in Go only those of comments and strings.
func check(name string, content []byte) []finding {
	if strings.HasSuffix(name, ".go") {
		content = proseOfGo(content)
	}
	var out []finding
	for i, line := range strings.Split(string(content), "\n") {
		for _, b := range list {
			for _, at := range b.pattern.FindAllStringIndex(line, -1) {
				if !b.allowed(line, at) {
					out = append(out, finding{i + 1, line[at[0]:at[1]], b.say})
				}
			}
		}
	}
	return out
}

func (b banned) allowed(line string, at []int) bool {
	if b.except == nil {
		return false
	}
	return slices.ContainsFunc(b.except.FindAllStringIndex(line, -1), func(x []int) bool { return x[0] < at[1] && at[0] < x[1] })
}

// proseOfGo returns the comments and strings of Go code, on the lines where they stand.
func proseOfGo(code []byte) []byte {
	out := bytes.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return ' '
	}, code)
	if len(out) != len(code) { // characters of several bytes became one space: keep the places
		out = make([]byte, len(code))
		for i, b := range code {
			out[i] = ' '
			if b == '\n' {
				out[i] = b
			}
		}
	}
	fset := token.NewFileSet()
	file := fset.AddFile("", fset.Base(), len(code))
	var s scanner.Scanner
	s.Init(file, code, func(token.Position, string) {}, scanner.ScanComments)
	for {
		pos, tok, text := s.Scan()
		switch tok {
		case token.EOF:
			return out
		case token.COMMENT, token.STRING:
			copy(out[file.Offset(pos):], text)
		}
	}
}
