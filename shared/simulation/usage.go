package simulation

// Usage is what a run asked of the services around it: the basis of what a deployment costs.
type Usage struct {
	Invocations map[string]int // of functions, by name
	Calls       map[Call]int
	Received    int // requests by which messages were received and deleted
}

// Call is an I/O call of a function: the port's component and method, as fault.Op names them.
type Call struct{ Function, Component, Method string }
