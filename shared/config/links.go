package config

import (
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
)

// Links are the links to artifacts that the API gives out.
type Links struct {
	// How long a link works by which anyone who has it may download an artifact, up to 168h; it ends earlier with the
	// credentials of the function's role, some hours later. 0s: no links, and the API may read no artifact.
	Age time.Duration `env:"AGE" envDefault:"15m" unit:"duration" example:"1h"`
}

func (l Links) faults(f *faultList) {
	f.check(l.Age == 0 || artifact.CheckAge(l.Age) == nil, "LINK_AGE", "%s: want 0s for none, or %s to %s", l.Age,
		artifact.MinLinkAge, artifact.MaxLinkAge)
}
