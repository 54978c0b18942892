package main

import (
	"regexp"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsbatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsecr"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsecs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/jsii-runtime-go"

	"github.com/madara-orchestrator/orchestrator/shared/client/snosrunner/contract"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/core/job"
	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// runLimit is how long a run may take before Batch ends it; the jobs' own deadlines are longer.
const runLimit = 2 * 60 * 60

// scratchGiB is a run's disk: PIEs of some hundred MB and the programs' own files.
const scratchGiB = 50

// batchRunner is the SNOS runner on AWS Batch.
type batchRunner struct {
	queue      awsbatch.JobQueue
	definition awsbatch.EcsJobDefinition
}

// snosRunner makes what runs SNOS where the chain asks for it: Fargate, so nothing costs anything while nothing runs.
func (s *Stack) snosRunner() {
	if s.chain.Snos.Image == "" {
		return
	}
	s.runner = &batchRunner{queue: s.runnerQueue(), definition: s.runnerDefinition()}
}

// runnerName is that of all parts of the runner.
func (s *Stack) runnerName() *string { return jsii.String(resource.Physical(s.chain.Name, "snos")) }

// runnerRoles are what the container acts as, and what starts it.
func (s *Stack) runnerRoles() (role, start awsiam.Role) {
	role = awsiam.NewRole(s.Stack, jsii.String("RoleRunner"), &awsiam.RoleProps{
		AssumedBy: s.tasks(), Description: jsii.String("of the SNOS container of " + s.chain.Name),
	})
	start = awsiam.NewRole(s.Stack, jsii.String("RoleRunnerStart"), &awsiam.RoleProps{
		AssumedBy:   s.tasks(),
		Description: jsii.String("starts the SNOS container of " + s.chain.Name + ": its image and its log"),
	})
	for _, prefix := range []string{resource.SnosArtifacts, resource.AggregatorArtifacts} {
		s.allowObjects(role, prefix, "s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload")
	}
	allow(role, s.bucket.BucketArn(), "s3:ListBucket") // a missing object is "not found", not "access denied"
	return role, start
}

// containerEnvironment is what the container is given as plain variables and from secrets.
func (s *Stack) containerEnvironment() (env map[string]*string, secrets map[string]awsbatch.Secret) {
	env = map[string]*string{contract.Bucket: s.bucket.BucketName(),
		contract.Layer: jsii.String(string(s.chain.Layer))}
	secrets = map[string]awsbatch.Secret{}
	set := func(variable, plain, word string) {
		if word != "" {
			secret := awssecretsmanager.Secret_FromSecretCompleteArn(s.Stack,
				jsii.String("Runner"+title(word)), s.secrets[word].AttrId())
			secrets[variable] = awsbatch.Secret_FromSecretsManager(secret, nil)
		} else if plain != "" {
			env[variable] = jsii.String(plain)
		}
	}
	node, word := s.chain.snosNode()
	set(contract.RPC, node, word)
	set(contract.BackupRPC, s.chain.Settings["CHAIN_BACKUP_RPC"], s.chain.Settings["CHAIN_BACKUP_RPC_SECRET"])
	return env, secrets
}

// runnerDefinition is the container and how it is tried again.
func (s *Stack) runnerDefinition() awsbatch.EcsJobDefinition {
	logs := awslogs.NewLogGroup(s.Stack, jsii.String("LogRunner"), &awslogs.LogGroupProps{
		LogGroupName:  jsii.String("/orchestrator/" + s.chain.Name + "/runner"),
		Retention:     retention(s.chain.LogDays),
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	})
	role, start := s.runnerRoles()
	env, secrets := s.containerEnvironment()
	container := awsbatch.NewEcsFargateContainerDefinition(s.Stack, jsii.String("RunnerContainer"),
		&awsbatch.EcsFargateContainerDefinitionProps{
			Image:                s.image(),
			Cpu:                  jsii.Number(s.chain.Snos.VCPU),
			Memory:               awscdk.Size_Mebibytes(jsii.Number(float64(s.chain.Snos.MemoryMiB))),
			Environment:          &env,
			Secrets:              &secrets,
			JobRole:              role,
			ExecutionRole:        start,
			EphemeralStorageSize: awscdk.Size_Gibibytes(jsii.Number(scratchGiB)),
			// the way out where there is no NAT gateway; nothing comes in
			AssignPublicIp: jsii.Bool(!s.chain.inVPC()),
			Logging: awsecs.LogDriver_AwsLogs(&awsecs.AwsLogDriverProps{
				LogGroup:     logs,
				StreamPrefix: jsii.String("run"),
			}),
		})
	def := awsbatch.NewEcsJobDefinition(s.Stack, jsii.String("RunnerDefinition"), &awsbatch.EcsJobDefinitionProps{
		JobDefinitionName: s.runnerName(),
		Container:         container,
		Timeout:           awscdk.Duration_Seconds(jsii.Number(runLimit)),
		PropagateTags:     jsii.Bool(true),
		// of machines that were taken away alone; the orchestrator decides on all other failures
		RetryAttempts: jsii.Number(3),
		RetryStrategies: &[]awsbatch.RetryStrategy{
			awsbatch.RetryStrategy_Of(awsbatch.Action_RETRY, awsbatch.Reason_SPOT_INSTANCE_RECLAIMED()),
			awsbatch.RetryStrategy_Of(awsbatch.Action_RETRY, awsbatch.Reason_Custom(
				&awsbatch.CustomReason{OnStatusReason: jsii.String("Your Spot Task was interrupted*")})),
			awsbatch.RetryStrategy_Of(awsbatch.Action_EXIT,
				awsbatch.Reason_Custom(&awsbatch.CustomReason{OnReason: jsii.String("*")})),
		},
	})
	excuse(start, "AwsSolutions-IAM5", "a registry's login has no resource to name (ecr:GetAuthorizationToken)",
		"Resource::*")
	return def
}

// runnerQueue is where runs wait for a machine.
func (s *Stack) runnerQueue() awsbatch.JobQueue {
	subnets := awsec2.SubnetType_PUBLIC
	if s.chain.inVPC() {
		subnets = awsec2.SubnetType_PRIVATE_WITH_EGRESS
	}
	machines := awsbatch.NewFargateComputeEnvironment(s.Stack, jsii.String("RunnerMachines"),
		&awsbatch.FargateComputeEnvironmentProps{
			ComputeEnvironmentName: s.runnerName(),
			Vpc:                    s.network,
			VpcSubnets:             &awsec2.SubnetSelection{SubnetType: subnets},
			Spot:                   jsii.Bool(s.chain.Snos.Spot),
			MaxvCpus:               jsii.Number(float64(s.chain.Snos.MaxVCPU)),
			SecurityGroups:         &[]awsec2.ISecurityGroup{s.inside},
		})
	return awsbatch.NewJobQueue(s.Stack, jsii.String("RunnerQueue"), &awsbatch.JobQueueProps{
		JobQueueName: s.runnerName(),
		ComputeEnvironments: &[]*awsbatch.OrderedComputeEnvironment{{
			ComputeEnvironment: machines,
			Order:              jsii.Number(1),
		}},
	})
}

// tasks is ECS where it runs tasks of this account and region (Amazon ECS, "Amazon ECS task IAM role").
func (s *Stack) tasks() awsiam.IPrincipal {
	return s.assumedBy("ecs-tasks.amazonaws.com", s.arn("ecs", "*"))
}

// ecrImage takes a name in Amazon's registry apart: account, region, repository, and tag or digest.
var ecrImage = regexp.MustCompile(
	`^([0-9]{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([^:@]+)[:@](.+)$`)

// partition begins the names of the regions that share accounts and rights with a region: roles of one partition can
// use nothing of another. "": the one with most regions (AWS General Reference, "Amazon Resource Names").
func partition(region string) string {
	for _, p := range []string{"cn-", "us-gov-", "us-iso"} {
		if strings.HasPrefix(region, p) {
			return p
		}
	}
	return ""
}

// image is the runner's; one in Amazon's registry, of any region and account, may be pulled by its role. Another
// account's repository must allow that too.
func (s *Stack) image() awsecs.ContainerImage {
	m := ecrImage.FindStringSubmatch(s.chain.Snos.Image)
	if m == nil {
		return awsecs.ContainerImage_FromRegistry(jsii.String(s.chain.Snos.Image), nil)
	}
	account, region, name, tag := m[1], m[2], m[3], m[4]
	repository := awsecr.Repository_FromRepositoryAttributes(s.Stack,
		jsii.String("RunnerImage"), &awsecr.RepositoryAttributes{
			RepositoryName: jsii.String(name),
			RepositoryArn: jsii.String("arn:" + *s.Partition() + ":ecr:" + region + ":" + account + ":repository/" +
				name),
		})
	return awsecs.ContainerImage_FromEcrRepository(repository, jsii.String(tag))
}

// runnerEnvironment names the runner to the functions.
func (s *Stack) runnerEnvironment(env map[string]*string) {
	if s.runner != nil {
		env[config.Prefix+"SNOS_BATCH_QUEUE"] = s.runner.queue.JobQueueArn()
		env[config.Prefix+"SNOS_BATCH_DEFINITION"] = s.runner.definition.JobDefinitionArn()
	}
}

// permitRuns lets a function's role start and follow runs, and look whether they can start if it is asked about that.
func (s *Stack) permitRuns(role awsiam.Role, function string) {
	if s.runner == nil {
		return
	}
	// A submission is checked on the queue, the definition and the new job (service authorization reference of AWS
	// Batch: SubmitJob), and one with tags needs batch:TagResource on the same three.
	runs := s.arn("batch", "job/*")
	role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings("batch:SubmitJob", "batch:TagResource"),
		Resources: &[]*string{s.runner.queue.JobQueueArn(), s.runner.definition.JobDefinitionArn(), jsii.String(runs)},
		Conditions: &map[string]any{
			"StringEquals": map[string]string{"aws:RequestTag/" + contract.ChainTag: s.chain.Name}},
	}))
	// A run's ARN is a random id; these runs carry the tag that the orchestrator gives them.
	role.AddToPrincipalPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Actions:   jsii.Strings("batch:TerminateJob"),
		Resources: jsii.Strings(runs),
		Conditions: &map[string]any{
			"StringEquals": map[string]string{"aws:ResourceTag/" + contract.ChainTag: s.chain.Name}},
	}))
	excuse(role, "AwsSolutions-IAM5", "a run's ARN is a random id; the conditions keep to this chain's runs",
		`/^Resource::arn:.*:batch:.*:job\/\*$/g`)
	actions := []string{"batch:ListJobs", "batch:DescribeJobs"}
	if resource.Checking(function) {
		actions = append(actions, "batch:DescribeJobQueues", "batch:DescribeJobDefinitions")
	}
	allowAll(role, "they have no resource to name (service authorization reference of AWS Batch)", actions...)
}

