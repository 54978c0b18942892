package main

import (
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/madara-orchestrator/orchestrator/shared/client/kafka"
	"github.com/madara-orchestrator/orchestrator/shared/config"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

var clusterPattern = regexp.MustCompile(
	`^arn:aws[a-z-]*:kafka:[a-z0-9-]+:[0-9]{12}:cluster/[A-Za-z0-9-]+/[A-Za-z0-9-]+$`)

// words are the secrets that it names.
func (k Kafka) words() []string {
	return slices.DeleteFunc([]string{k.Secret, k.CASecret}, func(w string) bool { return w == "" })
}

func (c Chain) kafkaFaults(cs *checks) {
	k := c.Kafka
	cs.want(slices.Contains([]string{"", config.SQS, config.Kafka}, c.Queue), "queue", "%q: want sqs or kafka", c.Queue)
	if c.Queue != config.Kafka {
		cs.want(len(k.BootstrapServers) == 0 && k.Cluster+k.Auth+k.Secret+k.CASecret == "", "kafka",
			"it belongs to queue: kafka")
		return
	}
	if len(k.BootstrapServers) > 0 {
		err := kafka.CheckBrokers(k.BootstrapServers)
		cs.want(err == nil, "kafka.bootstrap_servers", "%v", err)
	}
	cs.want(k.Cluster == "" || clusterPattern.MatchString(k.Cluster), "kafka.cluster",
		"%.100q: want the ARN of an Amazon MSK cluster", k.Cluster)
	auth := kafka.Auth(k.Auth)
	switch {
	case k.Cluster != "":
		cs.want(slices.Contains([]kafka.Auth{kafka.Scram512, kafka.MTLS, kafka.IAM}, auth), "kafka.auth",
			"%q: for Amazon MSK want scram-sha-512, mtls or iam", k.Auth)
		cs.want(k.CASecret == "", "kafka.ca_secret", "Amazon MSK's certificates are of a known authority")
	default:
		cs.want(auth != kafka.IAM, "kafka.auth", "iam is for Amazon MSK: name the cluster")
	}
	cs.want(!c.prod() || auth != "" && auth != kafka.NoAuth, "kafka.auth",
		"in prod the brokers must know who writes, and connections must be encrypted: want one of %q",
		kafka.Auths()[1:])
	for path, word := range map[string]string{"kafka.secret": k.Secret, "kafka.ca_secret": k.CASecret} {
		cs.want(word == "" || wordPattern.MatchString(word), path,
			"want a word that names the secret, never its value (what is there is not shown)")
	}
}

// sqsQueues are the queues that are SQS's. Where queues are Kafka's topics one is left: the schedules' dead letters,
// which EventBridge can put nowhere else.
func (c Chain) sqsQueues() []resource.Queue {
	all := queuesOf(c)
	if c.Queue != config.Kafka {
		return all
	}
	return slices.DeleteFunc(all, func(q resource.Queue) bool { return q.Name != resource.DeadLetterQueue })
}

// topics are the queues that are Kafka's topics.
func (c Chain) topics() []resource.Queue {
	if c.Queue != config.Kafka {
		return nil
	}
	return queuesOf(c)
}

// kafkaFunctions are the functions that topics are for.
func (c Chain) kafkaFunctions() []string {
	var out []string
	for _, q := range c.topics() {
		out = append(out, q.Function)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// maxOffsetLag is how many messages may wait for a function: more than Reconcile sends in one run (500), so that a
// burst alarms nobody.
const maxOffsetLag = 1000

// offsetLag is how many messages of its topics wait for a function.
func (s *Stack) offsetLag(function string, period awscdk.Duration, label string) awscloudwatch.IMetric {
	return s.functions[function].Metric(jsii.String("OffsetLag"), &awscloudwatch.MetricOptions{
		Label: jsii.String(label), Period: period, Statistic: jsii.String("Maximum"),
	})
}

// sourceKafka has Lambda give a topic's messages to its function. The consumer group has the topic's name, as the
// programs that run beside Lambda have it.
func (s *Stack) sourceKafka(q resource.Queue) {
	topic := resource.Physical(s.chain.Name, q.Name)
	p := &awslambda.CfnEventSourceMappingProps{
		FunctionName:               s.functions[q.Function].FunctionArn(),
		Topics:                     jsii.Strings(topic),
		BatchSize:                  jsii.Number(float64(q.BatchSize)),
		StartingPosition:           jsii.String("TRIM_HORIZON"),
		Enabled:                    jsii.Bool(true),
		SourceAccessConfigurations: s.kafkaAccess(),
	}
	if s.chain.Kafka.Cluster != "" {
		p.EventSourceArn = jsii.String(s.chain.Kafka.Cluster)
		p.AmazonManagedKafkaEventSourceConfig =
			&awslambda.CfnEventSourceMapping_AmazonManagedKafkaEventSourceConfigProperty{
				ConsumerGroupId: jsii.String(topic)}
	} else {
		p.SelfManagedEventSource = &awslambda.CfnEventSourceMapping_SelfManagedEventSourceProperty{
			Endpoints: &awslambda.CfnEventSourceMapping_EndpointsProperty{
				KafkaBootstrapServers: jsii.Strings(s.chain.Kafka.BootstrapServers...)}}
		p.SelfManagedKafkaEventSourceConfig =
			&awslambda.CfnEventSourceMapping_SelfManagedKafkaEventSourceConfigProperty{
				ConsumerGroupId: jsii.String(topic)}
	}
	awslambda.NewCfnEventSourceMapping(s.Stack, jsii.String("Topic"+title(q.Name)), p).
		Node().AddDependency(s.functions[q.Function].Role())
}

// kafkaAccess is how Lambda reaches the brokers: its names of the ways to authenticate, and the functions' network.
// Amazon MSK has one of its own.
func (s *Stack) kafkaAccess() *[]*awslambda.CfnEventSourceMapping_SourceAccessConfigurationProperty {
	out := []*awslambda.CfnEventSourceMapping_SourceAccessConfigurationProperty{}
	add := func(kind string, uri *string) {
		out = append(out, &awslambda.CfnEventSourceMapping_SourceAccessConfigurationProperty{
			Type: jsii.String(kind), Uri: uri})
	}
	k := s.chain.Kafka
	if k.Secret != "" {
		add(map[kafka.Auth]string{
			kafka.Plain: "BASIC_AUTH", kafka.Scram256: "SASL_SCRAM_256_AUTH", kafka.Scram512: "SASL_SCRAM_512_AUTH",
			kafka.MTLS: "CLIENT_CERTIFICATE_TLS_AUTH",
		}[kafka.Auth(k.Auth)], s.secrets[k.Secret].AttrId())
	}
	if k.CASecret != "" {
		add("SERVER_ROOT_CA_CERTIFICATE", s.secrets[k.CASecret].AttrId())
	}
	if s.vpc != nil && k.Cluster == "" {
		for _, subnet := range *s.vpc.PrivateSubnets() {
			add("VPC_SUBNET", awscdk.Fn_Join(jsii.String(""), &[]*string{jsii.String("subnet:"), subnet.SubnetId()}))
		}
		add("VPC_SECURITY_GROUP", awscdk.Fn_Join(jsii.String(""),
			&[]*string{jsii.String("security_group:"), s.inside.SecurityGroupId()}))
	}
	if len(out) == 0 {
		return nil
	}
	return &out
}

// permitKafka lets a role read and write topics of an Amazon MSK cluster; clusters of one's own have rights of their
// own.
func (s *Stack) permitKafka(role awsiam.Role, function string, a resource.Access) {
	cluster := s.chain.Kafka.Cluster
	if s.chain.Queue != config.Kafka || cluster == "" {
		return
	}
	if len(a.Consumes) > 0 { // what Lambda asks of the role to find brokers and network
		allow(role, jsii.String(cluster), "kafka:DescribeCluster", "kafka:DescribeClusterV2",
			"kafka:GetBootstrapBrokers")
		allowAll(role, "Lambda looks for the cluster's network, which has no name beforehand (AWS Lambda, Amazon MSK: "+
			"execution role permissions)", "ec2:DescribeVpcs", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets")
	}
	if kafka.Auth(s.chain.Kafka.Auth) != kafka.IAM {
		return
	}
	ours := func(names ...string) []string { // a queue of the other layer is none of the chain's
		names = slices.DeleteFunc(slices.Clone(names), func(n string) bool {
			return !slices.ContainsFunc(s.chain.topics(), func(q resource.Queue) bool { return q.Name == n })
		})
		slices.Sort(names)
		return slices.Compact(names)
	}
	of := func(kind, queue string) *string {
		return jsii.String(strings.Replace(cluster, ":cluster/", ":"+kind+"/", 1) + "/" +
			resource.Physical(s.chain.Name, queue))
	}
	allow(role, jsii.String(cluster), "kafka-cluster:Connect", "kafka-cluster:DescribeClusterDynamicConfiguration")
	writes := slices.Concat(a.Sends, a.Consumes) // what failed goes back to where it came from, or to the dead letters
	if len(a.Consumes) > 0 {
		writes = append(writes, resource.DeadLetterQueue)
	}
	for _, q := range ours(writes...) {
		allow(role, of("topic", q), "kafka-cluster:DescribeTopic", "kafka-cluster:WriteData")
		if function == resource.FnTrigger { // it makes the topics
			allow(role, of("topic", q), "kafka-cluster:CreateTopic")
		}
	}
	for _, q := range ours(a.Consumes...) {
		allow(role, of("topic", q), "kafka-cluster:DescribeTopic", "kafka-cluster:ReadData")
		allow(role, of("group", q), "kafka-cluster:DescribeGroup", "kafka-cluster:AlterGroup")
	}
	for _, q := range ours(a.Pings...) {
		allow(role, of("topic", q), "kafka-cluster:DescribeTopic")
	}
}
