package sharp

import (
	"crypto/sha1" // what RFC 9562 has version 5 UUIDs made with; they are names, not secrets
	"fmt"
	"regexp"
	"strings"
)

// urlNamespace is the namespace of URLs of RFC 9562, section 6.6.
var urlNamespace = [16]byte{0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4,
	0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}

// namespace is the UUID that all keys are made under.
var namespace = version5(urlNamespace, "https://github.com/madara-orchestrator/orchestrator/sharp")

// version5 is the version 5 UUID of a name (RFC 9562, section 5.5).
func version5(space [16]byte, name string) (u [16]byte) {
	sum := sha1.Sum(append(space[:], name...))
	copy(u[:], sum[:16])
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	return u
}

// keyOf is the job key of a dedup id: the same one for the same id, for ever.
func keyOf(dedup string) string {
	u := version5(namespace, dedup)
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}

var (
	keyPattern  = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)
	factPattern = regexp.MustCompile(`^0x[0-9a-f]{64}$`)
)

// applicative is what aggregations' tasks begin with: applicative/KEY/FACT. A child's task is its key.
const applicative = "applicative/"

// parse takes a task apart; fact is "" for a child. ok is false for a task that is none of ours.
func parse(task string) (key, fact string, ok bool) {
	rest, isAggregation := strings.CutPrefix(task, applicative)
	key = rest
	if isAggregation {
		key, fact, _ = strings.Cut(rest, "/")
		if !factPattern.MatchString(fact) {
			return "", "", false
		}
	}
	return key, fact, keyPattern.MatchString(key)
}
