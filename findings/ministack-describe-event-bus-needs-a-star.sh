#!/usr/bin/env bash
# Guess: in an emulator that enforces IAM, a role that may do events:DescribeEventBus on a bus's ARN may describe that bus, by its name or
# its ARN, as AWS documents (the action takes resource-level permissions; Name takes both forms).
# Found: ministack 1.5.33 (AUTH=true) denies it by either form, though PutEvents on the same ARN in the same policy is allowed. With
# Resource * it is allowed by name, and the ARN is not found. So a least-privilege policy that is right on AWS fails there at this one call.
# Exits 1 if that changes.
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

trust = json.dumps({"Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sts:AssumeRole"}]})
arn = client("events").create_event_bus(Name="chain")["EventBusArn"]
for role, resource in (("arn", arn), ("star", "*")):
    client("iam").create_role(RoleName=role, AssumeRolePolicyDocument=trust)
    client("iam").put_role_policy(RoleName=role, PolicyName="p", PolicyDocument=json.dumps({"Statement": [
        {"Effect": "Allow", "Action": ["events:DescribeEventBus", "events:PutEvents"], "Resource": resource}]}))
    c = client("sts").assume_role(RoleArn="arn:aws:iam::123456789012:role/" + role, RoleSessionName="session")["Credentials"]
    mine = client("events", c["AccessKeyId"], c["SecretAccessKey"], c["SessionToken"])
    for form, bus in (("name", "chain"), ("ARN", arn)):
        entry = {"EventBusName": bus, "Source": "s", "DetailType": "d", "Detail": "{}"}
        for call, ask in (("DescribeEventBus", lambda: mine.describe_event_bus(Name=bus)), ("PutEvents", lambda: mine.put_events(Entries=[entry]))):
            try:
                ask()
                print(role, call, form, "allowed")
            except mine.exceptions.ClientError as e:
                print(role, call, form, e.response["Error"]["Code"])
PY
v/bin/python ask.py "$port" | tee seen
cat >want <<'W'
arn DescribeEventBus name AccessDeniedException
arn PutEvents name allowed
arn DescribeEventBus ARN AccessDeniedException
arn PutEvents ARN allowed
star DescribeEventBus name allowed
star PutEvents name allowed
star DescribeEventBus ARN ResourceNotFoundException
star PutEvents ARN allowed
W
diff want seen || { echo "the behaviour has changed"; exit 1; }
echo "as found"
