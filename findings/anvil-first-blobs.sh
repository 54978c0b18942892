#!/usr/bin/env bash
# anvil 1.7.1 (npm @foundry-rs/anvil-linux-amd64) spends seconds of a processor on its first transaction with blobs: it
# prepares the tables of the KZG set-up then, in each process again. Further ones take some hundredths of a second.
# The guess: the set-up is loaded at start, or its loading is too quick to notice. Where several nodes get their first blobs
# at once on two busy cores, the answer takes longer than the 30 s that clients wait for it.
#
# Seen (2 cores): start 0.05 s of the processor, first blob 4.1 s, the next 0.02 s.
# Exits 1 if the first transaction takes less than ten times as long as the third.
set -euo pipefail
dir=$(mktemp -d)
cleanup() { [ -z "${node:-}" ] || kill "$node" 2>/dev/null || true; rm -rf "$dir"; }
trap cleanup EXIT
cd "$dir"
npm init -y >/dev/null
npm install --no-fund --no-audit --silent @foundry-rs/anvil-linux-amd64@1.7.1 viem@2.57.20 >/dev/null
port=$((20000 + RANDOM % 20000))
node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil --port "$port" --hardfork cancun --silent &
node=$!
# A blob of zeros: its commitment and proof are the point at infinity.
cat >send.mjs <<'JS'
import { createPublicClient, createWalletClient, http, sidecarsToVersionedHashes } from 'viem';
import { mnemonicToAccount } from 'viem/accounts';
import { foundry } from 'viem/chains';
import { readFileSync } from 'node:fs';

const transport = http(`http://127.0.0.1:${process.argv[3]}`, { timeout: 600_000, retryCount: 0 });
const account = mnemonicToAccount('test test test test test test test test test test test junk');
const reader = createPublicClient({ chain: foundry, transport });
const writer = createWalletClient({ account, chain: foundry, transport });
for (;;) {
  process.kill(process.argv[2], 0); // fails where the node has ended
  try { await reader.getBlockNumber(); break } catch { await new Promise(r => setTimeout(r, 100)) }
}
const ticks = () => {
  const f = readFileSync(`/proc/${process.argv[2]}/stat`, 'utf8').split(') ')[1].split(' ');
  return Number(f[11]) + Number(f[12]);
};
const infinity = '0xc0' + '00'.repeat(47);
const sidecars = [{ blob: '0x' + '00'.repeat(131072), commitment: infinity, proof: infinity }];
console.log('start', ticks());
for (let i = 0; i < 3; i++) {
  const before = ticks();
  const hash = await writer.sendTransaction({
    type: 'eip4844', to: account.address, blobs: [sidecars[0].blob], sidecars,
    blobVersionedHashes: sidecarsToVersionedHashes({ sidecars }),
    gas: 21000n, maxFeePerBlobGas: 10n ** 10n, maxFeePerGas: 10n ** 10n, maxPriorityFeePerGas: 10n ** 9n,
  });
  const { status } = await reader.waitForTransactionReceipt({ hash, pollingInterval: 50 });
  console.log('blob', ticks() - before, status);
}
JS
node send.mjs "$node" "$port" | tee out
[ "$(grep -c success out)" = 3 ] || { echo "not all blobs were taken"; exit 1; }
first=$(sed -n 2p out | cut -d' ' -f2)
third=$(sed -n 4p out | cut -d' ' -f2)
[ "$first" -ge $((10 * (third + 1))) ] || { echo "the behaviour has changed"; exit 1; }
