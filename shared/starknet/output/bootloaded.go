package output

import (
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/hash"
)

// BootloaderWords is how many words the bootloader writes before a task's output: the number of tasks, the task's size
// (itself and the program hash included) and its program hash (cairo-lang, bootloaders/simple_bootloader).
const BootloaderWords = 3

// Bootloaded is the output of a bootloader that ran a program as its only task.
func Bootloaded(program felt.Felt, words []felt.Felt) []felt.Felt {
	w := append(make([]felt.Felt, 0, len(words)+BootloaderWords), felt.FromUint64(1),
		felt.FromUint64(uint64(len(words)+2)), program)
	return append(w, words...)
}

// SkipBootloader returns program hash and output of what Bootloaded wrote; ok is false for anything else.
func SkipBootloader(words []felt.Felt) (program felt.Felt, task []felt.Felt, ok bool) {
	if len(words) < BootloaderWords || words[0] != felt.FromUint64(1) ||
		words[1] != felt.FromUint64(uint64(len(words)-1)) {
		return felt.Felt{}, words, false
	}
	return words[2], words[BootloaderWords:], true
}

// LayoutBridge is the output of the layout bridge, itself run by a bootloader, over the proof of a bootloader's run:
// the hashes of the proven program, which is that bootloader, and of its output. piltover takes the fact of these
// words.
func LayoutBridge(bridge, bootloader felt.Felt, proven []felt.Felt) []felt.Felt {
	return Bootloaded(bridge, []felt.Felt{bootloader, hash.PoseidonMany(proven)})
}

// LayoutBridgeWith is the output of a layout bridge that writes the whole output of the proven run where LayoutBridge
// writes its hash: the program, the size of what it wrote, and that (cartridge-gg/piltover,
// src/input/layout_bridge.cairo).
func LayoutBridgeWith(bridge, bootloader felt.Felt, proven []felt.Felt) []felt.Felt {
	return Bootloaded(bridge, append([]felt.Felt{bootloader, felt.FromUint64(uint64(len(proven)))}, proven...))
}
