// Command datasubmission is the Lambda function of DataSubmission jobs (L3): it publishes DA segments.
package main

import "github.com/madara-orchestrator/orchestrator/shared/setup/cloud"

func main() { cloud.Main(wire) }
