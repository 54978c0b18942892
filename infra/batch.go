package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
)

// batchRunner is the SNOS runner on AWS Batch.
type batchRunner struct {
	vpc awsec2.Vpc
}

// snosRunner makes what runs SNOS where the chain asks for it.
func (s *Stack) snosRunner() {}

// runnerEnvironment tells the functions of the runner.
func (s *Stack) runnerEnvironment(map[string]*string) {}

// permitRuns lets a role start and follow runs.
func (s *Stack) permitRuns(awsiam.Role) {}
