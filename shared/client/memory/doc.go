// Package memory is every port in memory: the embedded default of a local run, and the base of a deterministic
// simulation. It uses the standard library only, starts no goroutine, and with an injected clock and hook does the same
// thing in the same order at every run. Values are copied in and out, so no caller can change what is stored.
//
// # Faults
//
// Every call of a port that would leave the process goes through one helper, which asks the Hook of the component's Env
// what goes wrong. A component that a fault means nothing to works as without it.
//
//	kind        what happens                                            who knows it
//	FailBefore  an error, and nothing has happened                      all
//	FailAfter   an error, and all has happened; Artifacts.Get: the      all
//	            object's second half can't be read
//	Throttle    FailBefore with ErrThrottled                            all
//	Twice       what is sent arrives twice                              Queues, Alerts, Events
//	Late        what is sent arrives Fault.By later                     Queues
//	Lose        what is sent never arrives; what is accepted is lost;   Queues, Alerts, Events, Prover, Runner, Cache,
//	            what is cached is forgotten                             L1.Broadcast (the node drops it)
//	Reorder     what is sent overtakes what was sent before, and comes  Queues, Events
//	            in reverse order
//	Stale       a read sees the state before the last write to what it  Jobs, Batches, Controls, Prover.Valid, Blocks.Head,
//	            reads, or one block less                                L1's reads
//
// Errors of faults wrap ErrInjected. Rules, Crash and Random are ready-made hooks.
package memory
