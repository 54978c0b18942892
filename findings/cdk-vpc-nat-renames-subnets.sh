#!/usr/bin/env bash
# Guess: natGateways 0 or 1 of the CDK's VPC (no subnetConfiguration) decides whether there is a NAT gateway and a route to it; the subnets stay
# as they are, so a deployed VPC can be given one.
# Found: in aws-cdk-lib 2.270.0 the subnets are others with the same addresses: Isolated ones without, Private ones with a NAT gateway, under
# other logical ids. CloudFormation makes new resources before it deletes old ones, and two subnets of a VPC can't share addresses, so
# neither direction can be deployed. Exits 1 if that changes.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >/dev/null
npm install --silent --no-fund --no-audit aws-cdk-lib@2.270.0 constructs@10.5.0 >/dev/null
cat >ask.js <<'JS'
const cdk = require('aws-cdk-lib');
const ec2 = require('aws-cdk-lib/aws-ec2');
for (const natGateways of [0, 1]) {
  const app = new cdk.App();
  const stack = new cdk.Stack(app, 'S');
  new ec2.Vpc(stack, 'V', { natGateways, maxAzs: 2, restrictDefaultSecurityGroup: false });
  const all = Object.entries(app.synth().getStackByName('S').template.Resources);
  const subnets = all.filter(([, r]) => r.Type === 'AWS::EC2::Subnet').map(([id, r]) => `${id.replace(/Subnet[0-9A-F]{8}$/, '')} ${r.Properties.CidrBlock}`);
  console.log(natGateways, subnets.join(', '));
}
JS
node ask.js 2>/dev/null | tee seen
cat >want <<'W'
0 VPublicSubnet1 10.0.0.0/18, VPublicSubnet2 10.0.64.0/18, VIsolatedSubnet1 10.0.128.0/18, VIsolatedSubnet2 10.0.192.0/18
1 VPublicSubnet1 10.0.0.0/18, VPublicSubnet2 10.0.64.0/18, VPrivateSubnet1 10.0.128.0/18, VPrivateSubnet2 10.0.192.0/18
W
diff want seen || { echo "the behaviour has changed"; exit 1; }
echo "as found"
