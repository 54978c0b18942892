// Package fault makes calls fail on purpose. A store in memory or a fake of an external service makes every call of a
// port that would leave the process by Call, Act or Ping. These ask the Hook of the component's Env what goes wrong.
// Rules, Crash and Random are ready-made hooks. All errors that a fault makes wrap ErrInjected.
//
// Components that do not support a kind of fault ignore it:
//
//	kind        what happens                                            which components support it
//	FailBefore  an error, and the call has had no effect                all
//	FailAfter   an error, and the call has had its effect;              all
//	            Artifacts.Get: the object's second half can't be read
//	Throttle    FailBefore with ErrThrottled                            all
//	Twice       what is sent arrives twice                              Queues, Alerts, Events
//	Late        what is sent arrives Fault.By later                     Queues
//	Lose        what is sent never arrives, what is accepted is lost,   Queues, Alerts, Events, prover, runner,
//	                                                                    l1's Broadcast (the transaction is dropped)
//	Reorder     what is sent overtakes what was sent before, and comes  Queues, Events
//	            in reverse order
//	Stale       a read returns the state before the last write to what  Jobs, Batches, Controls, prover's Valid,
//	            it reads, or one block less                             blocks' Head, l1's reads
package fault
