// Compiles the contracts and writes ABI, creation bytecode and a digest of the sources. Run by `make contracts`.
"use strict";
const crypto = require("crypto");
const fs = require("fs");
const path = require("path");
const solc = require("solc");

const names = ["CoreContract", "FactRegistry"];
const sources = {};
const digest = crypto.createHash("sha256");
for (const name of names) {
  const content = fs.readFileSync(path.join(__dirname, name + ".sol"), "utf8");
  sources[name + ".sol"] = { content };
  digest.update(content);
}
const out = JSON.parse(
  solc.compile(
    JSON.stringify({
      language: "Solidity",
      sources,
      settings: {
        evmVersion: "cancun", // blobhash; later opcodes would shut out older development nodes
        optimizer: { enabled: true, runs: 200 },
        viaIR: true,
        metadata: { bytecodeHash: "none", appendCBOR: false },
        outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
      },
    }),
  ),
);
for (const e of out.errors || []) {
  console.error(e.formattedMessage);
  if (e.severity === "error") process.exitCode = 1;
}
if (!process.exitCode) {
  for (const name of names) {
    const c = out.contracts[name + ".sol"][name];
    fs.writeFileSync(path.join(__dirname, "gen", name + ".abi.json"), JSON.stringify(c.abi) + "\n");
    fs.writeFileSync(path.join(__dirname, "gen", name + ".bin"), c.evm.bytecode.object + "\n");
    console.log(`${name}: ${c.evm.bytecode.object.length / 2} bytes`);
  }
  fs.writeFileSync(path.join(__dirname, "gen", "sources.sha256"), digest.digest("hex") + "\n");
}
