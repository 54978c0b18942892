// Declares a class on a starknet-devnet, deploys it and calls it, with starknet.js, by the first account:
// node contract.mjs URL CLASS.json '{"constructor": [...], "calls": [{"entrypoint": "...", "calldata": [...]}]}'.
// Arguments are felts; "self" is the account. It prints the contract's address.
import {readFileSync} from "node:fs";
import {Account, RpcProvider} from "starknet";

async function main(url, path, text) {
  const provider = new RpcProvider({nodeUrl: url});
  const body = JSON.stringify({jsonrpc: "2.0", id: 1, method: "devnet_getPredeployedAccounts", params: {}});
  const answer = await (await fetch(url, {method: "POST", headers: {"content-type": "application/json"}, body})).json();
  const {address, private_key: signer} = answer.result[0];
  const account = new Account({provider, address, signer});
  const {constructor, calls} = JSON.parse(text);
  const felts = (list) => list.map((f) => f === "self" ? address : f);
  const done = async (what, {transaction_hash}) => {
    const receipt = await provider.waitForTransaction(transaction_hash, {retryInterval: 100});
    if (!receipt.isSuccess()) throw new Error(`${what}: ${JSON.stringify(receipt.value)}`);
  };

  // The class is Sierra alone. The node compiles it and says which hash the compiled class has.
  const contract = JSON.parse(readFileSync(path));
  let declared;
  try {
    declared = await account.declare({contract, compiledClassHash: "0x1"});
  } catch (e) {
    const compiledClassHash = /Expected: (0x[0-9a-f]+)/.exec(String(e))?.[1];
    if (!compiledClassHash) throw e;
    declared = await account.declare({contract, compiledClassHash});
  }
  await done("declare", declared);
  const deployed = await account.deploy({classHash: declared.class_hash, constructorCalldata: felts(constructor)});
  await done("deploy", deployed);
  const contractAddress = [deployed.contract_address].flat()[0];
  await done("calls", await account.execute(calls.map(({entrypoint, calldata}) => ({contractAddress, entrypoint, calldata: felts(calldata)}))));
  console.log(contractAddress);
}

main(...process.argv.slice(2)).catch((e) => { console.error(e); process.exit(1); });
