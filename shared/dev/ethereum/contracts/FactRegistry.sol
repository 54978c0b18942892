// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title Fact registry for development: whoever is the registrar says what is proven.
contract FactRegistry {
    event LogFactRegistered(bytes32 indexed fact);

    address public immutable registrar;
    mapping(bytes32 => bool) private valid;
    bool public hasRegisteredFact;

    constructor(address registrar_) {
        registrar = registrar_;
    }

    function isValid(bytes32 fact) external view returns (bool) {
        return valid[fact];
    }

    /// Registering a fact again changes nothing.
    function registerFact(bytes32 fact) external {
        require(msg.sender == registrar, "ONLY_REGISTRAR");
        if (!valid[fact]) {
            valid[fact] = true;
            hasRegisteredFact = true;
            emit LogFactRegistered(fact);
        }
    }
}
