// Command api is the Lambda function of the HTTP API and the status page.
package main

import "github.com/madara-orchestrator/orchestrator/shared/setup/cloud"

func main() { cloud.MainOr(wire, unready) }
