package ops

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"

	"github.com/madara-orchestrator/orchestrator/shared/dev/report"
	"github.com/madara-orchestrator/orchestrator/shared/service/admin"
	"github.com/madara-orchestrator/orchestrator/shared/service/contracts"
)

// show asks for a path and prints the answer. attention says whether a person is needed; nil: never.
func show[T any](s *session, path string, print func(T), attention func(T) bool) (int, error) {
	var v T
	if code, err := s.ask("GET", path, nil, &v); code != OK {
		return code, err
	}
	if !s.json {
		print(v)
	}
	if attention != nil && attention(v) {
		return Attention, nil
	}
	return OK, nil
}

func blocked(l admin.Lag) bool { return l.Verdict.Level == admin.Blocked }

func (s *session) lag() (int, error) {
	return show(s, "/lag", func(l admin.Lag) { printLag(s.out, l) }, blocked)
}

// statusOf is the lag and the newest batches; as JSON the lag alone.
func (s *session) statusOf() (int, error) {
	return show(s, "/lag", func(l admin.Lag) {
		printLag(s.out, l)
		fmt.Fprintln(s.out)
		print := func(p admin.BatchPage) { printBatches(s.out, p.Batches, s.now()) }
		if code, err := show(s, "/batches?limit=8", print, nil); code != OK {
			fmt.Fprintf(s.out, "batches can't be read: %v\n", err)
		}
	}, blocked)
}

func (s *session) ready() (int, error) {
	return show(s, "/ready", func(r admin.Readiness) { printReady(s.out, r) },
		func(r admin.Readiness) bool { return !r.Ready })
}

func (s *session) contracts() (int, error) {
	return show(s, "/contracts", func(r contracts.Report) { report.Contracts(s.out, r) },
		func(r contracts.Report) bool { return r.Err() != nil })
}

func (s *session) alerts() (int, error) {
	return show(s, "/alerts", func(l admin.AlertList) { printAlerts(s.out, l) },
		func(l admin.AlertList) bool { return len(l.Alerts) > 0 })
}

// base is the path of batches.
func (s *session) base() string {
	if s.snos {
		return "/snos-batches"
	}
	return "/batches"
}

// of is the path of the batch that the command names.
func (s *session) of() string { return s.base() + "/" + url.PathEscape(s.args[0]) }

func (s *session) batches() (int, error) {
	q := url.Values{}
	set(q, "status", s.status)
	setNumber(q, "before", s.before)
	setNumber(q, "after", s.after)
	setNumber(q, "limit", s.limit)
	return show(s, s.base()+query(q), func(p admin.BatchPage) {
		printBatches(s.out, p.Batches, s.now())
		if p.Before != 0 {
			fmt.Fprintf(s.out, "more: -before %d\n", p.Before)
		}
		if p.After != 0 {
			fmt.Fprintf(s.out, "more: -after %d\n", p.After)
		}
	}, nil)
}

func (s *session) oneBatch() (int, error) {
	return show(s, s.of(), func(b admin.BatchDetail) { printBatch(s.out, b, s.now()) }, nil)
}

func (s *session) artifacts() (int, error) {
	if s.into != "" {
		return s.download()
	}
	return show(s, s.of()+"/artifacts", func(l admin.ArtifactList) { printArtifacts(s.out, l, s.links) }, nil)
}

func (s *session) block() (int, error) {
	return show(s, "/blocks/"+url.PathEscape(s.args[0]),
		func(b admin.BlockStatus) { printBlock(s.out, b, s.now()) }, nil)
}

func (s *session) jobs() (int, error) {
	if s.batch != 0 {
		return show(s, s.base()+"/"+strconv.FormatUint(s.batch, 10), func(b admin.BatchDetail) {
			printJobs(s.out, slices.DeleteFunc(b.Jobs, func(j admin.Job) bool {
				return s.stage != "" && j.Type != s.stage || s.status != "" && j.Status != s.status
			}), s.now())
		}, nil)
	}
	q := url.Values{}
	set(q, "type", s.stage)
	set(q, "status", s.status)
	setNumber(q, "limit", s.limit)
	if s.newest {
		q.Set("newest", "true")
	}
	return show(s, "/jobs"+query(q), func(p admin.JobPage) {
		printJobs(s.out, p.Jobs, s.now())
		if p.NextCursor != "" {
			fmt.Fprintln(s.out, "there are more: choose with -stage, -status or -batch")
		}
	}, nil)
}

func (s *session) oneJob() (int, error) {
	return show(s, "/jobs/"+url.PathEscape(s.args[0]), func(j admin.JobDetail) { printJob(s.out, j, s.now()) }, nil)
}

func (s *session) stages() (int, error) {
	return show(s, "/stages", func(l admin.StageList) { printStages(s.out, l) }, nil)
}

func (s *session) wallet() (int, error) {
	return show(s, "/wallet", func(w admin.Wallet) { printWallets(s.out, w) }, nil)
}

func (s *session) ledger() (int, error) {
	q := url.Values{}
	setNumber(q, "days", s.days)
	return show(s, "/ledger"+query(q), func(l admin.Sums) { printLedger(s.out, l) }, nil)
}

func query(q url.Values) string {
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

func set(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

func setNumber(q url.Values, name string, n uint64) {
	if n != 0 {
		q.Set(name, strconv.FormatUint(n, 10))
	}
}

func (s *session) history() (int, error) {
	return show(s, "/history", func(h admin.History) { printHistory(s.out, h) }, nil)
}
