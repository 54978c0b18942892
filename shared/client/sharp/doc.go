// Package sharp is StarkWare's proving service SHARP behind its gateway as a proof.Prover.
//
// Children are jobs for applicative recursion, done as soon as the gateway has validated them. The aggregator program
// runs on our side; its PIE is submitted as an applicative job over the children, and is done when its fact is
// registered on the settlement layer, which a proof.FactChecker reads.
//
// Job keys are ours: a version 5 UUID of the request's dedup id, so that a repeated request names the same job. The
// gateway never takes a key again, also of a failed job; a new attempt has a new dedup id and so a new key.
package sharp
