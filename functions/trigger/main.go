// Command trigger is the Lambda function that schedules invoke: batching, job creation, reconcile, cleanup; it serves
// the priority queues too.
package main

import "github.com/madara-orchestrator/orchestrator/shared/setup/cloud"

func main() { cloud.Main(wire) }
