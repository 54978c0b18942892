package job

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
)

// Message is a wake-up: a hint that a job's action may be due.
type Message struct {
	JobID      string `json:"job_id"`
	Type       Type   `json:"job_type"`
	Action     Action `json:"action"`
	Generation uint64 `json:"generation"`
	Epoch      uint64 `json:"epoch,omitempty"` // of the job: one that is gone was discarded by a later rewind
	TraceID    string `json:"trace_id,omitempty"`
}

// ErrBadMessage says that a message's body can't be a wake-up. Delivering it again will not help; it goes to the
// dead-letter path.
var ErrBadMessage = errors.New("malformed wake-up message")

// maxMessage is the largest body that is looked at, in bytes; ours have about 200.
const maxMessage = 4 << 10

var idPattern = regexp.MustCompile(`^[0-9a-f]{32}$`)

// ValidID says whether s has the form of a job id.
func ValidID(s string) bool { return idPattern.MatchString(s) }

// Encode returns the message's body.
func (m Message) Encode() string {
	b, err := json.Marshal(m)
	if err != nil {
		panic(err) // strings and integers always marshal
	}
	return string(b)
}

// DecodeMessage reads a body strictly: one JSON object, all fields known and in range. Errors wrap ErrBadMessage.
func DecodeMessage(body string) (Message, error) {
	var m Message
	if len(body) > maxMessage {
		return m, fmt.Errorf("%d bytes, at most %d: %w", len(body), maxMessage, ErrBadMessage)
	}
	if err := decodeStrict([]byte(body), &m); err != nil {
		return Message{}, fmt.Errorf("%w: %w", ErrBadMessage, err)
	}
	if !ValidID(m.JobID) {
		return Message{}, fmt.Errorf("%w: job_id %.80q is not 32 hex digits", ErrBadMessage, m.JobID)
	}
	if _, err := ParseType(string(m.Type)); err != nil {
		return Message{}, fmt.Errorf("%w: %w", ErrBadMessage, err)
	}
	if _, err := ParseAction(string(m.Action)); err != nil {
		return Message{}, fmt.Errorf("%w: %w", ErrBadMessage, err)
	}
	if m.Generation == 0 {
		return Message{}, fmt.Errorf("%w: generation is missing", ErrBadMessage)
	}
	return m, nil
}

func decodeStrict(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more after the value")
	}
	return nil
}
