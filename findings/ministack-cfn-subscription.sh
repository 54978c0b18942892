#!/usr/bin/env bash
# Guess: a stack with an AWS::SNS::Subscription of an HTTP endpoint lets SNS ask that endpoint to confirm it, as the call Subscribe does
# (Amazon SNS, "Subscribe an HTTP endpoint to your Amazon SNS topic"), so that an endpoint which confirms gets what is published.
# Found: ministack 1.5.33 sends the confirmation for Subscribe; of the same subscription in a stack, which ends CREATE_COMPLETE, the
# endpoint never hears, and what is published reaches the one that Subscribe made alone.
# Exits 1 if that changes.
set -euo pipefail
dir=$(mktemp -d); pid=; trap 'kill $pid 2>/dev/null || true; rm -rf "$dir"' EXIT; cd "$dir"
python3 -m venv v
v/bin/pip install --quiet --disable-pip-version-check ministack==1.5.33 boto3==1.43.106
port=$(python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])')
GATEWAY_PORT=$port BIND_HOST=127.0.0.1 MINISTACK_REGION=eu-west-1 v/bin/ministack >log 2>&1 & pid=$!
cat >ask.py <<'PY'
import json, queue, sys, threading, time, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import boto3

url = f"http://127.0.0.1:{sys.argv[1]}"
for _ in range(600):
    try:
        urllib.request.urlopen(url + "/_ministack/health")
        break
    except OSError:
        time.sleep(0.1)

came = queue.Queue()

class Endpoint(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body.get("Type") == "SubscriptionConfirmation":
            urllib.request.urlopen(body["SubscribeURL"].replace("localhost", "127.0.0.1")).read()
        self.send_response(200)
        self.end_headers()
        came.put((self.path, body.get("Type")))

    def log_message(self, *_):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
threading.Thread(target=server.serve_forever, daemon=True).start()
endpoint = f"http://127.0.0.1:{server.server_address[1]}"

def client(service):
    return boto3.client(service, endpoint_url=url, region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")

template = {"Resources": {
    "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "t"}},
    "Sub": {"Type": "AWS::SNS::Subscription",
            "Properties": {"TopicArn": {"Ref": "Topic"}, "Protocol": "http", "Endpoint": endpoint + "/stack"}},
}}
cloudformation, sns = client("cloudformation"), client("sns")
cloudformation.create_stack(StackName="s", TemplateBody=json.dumps(template))
cloudformation.get_waiter("stack_create_complete").wait(StackName="s", WaiterConfig={"Delay": 1})
print("stack", cloudformation.describe_stacks(StackName="s")["Stacks"][0]["StackStatus"])
topic = sns.list_topics()["Topics"][0]["TopicArn"]
sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=endpoint + "/call")
print("first request", *came.get(timeout=60))
time.sleep(1)  # until the confirmation has been taken
sns.publish(TopicArn=topic, Message="m")
print("next request", *came.get(timeout=60))
try:
    print("then", *came.get(timeout=5))
except queue.Empty:
    print("then nothing")
PY
v/bin/python ask.py "$port" | tee seen
cat >want <<'TXT'
stack CREATE_COMPLETE
first request /call SubscriptionConfirmation
next request /call Notification
then nothing
TXT
diff want seen || { echo "the behaviour has changed"; exit 1; }
echo "as found"
