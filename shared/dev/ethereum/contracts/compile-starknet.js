// Compiles StarkWare's own core contract from a checkout of cairo-lang, for `make test-starknet-sol`: node compile-starknet.js CHECKOUT OUT.
// Nothing of it is committed.
"use strict";
const fs = require("fs");
const path = require("path");
const solc = require("solc");

const [checkout, out] = process.argv.slice(2);
const main = "starkware/starknet/solidity/Starknet.sol";
const read = (file) => {
  try {
    return { contents: fs.readFileSync(path.join(checkout, "src", file), "utf8") };
  } catch (e) {
    return { error: String(e) };
  }
};
const first = read(main);
if (first.error) {
  console.error(`SOLIDITY=${checkout} is not a checkout of github.com/starkware-libs/cairo-lang: ${first.error}`);
  process.exit(1);
}
const result = JSON.parse(
  solc.compile(
    JSON.stringify({
      language: "Solidity",
      sources: { [main]: { content: first.contents } },
      settings: {
        evmVersion: "cancun",
        optimizer: { enabled: true, runs: 200 },
        outputSelection: { [main]: { Starknet: ["abi", "evm.bytecode.object"] } },
      },
    }),
    { import: read },
  ),
);
const errors = (result.errors || []).filter((e) => e.severity === "error");
for (const e of errors) console.error(e.formattedMessage);
if (errors.length) process.exit(1);
const {abi, evm} = result.contracts[main].Starknet;
fs.mkdirSync(out, { recursive: true });
fs.writeFileSync(path.join(out, "Starknet.json"), JSON.stringify({ abi, bytecode: evm.bytecode.object }) + "\n");
console.log(`Starknet.sol: ${evm.bytecode.object.length / 2} bytes`);