// runnerBlocked has Batch report to the alerts' topic that the run at the head of the queue can't start, and why (AWS
// Batch, "Job queue blocked events"): such a run, and all behind it, waits for as long as that lasts.
func (s *Stack) runnerBlocked() {
	if s.runner == nil {
		return
	}
	rule := awsevents.NewCfnRule(s.Stack, jsii.String("RunsBlocked"), &awsevents.CfnRuleProps{
		Description: jsii.String("runs of " + s.chain.Name + " that can't start"),
		EventPattern: map[string]any{
			"source":      []string{"aws.batch"},
			"detail-type": []string{"Batch Job Queue Blocked"},
			"detail":      map[string]any{"jobQueue": []*string{s.runner.queue.JobQueueArn()}},
		},
		Targets: []*awsevents.CfnRule_TargetProperty{{
			Id: jsii.String("alerts"), Arn: s.topic.TopicArn(),
			InputTransformer: &awsevents.CfnRule_InputTransformerProperty{
				InputPathsMap: map[string]string{"run": "$.detail.jobName", "why": "$.detail.statusReason"},
				InputTemplate: jsii.String(`"` + s.chain.Name + `: the run <run> can't start, and those behind it ` +
					`wait too: <why>. CAPACITY passes by itself; MISCONFIGURATION is of snos (image, vcpu, max_vcpu) ` +
					`in the file of chains."`),
			},
		}},
	})
	s.topic.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: jsii.String("RunsBlocked"), Actions: jsii.Strings("sns:Publish"),
		Resources:  &[]*string{s.topic.TopicArn()},
		Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil)},
		Conditions: &map[string]any{"ArnEquals": map[string]*string{"aws:SourceArn": rule.AttrArn()},
			"StringEquals": map[string]*string{"aws:SourceAccount": s.Account()}},
	}))
}

