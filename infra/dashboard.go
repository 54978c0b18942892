package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"github.com/madara-orchestrator/orchestrator/shared/core/metric"
	"github.com/madara-orchestrator/orchestrator/shared/core/stage"
	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// dashboard answers: where is my chain's settlement, and what blocks it?
func (s *Stack) dashboard() {
	d := awscloudwatch.NewDashboard(s.Stack, jsii.String("Dashboard"), &awscloudwatch.DashboardProps{
		DashboardName: jsii.String(resource.Physical(s.chain.Name, resource.Dashboard)),
	})
	d.AddWidgets(awscloudwatch.NewSingleValueWidget(&awscloudwatch.SingleValueWidgetProps{
		Title: jsii.String("Where settlement is"), Width: jsii.Number(24), Height: jsii.Number(3),
		Metrics: &[]awscloudwatch.IMetric{
			s.ours(metric.HeadBlock, "Maximum"), s.ours(metric.SettledBlock, "Maximum"),
			s.ours(metric.LagBlocks, "Maximum"), s.ours(metric.LagSeconds, "Maximum"),
			s.ours(metric.FailedJobs, "Maximum"), s.ours(metric.OverdueJobs, "Maximum"),
			s.ours(metric.WalletBalance, "Minimum"),
		},
	}))
	d.AddWidgets(s.help()...)
	d.AddWidgets(
		graph("Lag (blocks)", 8, s.ours(metric.LagBlocks, "Maximum")),
		graph("Lag (seconds)", 8, s.ours(metric.LagSeconds, "Maximum")),
		graph("Jobs that wait for an operator, and overdue", 8, s.ours(metric.FailedJobs, "Maximum"),
			s.ours(metric.OverdueJobs, "Maximum")),
	)
	d.AddWidgets(s.stageGraphs()...)
	d.AddWidgets(s.queueGraphs()...)
	d.AddWidgets(s.functionGraphs()...)
	wallets := []awscloudwatch.IMetric{s.ours(metric.WalletBalance, "Minimum")}
	if s.chain.ownData() {
		wallets = append(wallets, s.ours(metric.DataBalance, "Minimum"))
	}
	d.AddWidgets(graph("Wallet (wei or fri)", 6, wallets...),
		graph("Fees of settled batches (wei or fri)", 6, s.ours(metric.FeePaid, "Sum")),
		graph("Fee cap reached", 6, s.ours(metric.FeeCapReached, "Sum")),
		graph("Cold starts", 6, s.ours(metric.ColdStarts, "Sum")))
}

// graph is a graph of metrics, width of 24 columns wide.
func graph(name string, width float64, ms ...awscloudwatch.IMetric) awscloudwatch.IWidget {
	return awscloudwatch.NewGraphWidget(&awscloudwatch.GraphWidgetProps{
		Title: jsii.String(name), Width: jsii.Number(width), Left: &ms,
	})
}

// stageGraphs are about what batches spend their time with.
func (s *Stack) stageGraphs() []awscloudwatch.IWidget {
	var stages, failed []awscloudwatch.IMetric
	for _, n := range stage.WithJobs() {
		if s.chain.Layer.Has(n) {
			stages = append(stages, s.oursBy(metric.StageSeconds, "p90", string(n)))
		}
	}
	for _, service := range metric.Allowed(metric.Service) {
		failed = append(failed, s.oursBy(metric.CallErrors, "Sum", service))
	}
	return []awscloudwatch.IWidget{
		graph("From first block to settlement, p50 and p90 (s)", 8, s.ours(metric.SettleSeconds, "p50"),
			s.ours(metric.SettleSeconds, "p90")),
		graph("Time of each stage, p90 (s)", 8, stages...),
		graph("Calls to external services that failed", 8, failed...),
	}
}

func (s *Stack) queueGraphs() []awscloudwatch.IWidget {
	var age, waiting []awscloudwatch.IMetric
	for _, f := range s.chain.kafkaFunctions() {
		waiting = append(waiting, s.offsetLag(f, minutes(1), "Kafka: "+f))
	}
	for _, q := range s.chain.sqsQueues() {
		o := &awscloudwatch.MetricOptions{Label: jsii.String(q.Name), Period: minutes(1)}
		age = append(age, s.queues[q.Name].MetricApproximateAgeOfOldestMessage(o))
		waiting = append(waiting, s.queues[q.Name].MetricApproximateNumberOfMessagesVisible(o))
	}
	return []awscloudwatch.IWidget{
		graph("Messages waiting", 12, waiting...), graph("Age of the oldest message (s)", 12, age...),
	}
}

func (s *Stack) functionGraphs() []awscloudwatch.IWidget {
	var errors, duration, invocations []awscloudwatch.IMetric
	for _, f := range functionsOf(s.chain) {
		fn := s.functions[f.Name]
		o := func(statistic string) *awscloudwatch.MetricOptions {
			return &awscloudwatch.MetricOptions{
				Label: jsii.String(f.Name), Period: minutes(1), Statistic: jsii.String(statistic),
			}
		}
		errors, duration = append(errors, fn.MetricErrors(o("Sum"))), append(duration, fn.MetricDuration(o("p95")))
		invocations = append(invocations, fn.MetricInvocations(o("Sum")))
	}
	return []awscloudwatch.IWidget{
		graph("Functions: invocations", 8, invocations...), graph("Functions: errors", 8, errors...),
		graph("Functions: duration p95 (ms)", 8, duration...),
	}
}

// help says what to do about a chain that does not settle, beside what its functions logged.
func (s *Stack) help() []awscloudwatch.IWidget {
	groups := []string{}
	for _, f := range functionsOf(s.chain) {
		groups = append(groups, *s.functions[f.Name].LogGroup().LogGroupName())
	}
	return []awscloudwatch.IWidget{
		awscloudwatch.NewTextWidget(&awscloudwatch.TextWidgetProps{
			Width:  jsii.Number(6),
			Height: jsii.Number(6),
			Markdown: jsii.String("## What blocks it?\n\n`" + s.seat().Status() + "` names the job and what to do." +
				"\n\nWhat is paused: `" + s.seat().Command("stages") + "`.\n\n" +
				"A job that failed goes on with `" + s.seat().Retry("ID") + "`; what was logged about it is on the " +
				"right."),
		}),
		awscloudwatch.NewLogQueryWidget(&awscloudwatch.LogQueryWidgetProps{
			Title:         jsii.String("Errors and warnings, the newest first"),
			Width:         jsii.Number(18),
			Height:        jsii.Number(6),
			LogGroupNames: jsii.Strings(groups...),
			QueryLines: jsii.Strings("fields @timestamp, job_type, batch, msg, error",
				`filter level = "ERROR" or level = "WARN"`, "sort @timestamp desc", "limit 20"),
		}),
	}
}
