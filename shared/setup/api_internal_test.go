package setup

import (
	"context"
	"errors"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/settlement"
	"github.com/madara-orchestrator/orchestrator/shared/dev/fake/l1"
)

// However many questions there are, the settlement layer is opened once; where that fails, the next question tries it
// again.
func TestOpenedOnce(t *testing.T) {
	t.Parallel()
	chain, opens, away := l1.New(nil, l1.Config{}), 0, errors.New("KMS is away")
	o := opened(Once(func(context.Context) (settlement.Contract, Wallet, error) {
		if opens++; opens == 1 {
			return nil, Wallet{}, away
		}
		return chain, Wallet{Chain: chain}, nil
	}))
	if _, err := o.State(t.Context(), false); !errors.Is(err, away) {
		t.Errorf("where it can't be opened: %v", err)
	}
	for range 2 {
		_, serr := o.State(t.Context(), false)
		_, herr := o.Head(t.Context())
		_, aerr := o.Account(t.Context(), 0)
		_, lerr := o.Lookup(t.Context(), "0x1")
		_, werr := Account(Opener(o))(t.Context())
		if err := errors.Join(serr, herr, aerr, lerr, werr); err != nil {
			t.Fatal(err)
		}
	}
	if opens != 2 {
		t.Errorf("opened %d times", opens)
	}
}
