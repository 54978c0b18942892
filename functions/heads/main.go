// Command heads is the Lambda function that listens for new blocks and wakes batching; it is opt-in.
package main

import "github.com/madara-orchestrator/orchestrator/shared/setup/cloud"

func main() { cloud.Main(wire) }
