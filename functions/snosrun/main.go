// Command snosrun is the Lambda function of SnosRun jobs: it submits SNOS runs and follows them.
package main

import "github.com/madara-orchestrator/orchestrator/shared/setup/cloud"

func main() { cloud.Main(wire) }
