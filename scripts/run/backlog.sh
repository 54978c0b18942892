#!/usr/bin/env bash
# Settles a backlog of 30 batches of one blob, once with one state update on its way at a time and once with the default, on
# go-ethereum's simulated chain (Osaka) and on anvil, both with blocks of 2 seconds, and prints the ratio of batches a block.
# Usage: backlog.sh RUN ANVIL
set -euo pipefail
run=$1 anvil=$2
port=18547
log=$(mktemp)
trap 'rm -f "$log"; [ -z "${node:-}" ] || kill "$node" 2>/dev/null || true' EXIT

# a_block ARGS...: batches a block of one run.
a_block() {
  "$run" -blocks 60 -batch 2 -backlog -timeout 20m "$@" >"$log" || { tail -20 "$log" >&2; return 1; }
  grep '^backlog' "$log" >&2
  sed -n 's/^backlog .*, \([0-9.]*\) a block$/\1/p' "$log"
}

fresh_anvil() {
  [ -z "${node:-}" ] || { kill "$node"; wait "$node" 2>/dev/null || true; }
  "$anvil" --hardfork osaka --block-time 2 --port $port --silent & node=$!
  for _ in $(seq 300); do (exec 3<>/dev/tcp/127.0.0.1/$port) 2>/dev/null && return; read -rt 0.1 <> <(:) || true; done
  echo "anvil does not listen" >&2; return 1
}

ratio() { awk -v name="$1" -v one="$2" -v many="$3" 'BEGIN { printf "%s: %.2f batches a block one at a time, %.2f several at a time: %.1f times\n", name, one, many, many / one }'; }

one=$(a_block -in-flight 1 -block-time 2s)
many=$(a_block -block-time 2s)
ratio "go-ethereum's simulated chain" "$one" "$many"
fresh_anvil
one=$(a_block -in-flight 1 -ethereum http://127.0.0.1:$port)
fresh_anvil
many=$(a_block -ethereum http://127.0.0.1:$port)
ratio "anvil" "$one" "$many"
