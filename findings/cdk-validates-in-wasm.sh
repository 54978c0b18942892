#!/usr/bin/env bash
# aws-cdk-lib 2.270.0 (npm) validates every template that it synthesizes with a rule engine in WebAssembly, with no plugin
# registered and no flag set. Its start alone takes longer than all else of a small app's synthesis, in each process again.
# The guess: synthesis makes templates and checks nothing that the app did not ask for; rules are a plugin's or cfn-lint's.
# The environment variable CDK_VALIDATION=false leaves it out. Without the flag @aws-cdk/core:validateAgainstDefaultRules what
# it finds is a warning, with it an error.
#
# Seen (Node 20, 2 cores): a stack of one bucket: 0.4 s of the processor without validation, 7.7 s with it, and the same template.
# Exits 1 if validation is off by default, or no longer costs as much as the rest of the synthesis.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm init -y >/dev/null
npm install --silent --no-fund --no-audit aws-cdk-lib@2.270.0 constructs@10.5.0 >/dev/null
cat >app.js <<'JS'
const { App, Stack, aws_s3 } = require('aws-cdk-lib');
const app = new App({ outdir: process.argv[2] });
new aws_s3.CfnBucket(new Stack(app, 'One'), 'Bucket');
app.synth();
const { user, system } = process.cpuUsage();
console.log(Math.round((user + system) / 1000));
JS
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=18,20
node app.js warm >/dev/null 2>&1 # files come from the disk once
with=$(node app.js with 2>/dev/null | tail -1)
without=$(CDK_VALIDATION=false node app.js without 2>/dev/null | tail -1)
echo "CPU of one synthesis: $with ms with the default, $without ms with CDK_VALIDATION=false"
cmp with/One.template.json without/One.template.json || { echo "the behaviour has changed"; exit 1; }
[ -f with/validation-report.json ] && [ ! -f without/validation-report.json ] && [ "$with" -gt $((2 * without)) ] ||
  { echo "the behaviour has changed"; exit 1; }
