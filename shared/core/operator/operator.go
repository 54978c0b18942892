// Package operator is the one place that words the commands with which operators act on a deployment: alerts, hints,
// the page and the API's verdict print them as they are typed. scripts/ops carries them out; a test parses each of them
// there.
package operator

import "strings"

// Seat is from where a deployment is operated: by its chain's name, or by a URL where the chain is not deployed (`make
// run`).
type Seat struct {
	Chain string
	URL   string // "": the deployment is found by the chain's name
}

// Reason is what a command's text has where the operator says why.
const Reason = `-reason "..."`

// Command is a `make ops` command as it is typed into a shell.
func (s Seat) Command(words ...string) string {
	if s.URL != "" {
		words = append([]string{"-url", s.URL}, words...)
		return "make ops ARGS='" + strings.Join(words, " ") + "'"
	}
	return "make ops CHAIN=" + s.Chain + " ARGS='" + strings.Join(words, " ") + "'"
}

// Status shows how far settlement is and what blocks it.
func (s Seat) Status() string { return s.Command("status") }

// Ready shows which external services can be used.
func (s Seat) Ready() string { return s.Command("ready") }

// Page shows the status page.
func (s Seat) Page() string { return s.Command("page") }

// Job shows a job with its recorded failures.
func (s Seat) Job(id string) string { return s.Command("job", id) }

// Retry starts a job again that waits for an operator.
func (s Seat) Retry(id string) string { return s.Command("retry", id) }

// RetryAll starts all jobs of a stage again that wait for an operator.
func (s Seat) RetryAll(stage string) string { return s.Command("retry", stage, Reason) }

// Resume lets a paused stage go on.
func (s Seat) Resume(stage string) string { return s.Command("resume", stage, Reason) }

// Requeue runs a stage's trigger worker and the next actions of its jobs now.
func (s Seat) Requeue(stage string) string { return s.Command("requeue", stage, Reason) }

// RunHooks is the path of the API to which SNOS runners post when a run has ended: the job's id follows.
const RunHooks = "/hooks/run/"
