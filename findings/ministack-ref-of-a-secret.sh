#!/usr/bin/env bash
# Guess: in an emulator of CloudFormation `Ref` of an AWS::SecretsManager::Secret is the secret's ARN, as AWS documents, so a policy that
# names the secret by Ref allows to read it.
# Found: in ministack 1.5.33 `Ref` gives the secret's name, `Fn::GetAtt Id` the ARN (AWS documents the ARN for both). Nothing shows it until
# policies are enforced (AUTH=true): then the role whose policy has {"Ref": ...} may not read the secret, the one with GetAtt may. A
# template that uses Fn::GetAtt Id is right in both places. Exits 1 if that changes.
set -euo pipefail
dir=$(mktemp -d); pid=; trap 'kill $pid 2>/dev/null || true; rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv v
v/bin/pip install --quiet --disable-pip-version-check ministack==1.5.33 boto3==1.43.106
port=$(python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])')
AUTH=true GATEWAY_PORT=$port BIND_HOST=127.0.0.1 MINISTACK_REGION=eu-west-1 MINISTACK_ACCOUNT_ID=123456789012 v/bin/ministack >log 2>&1 & pid=$!
cat >ask.py <<'PY'
import json, sys, time, urllib.request
import boto3

url = f"http://127.0.0.1:{sys.argv[1]}"
for _ in range(600):
    try:
        urllib.request.urlopen(url + "/_ministack/health")
        break
    except OSError:
        time.sleep(0.1)

def client(service, key="test", secret="test", token=None):
    return boto3.client(service, endpoint_url=url, region_name="eu-west-1", aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token)

trust = {"Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sts:AssumeRole"}]}
resources = {"S": {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "chain/mongo"}}}
for name, names in (("ref", {"Ref": "S"}), ("getatt", {"Fn::GetAtt": ["S", "Id"]})):
    policy = {"Statement": [{"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": names}]}
    resources[name] = {"Type": "AWS::IAM::Role", "Properties": {"RoleName": name, "AssumeRolePolicyDocument": trust,
        "Policies": [{"PolicyName": "p", "PolicyDocument": policy}]}}
formation = client("cloudformation")
formation.create_stack(StackName="s", TemplateBody=json.dumps({"Resources": resources}), Capabilities=["CAPABILITY_NAMED_IAM"])
formation.get_waiter("stack_create_complete").wait(StackName="s", WaiterConfig={"Delay": 1})
client("secretsmanager").put_secret_value(SecretId="chain/mongo", SecretString="value")
for name in ("ref", "getatt"):
    c = client("sts").assume_role(RoleArn="arn:aws:iam::123456789012:role/" + name, RoleSessionName="session")["Credentials"]
    mine = client("secretsmanager", c["AccessKeyId"], c["SecretAccessKey"], c["SessionToken"])
    try:
        print(name, mine.get_secret_value(SecretId="chain/mongo")["SecretString"])
    except mine.exceptions.ClientError as e:
        print(name, e.response["Error"]["Code"])
PY
v/bin/python ask.py "$port" | tee seen
printf '%s\n' "ref AccessDeniedException" "getatt value" >want
diff want seen || { echo "the behaviour has changed"; exit 1; }
echo "as found"
