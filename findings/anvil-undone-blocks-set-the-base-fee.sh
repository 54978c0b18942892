#!/usr/bin/env bash
# Guess: after evm_revert and anvil_rollback the chain is as it was, so the next block's base fee follows from the block that is the newest again
# (EIP-1559: an eighth less after an empty block).
# Found (anvil 1.7.1): blocks, state and nonces are back, but the next block's base fee goes on from the blocks that were undone. Its header breaks
# EIP-1559 against its parent, and eth_feeHistory announces that fee too. anvil_reorg does it right. Whoever tests fees or replacements on snapshots
# gets other fees after each revert. Exits 1 if that changes.
set -euo pipefail
dir=$(mktemp -d); cd "$dir"
echo '{"private":true}' >package.json
npm install --no-fund --no-audit --silent @foundry-rs/anvil-linux-amd64@1.7.1
port=$((20000 + RANDOM % 20000))
node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil --port "$port" --silent --no-mining &
pid=$!
trap 'kill $pid; rm -rf "$dir"' EXIT
cat >ask.mjs <<'JS'
const url = `http://127.0.0.1:${process.argv[2]}`
const call = async (method, ...params) => {
  const r = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }) })
  return (await r.json()).result
}
for (let up = false; !up;) up = await call('eth_chainId').then(() => true, () => new Promise((r) => setTimeout(r, 50)))
const newest = async () => {
  const b = await call('eth_getBlockByNumber', 'latest', false)
  return { hash: b.hash, fee: BigInt(b.baseFeePerGas), used: BigInt(b.gasUsed) }
}
for (const [name, undo] of [
  ['evm_revert', (snapshot) => call('evm_revert', snapshot)], ['anvil_rollback', () => call('anvil_rollback', 6)],
  ['anvil_reorg', () => call('anvil_reorg', 6, [])],
]) {
  await call('anvil_mine', '0x5')
  const before = await newest()
  const snapshot = await call('evm_snapshot')
  await call('anvil_mine', '0x6')
  await undo(snapshot)
  const parent = await newest()
  await call('anvil_mine', '0x1')
  const next = await newest()
  const wanted = parent.fee - parent.fee / 8n // the parent is empty
  console.log(`${name}: newest block as before ${parent.hash === before.hash}, next base fee by EIP-1559 ${next.fee === wanted}`)
}
JS
node ask.mjs "$port" | tee seen
cat >want <<'TXT'
evm_revert: newest block as before true, next base fee by EIP-1559 false
anvil_rollback: newest block as before true, next base fee by EIP-1559 false
anvil_reorg: newest block as before false, next base fee by EIP-1559 true
TXT
diff want seen || { echo "the behaviour has changed"; exit 1; }
echo "as found"
