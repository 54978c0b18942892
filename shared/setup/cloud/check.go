package cloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
)

// A function is asked by an event {"check":true} whether the external services can be used that it alone has the
// secrets for. It answers with an object that holds, by the service's name, "" or why not.

// checkTime is how long one service may take to answer.
const checkTime = 3 * time.Second

// maxReason bounds what is said of why a service can't be used, in bytes.
const maxReason = 300

// Check adds a service that the function is asked about; whoever opens a client adds it.
func (p *Process) Check(service string, ping func(context.Context) error) {
	if p.checks == nil {
		p.checks = map[string]func(context.Context) error{}
	}
	p.checks[service] = ping
}

// Checks are the services that were added, with what asks them.
func (p *Process) Checks() map[string]func(context.Context) error { return p.checks }

// maxCheck bounds an event that asks for the checks, in bytes: longer ones, which carry work, are not decoded twice.
const maxCheck = 64

// isCheck says whether an event asks for the checks.
func isCheck(event []byte) bool {
	if len(event) > maxCheck {
		return false
	}
	var e struct {
		Check bool `json:"check"`
	}
	return json.Unmarshal(event, &e) == nil && e.Check
}

// check asks all services at once.
func (p *Process) check(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	type result struct{ service, reason string }
	results := make(chan result, len(p.checks))
	for service, ping := range p.checks {
		go func() {
			reason := ""
			if err := ping(ctx); err != nil {
				reason = redact.Text(err.Error(), maxReason)
			}
			results <- result{service, reason}
		}()
	}
	out := map[string]string{}
	for _, service := range slices.Collect(maps.Keys(p.checks)) {
		out[service] = "no answer in time"
	}
	for range p.checks {
		select {
		case r := <-results:
			out[r.service] = r.reason
		case <-ctx.Done(): // one that ignores it is given up
		}
	}
	return json.Marshal(out)
}

// Ask returns a check of a service by the function that has the secrets for it.
func Ask(invoke func(ctx context.Context, function string, event []byte) ([]byte, error), function,
	service string) func(context.Context) error {
	return func(ctx context.Context) error {
		answer, err := invoke(ctx, function, []byte(`{"check":true}`))
		if err != nil {
			return err
		}
		var said map[string]string
		if err := json.Unmarshal(answer, &said); err != nil {
			return fmt.Errorf("%s answers something else than a check: deploy it again", function)
		}
		reason, ok := said[service]
		switch {
		case !ok:
			return fmt.Errorf("%s does not check it", function)
		case reason != "":
			return errors.New(reason)
		}
		return nil
	}
}
