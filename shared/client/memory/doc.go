// Package memory keeps what the system stores in memory: jobs, batches, locks, controls, artifacts, queues, and
// the alerts and events that were sent. It is the default of a local run and the base of the simulation. It uses
// the standard library only and starts no goroutine. With an injected clock and hook (package fault) every run does the
// same things in the same order. Values are copied in and out, so no caller can change what is stored.
package memory
