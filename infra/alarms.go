package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/operator"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// alarm is one condition that alerts a person.
type alarm struct {
	id, about string
	metric    awscloudwatch.IMetric
	above     float64
	below     bool // goes off below the threshold instead
	periods   float64
	missing   awscloudwatch.TreatMissingData
}

// ours is a metric that the functions log.
func (s *Stack) ours(name metric.Name, statistic string) awscloudwatch.Metric {
	return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace: jsii.String(metric.Namespace), MetricName: jsii.String(string(name)),
		Statistic:     jsii.String(statistic),
		DimensionsMap: &map[string]*string{metric.Chain: jsii.String(s.chain.Name)}, Period: minutes(5),
	})
}

// oursBy is a metric that the functions log, for one value of its dimension.
func (s *Stack) oursBy(name metric.Name, statistic, value string) awscloudwatch.IMetric {
	m, _ := metric.Find(name)
	return awscloudwatch.NewMetric(&awscloudwatch.MetricProps{
		Namespace: jsii.String(metric.Namespace), MetricName: jsii.String(string(name)),
		Statistic: jsii.String(statistic),
		DimensionsMap: &map[string]*string{metric.Chain: jsii.String(s.chain.Name),
			string(m.Dimension): jsii.String(value)},
		Label: jsii.String(value), Period: minutes(5),
	})
}

// seat words the commands of this chain's operators.
func (s *Stack) seat() operator.Seat { return operator.Seat{Chain: s.chain.Name} }

// overTheCap is the period of the alarm FeeCap, in minutes. A job that fees above the cap hold back tries again after
// ten minutes at the latest (job.Policy.Retry): a longer period has no gaps.
const overTheCap = 15

func minutes(n float64) awscdk.Duration { return awscdk.Duration_Minutes(jsii.Number(n)) }

func (s *Stack) alarmList() []alarm {
	quiet := awscloudwatch.TreatMissingData_NOT_BREACHING
	// A balance is read where a transaction is: without a new value the last one holds.
	holds := awscloudwatch.TreatMissingData_IGNORE
	seat := s.seat()
	all := []alarm{
		{"LagTime", "the oldest unsettled block is too old. What blocks it: " + seat.Status(),
			s.ours(metric.LagSeconds, "Maximum"), float64(s.chain.LagSeconds), false, 3, quiet},
		{"Failed", "jobs wait for an operator: " + seat.Status(), s.ours(metric.FailedJobs, "Maximum"), 0, false,
			1, quiet},
		{"Overdue", "jobs are overdue and nobody takes them: look at the functions' errors",
			s.ours(metric.OverdueJobs, "Minimum"), 0, false, 6, quiet},
		{"Balance", "the wallet's balance is below min_balance: send funds to it",
			s.ours(metric.WalletBalance, "Minimum"), s.chain.MinBalance, true, 1, holds},
		{"FeeCap", "fees are above the cap, settlement waits: raise SETTLEMENT_FEE_CAP (DA_FEE_CAP) or wait",
			s.ours(metric.FeeCapReached, "Sum").With(&awscloudwatch.MetricOptions{Period: minutes(overTheCap)}),
			0, false, 2, quiet},
		{"Calls", "many calls to external services fail. Which service: " + seat.Ready(),
			s.ours(metric.CallErrors, "Sum"), 200, false, 3, quiet},
		// Reconcile logs its metrics every minute: silence means that the trigger function does not run.
		{"Silence", "the trigger function is not running: look at its errors and at the schedules",
			s.ours(metric.OverdueJobs, "SampleCount"), 1, true, 3, awscloudwatch.TreatMissingData_BREACHING},
		{"DeadLetters", "messages are in the dead-letter queue and stay there: look at the jobfailure function",
			s.queues[resource.DeadLetterQueue].MetricApproximateNumberOfMessagesVisible(&awscloudwatch.MetricOptions{
				Period:    minutes(5),
				Statistic: jsii.String("Minimum"),
			}), 0, false, 3, quiet},
	}
	if s.chain.LagBlocks > 0 { // how many blocks are many depends on the chain's pace: LagTime needs no such number
		all = append(all, alarm{"Lag", "settlement is more than lag_blocks behind. What blocks it: " + seat.Status(),
			s.ours(metric.LagBlocks, "Maximum"), float64(s.chain.LagBlocks), false, 3, quiet})
	}
	if s.chain.ownData() {
		all = append(all, alarm{"DataBalance",
			"the balance of the wallet that publishes data is below min_data_balance: send funds to it",
			s.ours(metric.DataBalance, "Minimum"), s.chain.MinDataBalance, true, 1, holds})
	}
	for _, q := range s.chain.sqsQueues() {
		if q.Name != resource.DeadLetterQueue {
			all = append(all, alarm{"Age" + title(q.Name), "messages of " + q.Name + " are not consumed",
				s.queues[q.Name].MetricApproximateAgeOfOldestMessage(&awscloudwatch.MetricOptions{
					Period:    minutes(5),
					Statistic: jsii.String("Maximum"),
				}),
				2 * q.Visibility.Seconds(), false, 2, quiet})
		}
	}
	for _, f := range s.chain.kafkaFunctions() {
		all = append(all, alarm{"Behind" + title(f), "messages for " + f + " wait in Kafka and are not consumed: " +
			"look at the function's errors, then at its event source mappings and the brokers",
			s.offsetLag(f, minutes(5), f),
			maxOffsetLag, false, 3, quiet})
	}
	for _, f := range functionsOf(s.chain) {
		fn := s.functions[f.Name]
		sum := &awscloudwatch.MetricOptions{Period: minutes(5), Statistic: jsii.String("Sum")}
		all = append(all,
			alarm{"Errors" + title(f.Name), "the function " + f.Name + " fails as a whole: its log says why",
				fn.MetricErrors(sum), 0, false, 3, quiet},
			alarm{"Throttles" + title(f.Name), "the function " + f.Name +
				" is throttled: look at the account's concurrency", fn.MetricThrottles(sum), 5, false, 3, quiet},
		)
		if f.Name == resource.FnHeads { // it listens until its time is nearly over, always
			continue
		}
		all = append(all, alarm{"Slow" + title(f.Name), "the function " + f.Name + " nearly runs out of time",
			fn.MetricDuration(&awscloudwatch.MetricOptions{
				Period:    minutes(5),
				Statistic: jsii.String("Maximum"),
			}), 0.9 * float64(f.Timeout.Milliseconds()), false, 2, quiet})
	}
	return all
}

// alarms makes the alarms.
func (s *Stack) alarms() {
	for _, a := range s.alarmList() {
		comparison := awscloudwatch.ComparisonOperator_GREATER_THAN_THRESHOLD
		if a.below {
			comparison = awscloudwatch.ComparisonOperator_LESS_THAN_THRESHOLD
		}
		made := awscloudwatch.NewAlarm(s.Stack, jsii.String("Alarm"+a.id), &awscloudwatch.AlarmProps{
			AlarmName:          jsii.String(resource.Physical(s.chain.Name, a.id)),
			AlarmDescription:   jsii.String(s.chain.Name + ": " + a.about),
			Metric:             a.metric,
			Threshold:          jsii.Number(a.above),
			ComparisonOperator: comparison,
			EvaluationPeriods:  jsii.Number(a.periods),
			TreatMissingData:   a.missing,
		})
		if cfn, ok := made.Node().DefaultChild().(awscloudwatch.CfnAlarm); ok {
			actions := &[]*string{s.topic.TopicArn()}
			cfn.SetAlarmActions(actions)
			cfn.SetOkActions(actions)
		}
	}
}
