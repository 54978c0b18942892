package main

import (
	"go/scanner"
	"go/token"
	"path"
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
	ban(`orders? (?:of|from|by) (?:an?|the|two) (?:operator|person|caller)s?`, "command"),
	ban(`(?:operator|person|caller)s?'s? orders?`, "command"),
	ban(`but for`, "except, other than").but(`but for (?:an? )?(?:each|every|all|now|example|that|this|l2|l3)\b`),
	ban(`is no \w+`, "is not a, there is no").but(`(?:there|here) is no \w+|is no (?:longer|more|such)\b`),
	ban(`are no \w+`, "are not, there are no").but(`(?:there|here) are no \w+|are no (?:longer|more|such)\b`),
	ban(`has not|have not|(?:has|have) it not`, "does not have").
		but(`(?:has|have) not (?:yet|been|changed|\w+ed|\w+en|come|begun|run|read|had|set|put|met|found|made|sent|` +
			`left|lost|kept|gone|done)\b`),
}

// finding is one banned word in a file.
type finding struct {
	line      int // from 1
	text, say string
}

// check returns the banned words of a file and of its name; in Go those of comments, strings and names.
func check(name string, content []byte) []finding {
	out := inLine(0, "", words(path.Base(name)))
	if strings.HasSuffix(name, ".go") {
		content = textOfGo(content)
	}
	before := "" // the last word of the line before: "there" of "there is no", where the line breaks between
	for i, line := range strings.Split(string(content), "\n") {
		text := strings.TrimLeft(line, " \t/#*")
		out = append(out, inLine(i+1, before, text)...)
		before = ""
		if ws := strings.Fields(text); len(ws) > 1 {
			before = ws[len(ws)-1]
		}
	}
	return out
}

// inLine returns the banned words of a line, and of the phrases that begin with the word before it.
func inLine(number int, before, line string) []finding {
	var out []finding
	line = before + " " + line
	for _, b := range list {
		for _, at := range b.pattern.FindAllStringIndex(line, -1) {
			if at[1] > len(before) && !b.allowed(line, at) {
				out = append(out, finding{number, line[at[0]:at[1]], b.say})
			}
		}
	}
	return out
}

func (b banned) allowed(line string, at []int) bool {
	if b.except == nil {
		return false
	}
	return slices.ContainsFunc(b.except.FindAllStringIndex(line, -1),
		func(x []int) bool { return x[0] < at[1] && at[0] < x[1] })
}

// textOfGo returns the comments, strings and names of Go code, on the lines where they stand. A name is cut into its
// words, so that none of them is part of a phrase.
func textOfGo(code []byte) []byte {
	var out strings.Builder
	line := 1
	fset := token.NewFileSet()
	file := fset.AddFile("", fset.Base(), len(code))
	var s scanner.Scanner
	s.Init(file, code, func(token.Position, string) {}, scanner.ScanComments)
	for {
		pos, tok, text := s.Scan()
		if tok == token.EOF {
			return []byte(out.String())
		}
		switch tok {
		case token.IDENT:
			text = words(text)
		case token.COMMENT, token.STRING:
		default:
			continue
		}
		for ; line < file.Line(pos); line++ {
			out.WriteByte('\n')
		}
		out.WriteString(text)
		if tok != token.COMMENT { // a sentence may go on in the next line's comment
			out.WriteString(" | ")
		}
		line += strings.Count(text, "\n")
	}
}

// word is one word of a name: an upper-case run, or letters that begin with at most one capital.
var word = regexp.MustCompile(`[A-Z]+(?:[^a-zA-Z]|$)|[A-Z]?[a-z]+|[A-Z]+`)

// words cuts a name into its words.
func words(name string) string {
	return strings.Join(word.FindAllString(name, -1), " | ")
}
