package madaradb

import (
	"fmt"
	"math"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// document reads fields and keeps the first fault.
type document struct {
	raw bson.Raw
	err error
}

func (d *document) lookup(keys ...string) (bson.RawValue, bool) {
	v, err := d.raw.LookupErr(keys...)
	return v, err == nil && v.Type != bson.TypeNull
}

func (d *document) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
}

// number is a whole number that is not negative. Rust's bson writes u64 as a 64-bit integer; older migrations left
// doubles.
func (d *document) number(key string) uint64 {
	v, ok := d.lookup(key)
	if !ok {
		d.fail("the field %s is missing", key)
		return 0
	}
	n, whole := v.AsInt64OK()
	if f, isFloat := v.DoubleOK(); isFloat {
		n, whole = int64(f), f == math.Trunc(f) && math.Abs(f) < 1<<53
	}
	if !whole || n < 0 {
		d.fail("the field %s is not a whole number of 0 or more", key)
		return 0
	}
	return uint64(n)
}

func (d *document) text(key string) string {
	s := d.optional(key)
	if s == "" {
		d.fail("the field %s is missing or not a text", key)
	}
	return s
}

// optional is a text that may be missing.
func (d *document) optional(keys ...string) string {
	v, ok := d.lookup(keys...)
	if !ok {
		return ""
	}
	s, _ := v.StringValueOK()
	return s
}

// external is the job's external id: a text or a number (orchestrator/src/types/jobs/external_id.rs).
func (d *document) external(key string) string {
	v, ok := d.lookup(key)
	if !ok {
		d.fail("the field %s is missing", key)
		return ""
	}
	if s, ok := v.StringValueOK(); ok {
		return s
	}
	if n, ok := v.AsInt64OK(); ok {
		return fmt.Sprint(n)
	}
	d.fail("the field %s is neither a text nor a number", key)
	return ""
}

func (d *document) moment(key string) time.Time {
	v, ok := d.lookup(key)
	if !ok {
		d.fail("the field %s is missing", key)
		return time.Time{}
	}
	t, ok := v.TimeOK()
	if !ok {
		d.fail("the field %s is not a time", key)
	}
	return t
}

// noTransaction is what stands for "was settled already, nothing was sent" (event_handler/jobs/state_update.rs).
const noTransaction = "0x0000000000000000000000000000000000000000000000000000000000000000"

// transactions are the hashes that a job has sent: each attempt's of a state update, and tx_hash of it or of a data
// submission.
func (d *document) transactions() []string {
	var out []string
	add := func(h string) {
		if h != "" && h != noTransaction && !slices.Contains(out, h) {
			out = append(out, h)
		}
	}
	if v, ok := d.lookup("metadata", "specific", "tx_attempts"); ok {
		list, isList := v.ArrayOK()
		values, err := list.Values()
		if !isList || err != nil {
			d.fail("the field metadata.specific.tx_attempts is not a list")
		}
		for _, a := range values {
			if doc, ok := a.DocumentOK(); ok {
				attempt := document{raw: doc}
				add(attempt.optional("tx_hash"))
			}
		}
	}
	if v, ok := d.lookup("metadata", "specific", "tx_hashes"); ok { // before migration 3 of the old program
		if list, isList := v.ArrayOK(); isList {
			values, _ := list.Values()
			for _, a := range values {
				s, _ := a.StringValueOK()
				add(s)
			}
		}
	}
	add(d.optional("metadata", "specific", "tx_hash"))
	return out
}
