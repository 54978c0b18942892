// Command hooks is the Lambda function of the provers' webhooks, the only routes that need no caller. It can't sign,
// reads no wallet's key and carries out no commands, and it has a concurrency of its own.
package main

import "github.com/madara-orchestrator/orchestrator/shared/setup/cloud"

func main() { cloud.MainOr(wire, unready) }
