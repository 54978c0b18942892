// Package admin answers operators: how far the chain's settlement is and what blocks it, which jobs and batches there
// are, and whether everything outside can be reached. It carries out their commands through service/executor, which
// alone writes the status of jobs.
package admin

import (
	"context"
	"errors"
	"log/slog"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/madara-orchestrator/orchestrator/shared/core/alert"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/event"
	"github.com/madara-orchestrator/orchestrator/shared/core/history"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/operator"
	"github.com/madara-orchestrator/orchestrator/shared/core/queue"
	"github.com/madara-orchestrator/orchestrator/shared/core/rewind"
	"github.com/madara-orchestrator/orchestrator/shared/core/schedule"
	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/service/contracts"
	"github.com/madara-orchestrator/orchestrator/shared/service/executor"
)

var (
	// ErrInvalid says that a question or a command makes no sense; the wrapping text says what is wanted instead.
	ErrInvalid = errors.New("invalid request")
	// ErrUnknown says that the chain has no such block, or that it is in no batch.
	ErrUnknown = errors.New("not found")
)

// Head reads the app chain's newest block; block.Source has it.
type Head interface {
	Head(ctx context.Context) (uint64, error)
}

// Headers reads headers of the app chain; block.Source has it.
type Headers interface {
	Headers(ctx context.Context, from, to uint64) ([]block.Header, error)
}

// Contract reads what is settled; settlement.Contract has it.
type Contract interface {
	State(ctx context.Context, finalized bool) (settlement.State, error)
}

// Service answers questions and carries out commands. All fields from Head on but FeeUnit may be left out. Safe for
// concurrent use.
type Service struct {
	Chain    string // the deployment's name
	Layer    stage.Layer
	Jobs     job.Store
	Batches  batch.Store
	Control  schedule.Control
	Executor *executor.Executor
	Queue    queue.Sender
	Trigger  string // the trigger queue's name
	Events   event.Bus
	Now      func() time.Time
	Head     Head          // nil: how far the chain is stays unknown; with Headers too the lag is known in seconds
	Contract Contract      // nil: what is settled stays unknown
	Reports  alert.Store   // of what is reported now; nil: unknown
	Rewinds  rewind.Store  // the record of rewinds; nil: none
	Rewinder Rewinder      // nil: nothing can be rewound
	Topic    alert.Topic   // of the alerts; nil: who gets them can't be changed
	History  history.Store // of what was removed; nil: nothing was
	// Wallet reads the wallet that settles; nil: unknown.
	Wallet func(ctx context.Context) (tx.Account, error)
	// DataWallet reads the wallet that publishes data on a layer of its own; nil: the wallet that settles does.
	DataWallet func(ctx context.Context) (tx.Account, error)
	// Contracts compares the core contract with settings and app chain; nil: it can't.
	Contracts func(ctx context.Context) (contracts.Report, error)
	Checks    []Check        // what Ready asks
	Artifacts artifact.Store // nil: its files can't be listed
	// Links makes links to files, which live LinkAge; nil or 0: there are none.
	Links    artifact.Linker
	LinkAge  time.Duration
	Seat     operator.Seat // from where operators act on this deployment; what hints and verdict name commands by
	FeeUnit  string        // of the settlement layer's fees: wei or fri
	Explorer string        // URL to which a transaction's hash is appended; "": no links
	Log      *slog.Logger

	seen lastKnown // by Lag
}

// Command is what an operator asks for, with what the audit needs.
type Command struct {
	By       string // who asks
	Reason   string // why; required where many jobs or a whole stage are concerned
	Priority bool   // past the stage's queue; jobs only
	Apply    bool   // carry it out, where a command is only planned otherwise
}

// Bounds of a command's texts, in characters.
const (
	MaxReason = 500
	MaxBy     = 200
)

// check refuses a reason that is missing where it is required, and texts that are too long or have control characters:
// both go into logs and events.
func (o Command) check(required bool) error {
	if required && o.Reason == "" {
		return invalid("this concerns a whole stage: give a reason, it is kept for the audit")
	}
	return o.Check()
}

// Check refuses texts that are too long or have control characters, with ErrInvalid.
func (o Command) Check() error {
	if err := checkText("reason", o.Reason, MaxReason); err != nil {
		return err
	}
	return checkText("by", o.By, MaxBy)
}

func checkText(name, text string, most int) error {
	if n := utf8.RuneCountInString(text); n > most {
		return invalid("%s has %d characters, at most %d", name, n, most)
	}
	for _, r := range text {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return invalid("%s has control characters or is not UTF-8", name)
		}
	}
	return nil
}

func (o Command) forExecutor() executor.Command {
	return executor.Command{By: o.By, Reason: o.Reason, Priority: o.Priority}
}

func (s *Service) log() *slog.Logger {
	if s.Log == nil {
		return slog.Default()
	}
	return s.Log
}

// l2 says whether the chain settles by aggregator batches.
func (s *Service) l2() bool { return s.Layer == stage.L2 }
