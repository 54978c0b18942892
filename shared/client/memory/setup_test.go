package memory_test

import (
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault/faulttest"
)

func must[T any](v T, err error) func(*testing.T) T { return faulttest.Must(v, err) }
