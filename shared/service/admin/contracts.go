package admin

import (
	"context"
	"fmt"

	"github.com/madara-orchestrator/orchestrator/shared/service/contracts"
)

// ErrNoContracts says that this deployment can't read its core contract.
var ErrNoContracts = fmt.Errorf("this deployment does not know its core contract: %w", ErrUnknown)

// CompareContracts compares the core contract with settings and app chain. Errors: ErrNoContracts, ErrOutside.
func (s *Service) CompareContracts(ctx context.Context) (contracts.Report, error) {
	if s.Contracts == nil {
		return contracts.Report{}, ErrNoContracts
	}
	r, err := within(ctx, checkTimeout, s.Contracts)
	if err != nil {
		return r, fmt.Errorf("compare the core contract: %w", err)
	}
	for i, l := range r.Lines {
		r.Lines[i].Do = Redact(l.Do) // it may quote a node's error
	}
	return r, nil
}
