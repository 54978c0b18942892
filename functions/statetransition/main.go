// Command statetransition is the Lambda function of StateTransition jobs: it updates the state on the settlement layer.
package main

import "github.com/madara-orchestrator/orchestrator/shared/setup/cloud"

func main() { cloud.Main(wire) }
