// Command proofregistration is the Lambda function of ProofRegistration jobs (L3): it has proofs verified on the
// settlement layer.
package main

import "github.com/madara-orchestrator/orchestrator/shared/setup/cloud"

func main() { cloud.Main(wire) }
