package proof

import "fmt"

// Origin is what an aggregator batch was begun with. Its proofs belong together: another prover can't combine them.
type Origin struct {
	Prover string // Capabilities.Name; "" where an earlier release began it
	Bucket string // "" for provers without
}

// OtherProverError says that a batch was begun with another prover than the one of the settings. Setting that back
// helps.
type OtherProverError struct {
	Begun, Now string // the provers; Begun says of what kind it is where its name is not known
}

func (e *OtherProverError) Error() string {
	return fmt.Sprintf("the batch was begun with %s, the prover of the settings is %s: set PROVER_KIND back until the "+
		"batch is aggregated", e.Begun, e.Now)
}

// Prove returns an *OtherProverError where a prover may not be given the batch's SNOS batches: they would be paid for,
// and could not be aggregated.
func (o Origin) Prove(c Capabilities) error {
	if o.Prover != "" && o.Prover != c.Name || o.Bucket != "" && !c.Buckets {
		return o.other(c)
	}
	return nil
}

// Aggregate returns an *OtherProverError where a prover can't aggregate the batch.
func (o Origin) Aggregate(c Capabilities) error {
	if err := o.Prove(c); err != nil || (o.Bucket != "") == c.Buckets {
		return err
	}
	return o.other(c)
}

func (o Origin) other(c Capabilities) error {
	e := &OtherProverError{Begun: o.Prover, Now: c.Name}
	switch {
	case e.Begun != "":
	case o.Bucket != "":
		e.Begun = "a prover that has buckets"
	default:
		e.Begun = "a prover without buckets"
	}
	return e
}
