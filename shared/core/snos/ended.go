package snos

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// RunName is the name under which a run is known to a service that takes short names; mark keeps the runs of one batch
// apart.
func RunName(k Kind, batch uint64, mark string) string {
	return fmt.Sprintf("%s-%d-%s", k, batch, mark)
}

// ParseRunName reads kind and batch out of a name that RunName made.
func ParseRunName(name string) (k Kind, batch uint64, ok bool) {
	kind, rest, _ := strings.Cut(name, "-")
	number, mark, _ := strings.Cut(rest, "-")
	batch, err := strconv.ParseUint(number, 10, 64)
	k = Kind(kind)
	return k, batch, err == nil && batch > 0 && mark != "" && (k == Run || k == Aggregate)
}

// Ended is the body of a message which says that a run has ended, well or not: {"ended_run":"snos-7-..."}. The service
// that runs it sends it, so it carries what that service knows.
type Ended struct {
	Run string `json:"ended_run"`
}

// maxEnded is the largest body that is looked at, in bytes.
const maxEnded = 1 << 10

// DecodeEnded reads a body. ok is false where it says nothing of a run; the error says that its run has no name of
// ours.
func DecodeEnded(body string) (k Kind, batch uint64, ok bool, err error) {
	var e Ended
	if len(body) > maxEnded || json.Unmarshal([]byte(body), &e) != nil || e.Run == "" {
		return "", 0, false, nil
	}
	k, batch, ok = ParseRunName(e.Run)
	if !ok {
		return "", 0, true, fmt.Errorf("ended run %.80q has no name of ours", e.Run)
	}
	return k, batch, true, nil
}
