package ops

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
)

// rewind plans a rewind, and begins it with -apply.
func (s *session) rewind() (int, error) {
	if s.apply && s.reason == "" {
		return Usage, errors.New("with -apply give a reason, it is kept for the audit")
	}
	order := s.order()
	order["apply"] = s.apply
	var p admin.RewindPlan
	code, err := s.ask("POST", "/batches/"+url.PathEscape(s.args[0])+"/rewind", order, &p)
	if code != OK {
		return code, err
	}
	if !s.json {
		printRewindPlan(s.out, p)
	}
	if len(p.Refused) > 0 {
		return Refused, nil
	}
	return OK, nil
}

// rewinds lists the newest rewinds.
func (s *session) rewinds() (int, error) {
	var l admin.RewindList
	code, err := s.ask("GET", "/rewinds", nil, &l)
	if code != OK || s.json {
		return code, err
	}
	if len(l.Rewinds) == 0 {
		fmt.Fprintln(s.out, "nothing was rewound")
	}
	for _, r := range l.Rewinds {
		state := "under way"
		if !r.Done.IsZero() {
			state = "done " + r.Done.Format(time.RFC3339)
		}
		fmt.Fprintf(s.out, "from %s (epoch %d): %s\n", r.Name, r.Epoch, state)
		wrap(s.out, "  ", fmt.Sprintf("asked %s by %s: %s", r.At.Format(time.RFC3339), cmp.Or(r.By, "an operator"),
			r.Reason))
		fmt.Fprintf(s.out, "  %d batches are discarded\n", r.Discarded)
		if r.Note != "" {
			wrap(s.out, "  ", fmt.Sprintf("asked for was batch %d, but %s", r.Asked, r.Note))
		}
	}
	return OK, nil
}

func printRewindPlan(out io.Writer, p admin.RewindPlan) {
	head := "a rewind from %s on discards %d batches:\n"
	if p.Begun != nil {
		head = "begun: a rewind from %s on discards %d batches:\n"
	}
	fmt.Fprintf(out, head, p.Name, p.Discards)
	for _, b := range p.Batches {
		wrap(out, "  ", fmt.Sprintf("%s, blocks %d-%d, %s: %d SNOS and aggregator runs, %d proofs, %d prover steps%s",
			b.Name, b.StartBlock, b.EndBlock, b.Status, b.Runs, b.Proofs, b.Steps, left(b)))
	}
	if more := p.Discards - len(p.Batches); more > 0 {
		fmt.Fprintf(out, "  and %d more\n", more)
	}
	wrap(out, "", fmt.Sprintf("paid for them: %d runs, %d proofs, %d prover steps", p.Runs, p.Proofs, p.Steps))
	fmt.Fprintf(out, "batching begins again with block %d\n", p.FromBlock)
	for _, r := range p.Refused {
		wrap(out, "", "REFUSED: "+r.Detail+". "+strings.ToUpper(r.Do[:1])+r.Do[1:]+".")
	}
	switch {
	case p.Begun != nil:
		wrap(out, "", "It is carried out within some minutes; the command rewinds shows it.")
	case len(p.Refused) == 0:
		wrap(out, "", "Nothing is changed. To do it, add: -apply -reason \"...\"")
	}
}

// left is what stays at others of a discarded batch.
func left(b admin.LostBatch) string {
	out := ""
	if b.Bucket != "" {
		out += "; bucket " + b.Bucket + " stays open at the prover"
	}
	if b.Fee != "" {
		out += "; its data was published for " + b.Fee
	}
	if b.DataFee != "" {
		out += "; its data was published for " + amount(b.DataFee, "wei")
	}
	return out
}