// runnerEvents has Batch report the end of a run into the queue of the stage that waits for it. A run is known by its
// job's name (snos.RunName). What gets lost is found by a poll.
func (s *Stack) runnerEvents() {
	if s.runner == nil {
		return
	}
	for _, x := range []struct {
		stage job.Type
		kind  snos.Kind
	}{{job.SnosRun, snos.Run}, {job.Aggregator, snos.Aggregate}} {
		q, ok := s.queues[resource.Route(x.stage, job.Verify, false)]
		if !ok { // the layer has no such stage, or its queue is a topic of Kafka
			continue
		}
		rule := awsevents.NewCfnRule(s.Stack, jsii.String("RunsEnd"+string(x.stage)), &awsevents.CfnRuleProps{
			Description: jsii.String("the ends of runs for " + string(x.stage) + " of " + s.chain.Name),
			EventPattern: map[string]any{
				"source":      []string{"aws.batch"},
				"detail-type": []string{"Batch Job State Change"},
				"detail": map[string]any{
					"jobQueue": []*string{s.runner.queue.JobQueueArn()},
					"status":   []string{"SUCCEEDED", "FAILED"},
					"jobName":  []map[string]string{{"prefix": string(x.kind) + "-"}},
				},
			},
			Targets: []*awsevents.CfnRule_TargetProperty{{
				Id: jsii.String("queue"), Arn: q.QueueArn(),
				InputTransformer: &awsevents.CfnRule_InputTransformerProperty{
					InputPathsMap: map[string]string{"run": "$.detail.jobName"},
					InputTemplate: jsii.String(`{"ended_run":<run>}`), // EventBridge quotes it
				},
			}},
		})
		q.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid: jsii.String("RunsEnd"), Actions: jsii.Strings("sqs:SendMessage"), Resources: &[]*string{q.QueueArn()},
			Principals: &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), nil)},
			Conditions: &map[string]any{"ArnEquals": map[string]*string{"aws:SourceArn": rule.AttrArn()}},
		}))
	}
}
