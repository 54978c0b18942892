package metric

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"time"
)

// Span is a part of a batch's trace. A batch has one trace, whose id is in the documents of the batch and of its jobs.
// The ids of the spans that others hang from are derived from what they are of, so that no invocation has to hand
// anything to the next: a job's attempt can name its parent long before the parent has ended.
//
//	batch                         from its first block to its settlement
//	├─ AggregatorBatching         while it was open
//	└─ SnosRun of SNOS batch 3    a job, from its creation to its completion
//	   ├─ process                 an attempt
//	   │  └─ SNOS runner: submit  a call to an external service
//	   └─ verify
type Span struct {
	Trace  string // of the batch, 32 hex digits
	ID     string // 16 hex digits
	Parent string // 16 hex digits; "" for the batch's own span
	Name   string
	Call   bool // a call to an external service
	Start  time.Time
	End    time.Time
	Attrs  []Attr
	Err    string // a word that says how it failed; "" where it did not
}

// Attr is an attribute of a span: a text, or a number where Text is "".
type Attr struct {
	Key    string
	Text   string
	Number int64
}

// Lengths of ids in hex digits, as W3C Trace Context has them.
const (
	traceDigits = 32
	spanDigits  = 16
)

func (s Span) valid() bool {
	return isID(s.Trace, traceDigits) && isID(s.ID, spanDigits) && (s.Parent == "" || isID(s.Parent, spanDigits))
}

// isID says whether a text is an id of so many hex digits. One of zeros only is none.
func isID(s string, digits int) bool {
	if len(s) != digits || strings.Trim(s, "0") == "" {
		return false
	}
	_, err := hex.DecodeString(s)
	return err == nil
}

// BatchSpan is the id of the span of a batch, the root of its trace.
func BatchSpan(trace string) string { return derived("batch", trace) }

// OpenSpan is the id of the span of the time while a batch of a kind was open.
func OpenSpan(trace, kind string, start uint64) string {
	return derived("open", trace, kind, string(binary.BigEndian.AppendUint64(nil, start)))
}

// JobSpan is the id of the span of a job.
func JobSpan(jobID string) string { return derived("job", jobID) }

func derived(parts ...string) string {
	sum := sha256.Sum256([]byte("orchestrator/" + strings.Join(parts, "/")))
	return hex.EncodeToString(sum[:spanDigits/2])
}

// NewSpanID returns the id of a span that no other hangs from.
func NewSpanID() string {
	var b [spanDigits / 2]byte
	binary.BigEndian.PutUint64(b[:], rand.Uint64()|1) // never zero
	return hex.EncodeToString(b[:])
}
