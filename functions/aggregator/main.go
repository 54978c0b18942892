// Command aggregator is the Lambda function of Aggregator jobs (L2): it aggregates the proofs of a batch.
package main

import "github.com/madara-orchestrator/orchestrator/shared/setup/cloud"

func main() { cloud.Main(wire) }
