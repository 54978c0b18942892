#!/usr/bin/env bash
# Guess: cluster.secret of the CDK's DocumentDB cluster is the secret with the login that it generates, so applyRemovalPolicy(RETAIN) on it keeps
# the login when the stack is deleted; and a cluster with removalPolicy RETAIN keeps its login anyway, for without it nobody gets in.
# Found: in aws-cdk-lib 2.270.0 cluster.secret is the attachment (AWS::SecretsManager::SecretTargetAttachment). The policy is the attachment's alone;
# the secret's resource keeps the default, which is Delete, and the cluster's own policy changes neither. Only the policy of the child
# "Secret" keeps the login. Exits 1 if that changes.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >/dev/null
npm install --silent --no-fund --no-audit aws-cdk-lib@2.270.0 constructs@10.5.0 >/dev/null
cat >ask.js <<'JS'
const cdk = require('aws-cdk-lib');
const ec2 = require('aws-cdk-lib/aws-ec2');
const docdb = require('aws-cdk-lib/aws-docdb');
const keep = cdk.RemovalPolicy.RETAIN;
const ways = {
  'RETAIN of the cluster': () => {},
  'and of cluster.secret': (cluster) => cluster.secret.applyRemovalPolicy(keep),
  'and of the child Secret': (cluster) => cluster.node.findChild('Secret').node.defaultChild.applyRemovalPolicy(keep),
};
for (const [name, apply] of Object.entries(ways)) {
  const app = new cdk.App();
  const stack = new cdk.Stack(app, 'S');
  const vpc = new ec2.Vpc(stack, 'V', { restrictDefaultSecurityGroup: false });
  const cluster = new docdb.DatabaseCluster(stack, 'D', {
    vpc, masterUser: { username: 'orchestrator' }, removalPolicy: keep,
    instanceType: ec2.InstanceType.of(ec2.InstanceClass.T4G, ec2.InstanceSize.MEDIUM),
  });
  apply(cluster);
  const all = Object.values(app.synth().getStackByName('S').template.Resources);
  const policy = (type) => all.filter((r) => r.Type === type).map((r) => r.DeletionPolicy || 'none').join();
  console.log(`${name}: cluster ${policy('AWS::DocDB::DBCluster')}, secret ${policy('AWS::SecretsManager::Secret')},`,
    `attachment ${policy('AWS::SecretsManager::SecretTargetAttachment')}`);
}
JS
node ask.js 2>/dev/null | tee seen
cat >want <<'W'
RETAIN of the cluster: cluster Retain, secret Delete, attachment none
and of cluster.secret: cluster Retain, secret Delete, attachment Retain
and of the child Secret: cluster Retain, secret Retain, attachment none
W
diff want seen || { echo "the behaviour has changed"; exit 1; }
echo "as found"
