package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdocdb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"
)

// deployNetwork makes a VPC where something needs one: two zones, and for functions one NAT gateway for the way out.
func (s *Stack) deployNetwork() {
	if !s.chain.inVPC() && s.chain.Snos.Image == "" {
		return
	}
	nat, subnets := 0, subnets(s.chain.inVPC())
	if s.chain.inVPC() {
		nat = 1
	}
	vpc := awsec2.NewVpc(s.Stack, jsii.String("Network"), &awsec2.VpcProps{
		// The region's first two zones, which CloudFormation knows: no look-up in an account while synthesizing.
		AvailabilityZones: &[]*string{zone(0), zone(1)}, NatGateways: jsii.Number(float64(nat)),
		SubnetConfiguration: &subnets,
	})
	vpc.AddFlowLog(jsii.String("Flow"), &awsec2.FlowLogOptions{
		TrafficType: awsec2.FlowLogTrafficType_REJECT, Destination: awsec2.FlowLogDestination_ToCloudWatchLogs(
			awslogs.NewLogGroup(s.Stack, jsii.String("LogNetwork"), &awslogs.LogGroupProps{
				Retention: retention(s.chain.LogDays), RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
			}), awsiam.NewRole(s.Stack, jsii.String("RoleNetworkLog"), &awsiam.RoleProps{
				Description: jsii.String("writes the log of refused connections of " + s.chain.Name),
				// Amazon VPC, "IAM role for publishing flow logs to CloudWatch Logs".
				AssumedBy: s.assumedBy("vpc-flow-logs.amazonaws.com",
					s.arn("ec2", "vpc-flow-log/*")),
			})),
	})
	vpc.AddGatewayEndpoint(jsii.String("S3"),
		&awsec2.GatewayVpcEndpointOptions{Service: awsec2.GatewayVpcEndpointAwsService_S3()})
	s.inside = awsec2.NewSecurityGroup(s.Stack, jsii.String("Inside"), &awsec2.SecurityGroupProps{
		Vpc:              vpc,
		AllowAllOutbound: jsii.Bool(true),
		Description:      jsii.String("functions and runners: nothing comes in"),
	})
	if s.chain.inVPC() { // otherwise the runner alone lives in it: functions reach AWS without a NAT gateway
		s.vpc = vpc
	}
	s.network = vpc
}

// subnetMask makes four subnets of the VPC's 10.0.0.0/16, two of a kind.
const subnetMask = 18

// subnets are those of the VPC. The public ones are the same in each layout, and the addresses of the private ones
// belong to nothing else: CloudFormation makes subnets before it deletes others, so a chain whose layouts shared
// addresses could not turn the functions' network on or off. Runners have public addresses where there is no way out
// by a NAT gateway, and nothing listens on them: without runs the network costs nothing then.
func subnets(private bool) []*awsec2.SubnetConfiguration {
	out := []*awsec2.SubnetConfiguration{{
		Name: jsii.String("Public"), SubnetType: awsec2.SubnetType_PUBLIC, CidrMask: jsii.Number(subnetMask),
	}}
	if private {
		out = append(out, &awsec2.SubnetConfiguration{
			Name: jsii.String("Private"), SubnetType: awsec2.SubnetType_PRIVATE_WITH_EGRESS,
			CidrMask: jsii.Number(subnetMask),
		})
	}
	return out
}

// knowZones answers what the CDK asks of an account although the VPC is given its zones: it compares the two, and
// without an answer `cdk synth` wants credentials (findings/cdk-vpc-looks-up-zones-it-is-given.sh). Nothing of it gets
// into the template, which names the zones by Fn::GetAZs. A stack takes context only while it is empty.
func (s *Stack) knowZones(account, region string) {
	s.Node().SetContext(jsii.String("availability-zones:account="+account+":region="+region),
		&[]*string{jsii.String(region + "a"), jsii.String(region + "b")})
}

func zone(i float64) *string { return awscdk.Fn_Select(jsii.Number(i), awscdk.Fn_GetAzs(nil)) }

// docDBPort is the database's port: not MongoDB's usual one, which is what scanners try.
const docDBPort = 27117

// database makes a DocumentDB cluster where the chain asks for one. The functions find its URI's parts in the secret.
func (s *Stack) database() {
	if !s.chain.Mongo.DocumentDB {
		return
	}
	const user = "orchestrator"
	cluster := awsdocdb.NewDatabaseCluster(s.Stack, jsii.String("Database"), &awsdocdb.DatabaseClusterProps{
		MasterUser: &awsdocdb.Login{
			Username:   jsii.String(user),
			SecretName: jsii.String(s.chain.secret("mongo")),
		},
		InstanceType:                   awsec2.NewInstanceType(jsii.String(s.chain.Mongo.Instance)),
		Instances:                      jsii.Number(float64(s.chain.Mongo.Instances)),
		Vpc:                            s.vpc,
		VpcSubnets:                     &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_WITH_EGRESS},
		StorageEncrypted:               jsii.Bool(true),
		DeletionProtection:             jsii.Bool(s.chain.prod()),
		RemovalPolicy:                  s.keep(),
		EngineVersion:                  jsii.String("5.0.0"),
		Port:                           jsii.Number(docDBPort),
		Backup:                         &awsdocdb.BackupProps{Retention: awscdk.Duration_Days(jsii.Number(7))},
		ExportAuditLogsToCloudWatch:    jsii.Bool(true),
		ExportProfilerLogsToCloudWatch: jsii.Bool(true),
	})
	cluster.Connections().AllowDefaultPortFrom(s.inside, jsii.String("functions"))
	s.mongo = cluster.Secret()
	s.mongo.ApplyRemovalPolicy(s.keep()) // its link to the database
	if login, ok := cluster.Node().FindChild(jsii.String("Secret")).Node().DefaultChild().(awscdk.CfnResource); ok {
		login.ApplyRemovalPolicy(s.keep(), nil)
	}
	excuse(cluster, "AwsSolutions-SMG4", unrotated)
	excuse(cluster, "AwsSolutions-DOC5", "the logs that DocumentDB can export are audit and profiler, and both are")
	excuse(cluster, "CdkNagValidationFailure",
		"the login is generated into Secrets Manager, so the rule finds no value to look at", "AwsSolutions-DOC3")
}
