#!/usr/bin/env bash
# anvil 1.7.1 (npm @foundry-rs/anvil-linux-amd64): anvil_reset without a fork goes back to block 0 with no state and no
# transactions, which is not a new start. Blocks go on from the old genesis' time: the clock is behind by the node's
# age. A change of what is mined automatically stays. And the genesis is another block: its base fee is what the next
# block's would have been, while block 1 has 1 gwei again, less than any rule of EIP-1559 makes of it.
# The guess: after anvil_reset a node is as after its start. evm_setTime and evm_setAutomine make it so, except for the genesis.
#
# Seen: base fee of block 0 is 1 gwei at the start and 1250.9 gwei (set before) after the reset, that of block 1 is 1 gwei; block 1 is
# 6 s old when it is mined, as the node is; automatic mining is still on, which --no-mining had off.
# Exits 1 if one of these no longer holds.
set -euo pipefail
dir=$(mktemp -d)
cleanup() { [ -z "${node:-}" ] || kill "$node" 2>/dev/null || true; rm -rf "$dir"; }
trap cleanup EXIT
cd "$dir"
npm init -y >/dev/null
npm install --no-fund --no-audit --silent @foundry-rs/anvil-linux-amd64@1.7.1 >/dev/null
port=$((20000 + RANDOM % 20000))
node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil --port "$port" --no-mining --silent &
node=$!
ask() { curl -sf -H 'Content-Type: application/json' -d "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$1\",\"params\":[${2:-}]}" http://127.0.0.1:$port; }
field() { ask eth_getBlockByNumber "\"$1\",false" | sed "s/.*\"$2\":\"\(0x[0-9a-f]*\)\".*/\1/"; }
until ask eth_chainId >/dev/null 2>&1; do kill -0 "$node"; sleep 0.1; done
echo "at the start:    base fee of block 0 $(field 0x0 baseFeePerGas), automatic mining $(ask anvil_getAutomine)"
sleep 6
ask anvil_setNextBlockBaseFeePerGas '"0x12345678901"' >/dev/null
ask evm_setAutomine true >/dev/null
ask anvil_reset >/dev/null
fee=$(field 0x0 baseFeePerGas)
mining=$(ask anvil_getAutomine)
echo "after the reset: base fee of block 0 $fee, automatic mining $mining"
ask anvil_mine 1 >/dev/null
one=$(field latest baseFeePerGas)
age=$(($(date +%s) - $(field latest timestamp)))
echo "block $(field latest number) is $age s old when it is mined, base fee $one"
[ "$fee" = 0x12345678901 ] && [ "$one" = 0x3b9aca00 ] && [[ $mining == *true* ]] && [ "$age" -ge 4 ] ||
  { echo "the behaviour has changed"; exit 1; }
