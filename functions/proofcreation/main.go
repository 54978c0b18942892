// Command proofcreation is the Lambda function of ProofCreation jobs: it submits SNOS batches to the prover and follows
// them.
package main

import "github.com/madara-orchestrator/orchestrator/shared/setup/cloud"

func main() { cloud.Main(wire) }
