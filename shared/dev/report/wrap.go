package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Width is the most columns of a line.
const Width = 80

// Wrap prints text in lines of at most Width columns. The first begins with head, the others are indented as far. A
// word that is longer stays whole: it is a hash, a URL or a command that is to be copied.
func Wrap(w io.Writer, head, text string) {
	indent := strings.Repeat(" ", utf8.RuneCountInString(head))
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		at := 0
		for i, word := range strings.Fields(line) {
			n := utf8.RuneCountInString(word)
			switch {
			case i == 0:
				fmt.Fprint(w, head)
				at = len(indent)
			case at+1+n > Width:
				fmt.Fprint(w, "\n", indent)
				at = len(indent)
			default:
				fmt.Fprint(w, " ")
				at++
			}
			fmt.Fprint(w, word)
			head, at = indent, at+n
		}
		fmt.Fprintln(w)
	}
}
