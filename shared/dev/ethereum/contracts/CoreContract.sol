// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

interface IFactRegistry {
    function isValid(bytes32 fact) external view returns (bool);
}

/// @title Core contract of a Starknet app chain, for development.
/// It has the ABI and makes the checks of Starknet's core contract (2025_10) as far as the orchestrator meets them. It has
/// neither proxy nor governance: who deploys it is its first operator and the only one who names others.
contract CoreContract {
    event LogStateUpdate(uint256 globalRoot, int256 blockNumber, uint256 blockHash);
    event LogStateTransitionFact(bytes32 stateTransitionFact);
    event LogMessageToL1(uint256 indexed fromAddress, address indexed toAddress, uint256[] payload);
    event LogMessageToL2(
        address indexed fromAddress, uint256 indexed toAddress, uint256 indexed selector, uint256[] payload, uint256 nonce, uint256 fee
    );
    event ConsumedMessageToL1(uint256 indexed fromAddress, address indexed toAddress, uint256[] payload);
    event ConsumedMessageToL2(
        address indexed fromAddress, uint256 indexed toAddress, uint256 indexed selector, uint256[] payload, uint256 nonce
    );
    event LogOperatorAdded(address operator);

    // Order of the Stark field.
    uint256 private constant PRIME = 0x800000000000011000000000000000000000000000000000000000000000001;

    // Words of the program output.
    uint256 private constant PREV_ROOT = 0;
    uint256 private constant NEW_ROOT = 1;
    uint256 private constant PREV_BLOCK = 2;
    uint256 private constant NEW_BLOCK = 3;
    uint256 private constant PREV_HASH = 4;
    uint256 private constant NEW_HASH = 5;
    uint256 private constant OS_PROGRAM = 6;
    uint256 private constant CONFIG_HASH = 7;
    uint256 private constant USE_KZG = 8;
    uint256 private constant FULL_OUTPUT = 9;
    uint256 private constant HEADER = 10;
    uint256 private constant KZG_Z = 10;
    uint256 private constant KZG_BLOBS = 11;
    uint256 private constant KZG_FIRST = 12;
    uint256 private constant WORDS_PER_BLOB = 4;

    uint256 private constant MAX_FEE = 1 ether;
    uint256 private constant PROOF_BYTES = 48;
    address private constant POINT_EVALUATION = address(0x0a);
    bytes32 private constant POINT_EVALUATION_OUTPUT =
        keccak256(abi.encodePacked(uint256(4096), uint256(0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001)));

    uint256 public programHash;
    uint256 public aggregatorProgramHash;
    uint256 public configHash;
    IFactRegistry public verifier;
    uint256 public stateRoot;
    int256 public stateBlockNumber;
    uint256 public stateBlockHash;
    uint256 public l1ToL2MessageNonce;
    mapping(bytes32 => uint256) public l1ToL2Messages; // fee + 1
    mapping(bytes32 => uint256) public l2ToL1Messages; // how many there are
    mapping(address => bool) public isOperator;
    address private immutable owner;

    constructor(
        uint256 programHash_,
        uint256 aggregatorProgramHash_,
        uint256 configHash_,
        address verifier_,
        uint256 root,
        int256 blockNumber,
        uint256 blockHash
    ) {
        programHash = programHash_;
        aggregatorProgramHash = aggregatorProgramHash_;
        configHash = configHash_;
        verifier = IFactRegistry(verifier_);
        stateRoot = root;
        stateBlockNumber = blockNumber;
        stateBlockHash = blockHash;
        owner = msg.sender;
        isOperator[msg.sender] = true;
    }

    modifier onlyOperator() {
        require(isOperator[msg.sender], "ONLY_OPERATOR");
        _;
    }

    function identify() external pure returns (string memory) {
        return "Orchestrator_DevCoreContract_1";
    }

    function registerOperator(address newOperator) external {
        require(msg.sender == owner, "ONLY_GOVERNOR");
        isOperator[newOperator] = true;
        emit LogOperatorAdded(newOperator);
    }

    // State updates.

    /// Data availability by blobs of this transaction.
    function updateStateKzgDA(uint256[] calldata programOutput, bytes[] calldata kzgProofs) external onlyOperator {
        require(programOutput.length > HEADER, "STARKNET_OUTPUT_TOO_SHORT");
        int256 before = stateBlockNumber;
        require(uint256(before < 0 ? int256(PRIME) + before : before) == programOutput[PREV_BLOCK], "INVALID_PREV_BLOCK_NUMBER");
        require(programOutput[USE_KZG] == 1, "UNEXPECTED_KZG_DA_FLAG");
        uint256 offset = verifyBlobs(programOutput, kzgProofs);
        update(programOutput, keccak256(abi.encodePacked(programOutput)), offset, before);
    }

    /// Data availability by a page of the proof's output, which the fact names.
    function updateState(uint256[] calldata programOutput, uint256 onchainDataHash, uint256 onchainDataSize) external onlyOperator {
        require(programOutput.length > HEADER, "STARKNET_OUTPUT_TOO_SHORT");
        int256 before = stateBlockNumber;
        require(uint256(before < 0 ? int256(PRIME) + before : before) == programOutput[PREV_BLOCK], "INVALID_PREV_BLOCK_NUMBER");
        require(programOutput[USE_KZG] == 0, "UNEXPECTED_KZG_DA_FLAG");
        bytes32 main = keccak256(abi.encodePacked(programOutput));
        uint256 length = programOutput.length;
        bytes32 root = bytes32(uint256(keccak256(abi.encodePacked(main, length, onchainDataHash, length + onchainDataSize))) + 1);
        update(programOutput, root, HEADER, before);
    }

    /// Checks each blob of the transaction at z; returns where the messages begin.
    function verifyBlobs(uint256[] calldata words, bytes[] calldata proofs) private view returns (uint256) {
        require(words.length > KZG_FIRST, "STARKNET_OUTPUT_TOO_SHORT");
        uint256 n = words[KZG_BLOBS];
        require(n == proofs.length, "INVALID_NUMBER_OF_KZG_PROOFS");
        uint256 end = KZG_FIRST + WORDS_PER_BLOB * n;
        require(words.length >= end, "STARKNET_OUTPUT_TOO_SHORT");
        for (uint256 i = 0; i < n; i++) {
            bytes calldata proof = proofs[i];
            require(proof.length == PROOF_BYTES, "INVALID_KZG_PROOF_SIZE");
            bytes32 versioned = blobhash(i);
            require(versioned[0] == 0x01, "INVALID_BLOB_HASH");
            uint256 low = words[KZG_FIRST + 2 * i];
            uint256 high = words[KZG_FIRST + 2 * i + 1];
            require(low < 2 ** 192 && high < 2 ** 192, "INVALID_KZG_COMMITMENT");
            uint256 yLow = words[KZG_FIRST + 2 * n + 2 * i];
            uint256 yHigh = words[KZG_FIRST + 2 * n + 2 * i + 1];
            require(yLow < 2 ** 128 && yHigh < 2 ** 128, "INVALID_Y_VALUE");
            bytes memory input = abi.encodePacked(versioned, words[KZG_Z], (yHigh << 128) + yLow, uint192(high), uint192(low), proof);
            (bool ok, bytes memory out) = POINT_EVALUATION.staticcall(input);
            require(ok && keccak256(out) == POINT_EVALUATION_OUTPUT, "POINT_EVALUATION_PRECOMPILE_CALL_FAILED");
        }
        return end;
    }

    function update(uint256[] calldata words, bytes32 outputRoot, uint256 messages, int256 before) private {
        for (uint256 i = 0; i < words.length; i++) {
            require(words[i] < PRIME, "PROGRAM_OUTPUT_VALUE_OUT_OF_RANGE");
        }
        require(words[CONFIG_HASH] == configHash, "INVALID_CONFIG_HASH");
        require(words[FULL_OUTPUT] == 0, "FULL_OUTPUT_NOT_SUPPORTED");
        uint256 program = programHash;
        if (words[OS_PROGRAM] != 0) {
            require(words[OS_PROGRAM] == program, "AGGREGATOR_MODE_INVALID_OS_PROGRAM_HASH");
            program = aggregatorProgramHash;
        }
        bytes32 fact = keccak256(abi.encodePacked(program, outputRoot));
        require(verifier.isValid(fact), "NO_STATE_TRANSITION_PROOF");
        emit LogStateTransitionFact(fact);

        int256 next = int256(words[NEW_BLOCK]);
        require(next > before, "INVALID_BLOCK_NUMBER");
        require(words[PREV_HASH] == stateBlockHash, "INVALID_PREV_BLOCK_HASH");
        require(words[PREV_ROOT] == stateRoot, "INVALID_PREVIOUS_ROOT");
        stateRoot = words[NEW_ROOT];
        stateBlockNumber = next;
        stateBlockHash = words[NEW_HASH];

        messages = messagesToL1(words, messages);
        uint256 fees;
        (messages, fees) = messagesToL2(words, messages);
        require(messages == words.length, "STARKNET_OUTPUT_TOO_LONG");
        emit LogStateUpdate(stateRoot, next, stateBlockHash);
        if (fees > 0) {
            (bool paid,) = msg.sender.call{value: fees}("");
            require(paid, "ETH_TRANSFER_FAILED");
        }
    }

    // Messages.

    function messagesToL1(uint256[] calldata words, uint256 cursor) private returns (uint256) {
        uint256 end = segmentEnd(words, cursor);
        for (cursor++; cursor < end;) {
            require(end - cursor >= 3 && words[cursor + 2] <= end - cursor - 3, "INVALID_MESSAGE_SEGMENT_SIZE");
            uint256 next = cursor + 3 + words[cursor + 2];
            require(words[cursor + 1] < 2 ** 160, "INVALID_TO_ADDRESS");
            bytes32 hash = keccak256(abi.encodePacked(words[cursor:next]));
            emit LogMessageToL1(words[cursor], address(uint160(words[cursor + 1])), words[cursor + 3:next]);
            l2ToL1Messages[hash] += 1;
            cursor = next;
        }
        return end;
    }

    function messagesToL2(uint256[] calldata words, uint256 cursor) private returns (uint256, uint256) {
        uint256 end = segmentEnd(words, cursor);
        uint256 fees = 0;
        for (cursor++; cursor < end;) {
            require(end - cursor >= 5 && words[cursor + 4] <= end - cursor - 5, "INVALID_MESSAGE_SEGMENT_SIZE");
            uint256 next = cursor + 5 + words[cursor + 4];
            bytes32 hash = keccak256(abi.encodePacked(words[cursor:next]));
            uint256 fee = l1ToL2Messages[hash];
            require(fee > 0, "INVALID_MESSAGE_TO_CONSUME");
            l1ToL2Messages[hash] = 0;
            fees += fee - 1;
            emit ConsumedMessageToL2(address(uint160(words[cursor])), words[cursor + 1], words[cursor + 3], words[cursor + 5:next], words[cursor + 2]);
            cursor = next;
        }
        return (end, fees);
    }

    function segmentEnd(uint256[] calldata words, uint256 cursor) private pure returns (uint256) {
        require(cursor < words.length && words[cursor] <= words.length - cursor - 1, "INVALID_MESSAGE_SEGMENT_SIZE");
        return cursor + 1 + words[cursor];
    }

    function sendMessageToL2(uint256 toAddress, uint256 selector, uint256[] calldata payload) external payable returns (bytes32, uint256) {
        require(msg.value > 0, "L1_MSG_FEE_MUST_BE_GREATER_THAN_0");
        require(msg.value <= MAX_FEE, "MAX_L1_MSG_FEE_EXCEEDED");
        uint256 nonce = l1ToL2MessageNonce++;
        emit LogMessageToL2(msg.sender, toAddress, selector, payload, nonce, msg.value);
        bytes32 hash =
            keccak256(abi.encodePacked(uint256(uint160(msg.sender)), toAddress, nonce, selector, payload.length, payload));
        l1ToL2Messages[hash] = msg.value + 1;
        return (hash, nonce);
    }

    function consumeMessageFromL2(uint256 fromAddress, uint256[] calldata payload) external returns (bytes32) {
        bytes32 hash = keccak256(abi.encodePacked(fromAddress, uint256(uint160(msg.sender)), payload.length, payload));
        require(l2ToL1Messages[hash] > 0, "INVALID_MESSAGE_TO_CONSUME");
        emit ConsumedMessageToL1(fromAddress, msg.sender, payload);
        l2ToL1Messages[hash] -= 1;
        return hash;
    }
}
