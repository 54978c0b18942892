package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigatewayv2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"

	"github.com/madara-orchestrator/orchestrator/shared/resource"
)

// accessLog is one line a request: who asked for what, and how it went. An IAM caller shows in user, a token's in
// subject and client. Paths of webhooks carry a secret, so the route is logged and not the path. The variables are
// those of the documentation of API Gateway, "Customizing HTTP API access logs".
const accessLog = `{"id":"$context.requestId","at":"$context.requestTimeEpoch","ip":"$context.identity.sourceIp",` +
	`"caller":"$context.identity.caller","user":"$context.identity.userArn",` +
	`"subject":"$context.authorizer.claims.sub","client":"$context.authorizer.claims.client_id",` +
	`"route":"$context.routeKey","status":"$context.status","bytes":"$context.responseLength",` +
	`"ms":"$context.responseLatency","denied":"$context.authorizer.error","error":"$context.integrationErrorMessage"}`

// frontDoor makes the HTTP API without its routes: functions get its address.
func (s *Stack) frontDoor() {
	s.http = awsapigatewayv2.NewCfnApi(s.Stack, jsii.String("Api"), &awsapigatewayv2.CfnApiProps{
		Name:         jsii.String(resource.Physical(s.chain.Name, "api")),
		ProtocolType: jsii.String("HTTP"),
		Description:  jsii.String("Orchestrator of " + s.chain.Name),
	})
}

// api makes the HTTP API's routes: every route needs a signature by IAM or a JWT, except webhooks, whose path carries a
// secret.
func (s *Stack) api() {
	api := s.http
	auth, authorizer := jsii.String("AWS_IAM"), (*string)(nil)
	if s.chain.API.Auth == "jwt" {
		auth = jsii.String("JWT")
		authorizer = awsapigatewayv2.NewCfnAuthorizer(s.Stack, jsii.String("ApiTokens"),
			&awsapigatewayv2.CfnAuthorizerProps{
				ApiId:          api.Ref(),
				AuthorizerType: jsii.String("JWT"),
				Name:           jsii.String("tokens"),
				IdentitySource: jsii.Strings("$request.header.Authorization"),
				JwtConfiguration: &awsapigatewayv2.CfnAuthorizer_JWTConfigurationProperty{
					Issuer: jsii.String(s.chain.API.Issuer), Audience: jsii.Strings(s.chain.API.Audience...),
				},
			}).Ref()
	}
	route := func(id, key string, target, auth, authorizer *string) awsapigatewayv2.CfnRoute {
		return awsapigatewayv2.NewCfnRoute(s.Stack, jsii.String(id), &awsapigatewayv2.CfnRouteProps{
			ApiId:             api.Ref(),
			RouteKey:          jsii.String(key),
			Target:            target,
			AuthorizationType: auth,
			AuthorizerId:      authorizer,
		})
	}
	target := s.served(api, "Api", resource.FnAPI)
	route("ApiRoot", "GET /", target, auth, authorizer)
	route("ApiRest", "ANY /{proxy+}", target, auth, authorizer)
	if len(s.chain.API.CommandScopes) > 0 {
		for id, key := range map[string]string{"ApiJobCommands": "POST /jobs/{proxy+}",
			"ApiStageCommands":      "POST /stages/{proxy+}",
			"ApiBatchCommands":      "POST /batches/{proxy+}",
			"ApiSubscriberCommands": "POST /subscribers/{proxy+}"} {
			route(id, key, target, auth, authorizer).SetAuthorizationScopes(jsii.Strings(s.chain.API.CommandScopes...))
		}
	}
	hooks := route("ApiHooks", "POST /hooks/{proxy+}", s.served(api, "Hooks", resource.FnHooks), jsii.String("NONE"),
		nil)
	excuse(hooks, "AwsSolutions-APIG4",
		"provers and SNOS runners sign nothing: their webhooks carry a secret in the path, and do no more than wake a "+
			"job")
	s.apiStage(api)
	awscdk.NewCfnOutput(s.Stack, jsii.String("ApiUrl"), &awscdk.CfnOutputProps{
		Value:       api.AttrApiEndpoint(),
		Description: jsii.String("status page and API"),
	})
}

// apiStage makes the one stage, with its limits and its access log.
func (s *Stack) apiStage(api awsapigatewayv2.CfnApi) {
	logs := awslogs.NewLogGroup(s.Stack, jsii.String("LogApiAccess"), &awslogs.LogGroupProps{
		LogGroupName:  jsii.String("/orchestrator/" + s.chain.Name + "/api-access"),
		Retention:     retention(s.chain.LogDays),
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	})
	awsapigatewayv2.NewCfnStage(s.Stack, jsii.String("ApiStage"), &awsapigatewayv2.CfnStageProps{
		ApiId:      api.Ref(),
		StageName:  jsii.String("$default"),
		AutoDeploy: jsii.Bool(true),
		DefaultRouteSettings: &awsapigatewayv2.CfnStage_RouteSettingsProperty{
			ThrottlingRateLimit:    jsii.Number(s.chain.API.Rate),
			ThrottlingBurstLimit:   jsii.Number(s.chain.API.Burst),
			DetailedMetricsEnabled: jsii.Bool(true),
		},
		AccessLogSettings: &awsapigatewayv2.CfnStage_AccessLogSettingsProperty{
			DestinationArn: logs.LogGroupArn(),
			Format:         jsii.String(accessLog),
		},
	})
}

// served lets the API invoke a function and returns the target of its routes.
func (s *Stack) served(api awsapigatewayv2.CfnApi, id, function string) *string {
	fn := s.functions[function]
	integration := awsapigatewayv2.NewCfnIntegration(s.Stack, jsii.String(id+"Function"),
		&awsapigatewayv2.CfnIntegrationProps{
			ApiId:                api.Ref(),
			IntegrationType:      jsii.String("AWS_PROXY"),
			IntegrationUri:       fn.FunctionArn(),
			PayloadFormatVersion: jsii.String("2.0"),
		})
	awslambda.NewCfnPermission(s.Stack, jsii.String(id+"MayInvoke"), &awslambda.CfnPermissionProps{
		Action:       jsii.String("lambda:InvokeFunction"),
		FunctionName: fn.FunctionName(),
		Principal:    jsii.String("apigateway.amazonaws.com"),
		SourceArn: s.FormatArn(&awscdk.ArnComponents{
			Service: jsii.String("execute-api"), Resource: api.Ref(), ResourceName: jsii.String("*/*"),
		}),
		SourceAccount: s.Account(),
	})
	return awscdk.Fn_Join(jsii.String("/"), &[]*string{jsii.String("integrations"), integration.Ref()})
}
