// Sends transactions of every kind to a starknet-devnet with starknet.js: node transactions.mjs URL. It prints the number of
// the newest block and the hashes. What it sends: a transfer, a declared class, a contract deployed by the universal deployer,
// a deployed account, an upgraded contract, and a call of the upgraded one.
import {Account, RpcProvider, CallData, ec, hash, stark} from "starknet";

const strk = "0x04718f5a0fc34cc1af16a1cdee98ffb20c31f5cd61d6ab07201858f4287c938d";

async function main(url) {
  const provider = new RpcProvider({nodeUrl: url});
  const ask = async (method, params = {}) => {
    const body = JSON.stringify({jsonrpc: "2.0", id: 1, method, params});
    const answer = await (await fetch(url, {method: "POST", headers: {"content-type": "application/json"}, body})).json();
    if (answer.error) throw new Error(`${method}: ${JSON.stringify(answer.error)}`);
    return answer.result;
  };
  const [first, second] = await ask("devnet_getPredeployedAccounts");
  const open = (a) => new Account({provider, address: a.address, signer: a.private_key});
  const sent = {};
  const done = async (name, {transaction_hash}) => {
    const receipt = await provider.waitForTransaction(transaction_hash, {retryInterval: 100});
    if (!receipt.isSuccess()) throw new Error(`${name}: ${JSON.stringify(receipt.value)}`);
    sent[name] = transaction_hash;
  };
  const one = open(first), two = open(second);
  const transfer = (to, amount) => ({contractAddress: strk, entrypoint: "transfer", calldata: CallData.compile([to, {low: amount, high: 0}])});

  await done("transfer", await one.execute(transfer("0x1234", 5n)));

  // A class that no chain has: the account's own, with another ABI. Its code, and so its compiled class, is the same.
  const was = await provider.getClassHashAt(first.address);
  const {contract_class_version, entry_points_by_type, sierra_program, abi} =
    await ask("starknet_getClass", {block_id: "latest", class_hash: was});
  const contract = {contract_class_version, entry_points_by_type, sierra_program,
    abi: [...JSON.parse(abi), {type: "struct", name: "orchestrator::Marker", members: []}]};
  const casm = await provider.getCompiledCasm(was);
  const declared = await one.declare({contract, casm});
  await done("declare", declared);

  const key = "0x0123456789abcdef", publicKey = ec.starkCurve.getStarkKey(key);
  await done("deploy", await one.deploy({classHash: declared.class_hash, constructorCalldata: [publicKey], salt: "0x7", unique: false}));

  const address = hash.calculateContractAddressFromHash(publicKey, declared.class_hash, [publicKey], 0);
  await done("fund", await one.execute(transfer(address, 10n ** 20n)));
  const three = new Account({provider, address, signer: key});
  await done("deploy account", await three.deployAccount({classHash: declared.class_hash, constructorCalldata: [publicKey], addressSalt: publicKey}));

  await done("upgrade", await two.execute({contractAddress: second.address, entrypoint: "upgrade", calldata: [declared.class_hash]}));
  if (await provider.getClassHashAt(second.address) !== declared.class_hash) throw new Error("the account is not upgraded");
  await done("call of the upgraded", await two.execute(transfer("0x5678", 6n)));
  await done("call of the deployed", await three.execute(transfer("0x5678", 7n)));

  console.log(JSON.stringify({block: await provider.getBlockNumber(), sent}, null, 1));
}

main(process.argv[2]).catch((e) => { console.error(e); process.exit(1); });
