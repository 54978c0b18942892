// Command jobfailure is the Lambda function of dead letters: it marks what is lost and alerts.
package main

import "github.com/madara-orchestrator/orchestrator/shared/setup/cloud"

func main() { cloud.Main(wire) }
