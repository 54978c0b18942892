package sending

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// flight is a transaction that may still be mined, with the job that it is of and the newest record with its nonce.
type flight struct {
	tx.Flight
	job    job.Job
	record tx.Record
}

// watched is how many completed jobs of a type are looked at, the newest ones: a reorganisation may have freed their
// nonces.
const watched = 32

// flights are the wallet's transactions for other payloads than the request's whose nonces are not used, by nonce.
// Those of jobs that wait for an operator count too: they may have been sent, or are sent once the job is retried.
func (s *Sender) flights(ctx context.Context, r Request, wallet tx.Account) ([]flight, error) {
	if s.Jobs == nil {
		return nil, nil
	}
	var out []flight
	for _, t := range s.Types {
		for _, f := range []job.Filter{
			{Type: t, Statuses: job.Unfinished(), Limit: job.MaxPage},
			{Type: t, Statuses: []job.Status{job.Completed}, Order: job.Descending, Limit: watched},
		} {
			js, err := s.Jobs.List(ctx, f)
			if err != nil {
				return nil, fmt.Errorf("list the %s jobs whose transactions are on their way: %w", t, err)
			}
			for _, j := range js {
				if j.Layer() == s.Layer { // those of others have nonces of another wallet
					out = append(out, r.flights(j, wallet)...)
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b flight) int { return cmp.Compare(a.Nonce, b.Nonce) })
	return out, nil
}

// flights are those of a job.
func (r Request) flights(j job.Job, wallet tx.Account) (out []flight) {
	order, blobs := tx.Beside, j.Blobs()
	if r.Order != nil && j.ID != r.JobID {
		order = r.Order(j)
	}
	for part, journal := range j.Journals() {
		if j.ID == r.JobID && part == r.Part {
			continue
		}
		own := journal.By(wallet.Address)
		for _, f := range own.Flights(wallet, blobs[part], order) {
			if order == tx.Before && j.Status == job.Completed && !included(j, own, f.Nonce) {
				f.Order = tx.Beside
			}
			out = append(out, flight{f, j, own.Newest(f.Nonce)})
		}
	}
	return out
}

// included says whether the transaction that completed a job has the nonce. Only that one is waited for, where the node
// does not show it or no longer. What a completed job signed besides is sent by nobody: another payload takes its
// nonce.
func included(j job.Job, of tx.Journal, nonce uint64) bool {
	m, ok := j.Metadata.(*job.StateTransitionMeta)
	return ok && m.Included != nil && slices.ContainsFunc(of.Records,
		func(r tx.Record) bool { return r.Nonce == nonce && r.Hash == m.Included.Hash })
}

// ahead are the flights that must be mined before a transaction with a nonce, the first of each job.
func ahead(fs []flight, nonce uint64) (out []flight) {
	for _, f := range fs {
		known := slices.ContainsFunc(out, func(o flight) bool { return o.job.ID == f.job.ID })
		if f.Order == tx.Before && f.Nonce < nonce && !known {
			out = append(out, f)
		}
	}
	return out
}

func jobsOf(fs []flight) (out []job.Job) {
	for _, f := range fs {
		out = append(out, f.job)
	}
	return out
}

// signed reads the transactions of flights.
func (s *Sender) signed(ctx context.Context, fs []flight) (out []tx.Signed, err error) {
	for _, f := range fs {
		raw, err := artifact.ReadAll(ctx, s.Raw, f.record.RawKey, maxRaw)
		if err != nil {
			return nil, fmt.Errorf("read signed transaction %s: %w", f.record.Hash, err)
		}
		out = append(out, tx.Signed{Hash: f.record.Hash, Raw: raw})
	}
	return out, nil
}
