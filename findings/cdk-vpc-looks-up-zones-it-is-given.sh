#!/usr/bin/env bash
# Guess: a VPC of the CDK that is given its two zones (availabilityZones: tokens of Fn::GetAZs) needs nothing of an account, so `cdk synth`
# of a stack with account and region works without credentials.
# Found: in aws-cdk-lib 2.270.0 it compares the given zones with the account's: the assembly's manifest asks for the context
# availability-zones, and the command line would look it up with credentials. Given tokens, it does nothing with the answer: a context
# value on the stack, whatever zones it names, ends the question, and the template is the same. Exits 1 if that changes.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >/dev/null
npm install --silent --no-fund --no-audit aws-cdk-lib@2.270.0 constructs@10.5.0 >/dev/null
cat >ask.js <<'JS'
const cdk = require('aws-cdk-lib');
const ec2 = require('aws-cdk-lib/aws-ec2');
const templates = [];
for (const known of [false, true]) {
  const app = new cdk.App();
  const stack = new cdk.Stack(app, 'S', { env: { account: '123456789012', region: 'eu-west-1' } });
  if (known) stack.node.setContext('availability-zones:account=123456789012:region=eu-west-1', ['eu-west-1x', 'eu-west-1y']);
  const zone = (i) => cdk.Fn.select(i, cdk.Fn.getAzs());
  new ec2.Vpc(stack, 'V', { availabilityZones: [zone(0), zone(1)], natGateways: 0, restrictDefaultSecurityGroup: false });
  const assembly = app.synth();
  templates.push(JSON.stringify(assembly.getStackByName('S').template));
  console.log(known ? 'given by context:' : 'given by properties:', 'asks for', (assembly.manifest.missing || []).map((m) => m.key.split(':')[0]).join() || 'nothing');
}
console.log('templates', templates[0] === templates[1] ? 'alike' : 'differ');
JS
node ask.js 2>/dev/null | tee seen
cat >want <<'W'
given by properties: asks for availability-zones
given by context: asks for nothing
templates alike
W
diff want seen || { echo "the behaviour has changed"; exit 1; }
echo "as found"
