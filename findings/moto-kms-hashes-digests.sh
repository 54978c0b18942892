#!/usr/bin/env bash
# Guess: KMS emulators sign a digest as it is when a request says MessageType=DIGEST, as AWS documents ("KMS skips the hashing step").
# Found: moto 5.2.5 reads past MessageType: a secp256k1 signature with ECDSA_SHA_256 over a 32-byte digest is valid for SHA-256 of that
# digest, and not for the digest. Who recovers an Ethereum address from it gets another account than the key's, without any error.
# ministack 1.5.33 signs the digest itself. Exits 1 if that changes.
set -euo pipefail
dir=$(mktemp -d); trap 'kill $pids 2>/dev/null || true; rm -rf "$dir"' EXIT; cd "$dir"; pids=
for name in moto ministack; do python3 -m venv "$name"; done
moto/bin/pip install --quiet --disable-pip-version-check 'moto[server]==5.2.5' boto3==1.43.106 cryptography==50.0.2
ministack/bin/pip install --quiet --disable-pip-version-check ministack==1.5.33 cryptography==50.0.2
port() { python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])'; }
m=$(port); moto/bin/moto_server -H 127.0.0.1 -p "$m" >moto.log 2>&1 & pids="$pids $!"
n=$(port); GATEWAY_PORT=$n BIND_HOST=127.0.0.1 ministack/bin/ministack >ministack.log 2>&1 & pids="$pids $!"
cat >ask.py <<'PY'
import hashlib, sys, time, urllib.request
import boto3
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

for name, port in (("moto", sys.argv[1]), ("ministack", sys.argv[2])):
    url = f"http://127.0.0.1:{port}"
    for _ in range(600):
        try:
            urllib.request.urlopen(url + ("/moto-api/" if name == "moto" else "/_ministack/health"))
            break
        except OSError:
            time.sleep(0.1)
    kms = boto3.client("kms", endpoint_url=url, region_name="eu-west-1", aws_access_key_id="test", aws_secret_access_key="test")
    key = kms.create_key(KeySpec="ECC_SECG_P256K1", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    public = serialization.load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])
    digest = hashlib.sha256(b"a transaction").digest()
    sig = kms.sign(KeyId=key, Message=digest, MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256")["Signature"]
    for what, over in (("the digest", digest), ("SHA-256 of the digest", hashlib.sha256(digest).digest())):
        try:
            public.verify(sig, over, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
            print(name, "signed", what)
        except InvalidSignature:
            pass
PY
moto/bin/python ask.py "$m" "$n" | tee seen
printf '%s\n' "moto signed SHA-256 of the digest" "ministack signed the digest" >want
diff want seen || { echo "the behaviour has changed"; exit 1; }
echo "as found"
