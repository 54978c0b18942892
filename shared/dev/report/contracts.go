package report

import (
	"fmt"
	"io"
	"strings"

	"github.com/madara-orchestrator/orchestrator/shared/service/contracts"
)

// Contracts prints how the core contract compares with settings and app chain.
func Contracts(w io.Writer, r contracts.Report) {
	const indent = "         "
	fmt.Fprintf(w, "core contract %s\n\n", r.Contract)
	for _, l := range r.Lines {
		verdict := string(l.Verdict)
		if l.Verdict == contracts.Wrong {
			verdict = strings.ToUpper(verdict)
		}
		fmt.Fprintf(w, "%-8s %s\n", verdict, l.Name)
		if l.Found != "" {
			Wrap(w, indent, "found "+l.Found)
		}
		if l.Want != "" && l.Verdict != contracts.Right {
			Wrap(w, indent, "want  "+l.Want)
		}
		if l.Do != "" {
			Wrap(w, indent, l.Do)
		}
	}
}
