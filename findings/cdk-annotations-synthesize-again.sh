#!/usr/bin/env bash
# Guess: the CDK keeps what it has synthesized (App.synth returns the same assembly again), so Template.fromStack and then
# Annotations.fromStack of one stack visit each construct once, and a suite of template tests pays once for each stack.
# Found: in aws-cdk-lib 2.270.0 Annotations.fromStack synthesizes once more, each time it is called: every aspect visits every
# construct again. Template.fromStack does not. The messages of the first synthesis are in the assembly:
# app.synth().getStackArtifact(id).messages. Exits 1 if that changes.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >/dev/null
npm install --silent --no-fund --no-audit aws-cdk-lib@2.270.0 constructs@10.5.0 >/dev/null
cat >ask.js <<'JS'
const cdk = require('aws-cdk-lib');
const sqs = require('aws-cdk-lib/aws-sqs');
const { Template, Annotations } = require('aws-cdk-lib/assertions');
const app = new cdk.App();
const stack = new cdk.Stack(app, 'S');
const queue = new sqs.Queue(stack, 'Q');
let visits = 0;
cdk.Aspects.of(stack).add({ visit: (c) => {
  if (c !== queue) return;
  visits++;
  cdk.Annotations.of(c).addWarning('seen');
} });
const show = (what, of) => { const before = visits; const messages = of(); console.log(`${what}: ${visits - before} visits${messages ? `, ${messages} message` : ''}`); };
show('Template.fromStack', () => { Template.fromStack(stack); });
show('Template.fromStack again', () => { Template.fromStack(stack); });
show('app.synth', () => app.synth().getStackArtifact(stack.artifactId).messages.length);
show('Annotations.fromStack', () => Annotations.fromStack(stack).findWarning('*', 'seen').length);
show('Annotations.fromStack again', () => Annotations.fromStack(stack).findWarning('*', 'seen').length);
JS
node ask.js 2>/dev/null | tee seen
cat >want <<'W'
Template.fromStack: 1 visits
Template.fromStack again: 0 visits
app.synth: 0 visits, 1 message
Annotations.fromStack: 1 visits, 1 message
Annotations.fromStack again: 1 visits, 1 message
W
diff want seen || { echo "the behaviour has changed"; exit 1; }
echo "as found"
