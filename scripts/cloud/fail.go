package main

import (
	"fmt"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/dev/stack"
	"github.com/madara-orchestrator/orchestrator/shared/dev/tools"
)

// failure is what breaks, to practise being on call.
type failure struct {
	part  string // the component that hangs; "": none
	proof int64  // number of the proof that is refused; 0: none
	once  *sync.Once
}

// outage is how long a component hangs: longer than the functions wait for it.
const outage = time.Minute

// parseFailure reads prover@3, l1 or mongo.
func parseFailure(v string, layer stage.Layer) (failure, error) {
	f := failure{once: &sync.Once{}}
	n, isProof, err := stack.RefusedProof(v)
	switch {
	case v == "":
		return f, nil
	case err != nil:
		return f, fmt.Errorf("-fail %w", err)
	case isProof:
		f.proof = n
		return f, nil
	case v == "l1" && layer == stage.L2:
		f.part = "anvil"
		return f, nil
	case v == "l1":
		return f, fmt.Errorf("-fail l1: an l3's fake of Starknet is part of this program; break an l2's")
	case v == "mongo":
		f.part = "mongod"
		return f, nil
	}
	return f, fmt.Errorf("-fail %q: want prover@3 (the third proof is refused once), or l1 or mongo (hangs for %s)",
		v, outage)
}

// proverKind is the prover that a deployment needs for the failure.
func (f failure) proverKind() string {
	if f.proof > 0 {
		return config.Atlantic
	}
	return config.MockProver
}

// begin lets the component hang, once.
func (f failure) begin(d *deployment) {
	if f.part == "" {
		return
	}
	f.once.Do(func() {
		resume, err := tools.Pause(d.parts[f.part])
		if err != nil {
			d.note("-fail: %v", err)
			return
		}
		d.note("%s hangs for %s", f.part, outage)
		time.AfterFunc(outage, func() {
			resume()
			d.note("%s answers again", f.part)
		})
	})
}
