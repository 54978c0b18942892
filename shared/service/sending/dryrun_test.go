package sending_test

import (
	"maps"
	"math/big"
	"strings"
	"testing"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
	"github.com/madara-orchestrator/orchestrator/shared/service/sending"
)

// What a dry run would send is said whole: on Starknet the called function and the data gas too, on Ethereum the blobs.
// Calldata that is cut says so.
func TestDryRunDetails(t *testing.T) {
	t.Parallel()
	price := big.NewInt(2)
	starknet := &sending.DryRunError{
		Usage:   tx.Usage{Gas: 100, DataGas: 40},
		Fees:    tx.Fees{Gas: 150, GasPrice: price, DataGas: 60, DataGasPrice: price},
		Payload: tx.Payload{To: "0x1", Entrypoint: "update_state", Data: make([]byte, 20_000)},
	}
	got := starknet.Details()
	calldata := got["calldata"]
	delete(got, "calldata")
	if want := map[string]string{"to": "0x1", "entrypoint": "update_state", "gas": "100", "gas_limit": "150",
		"data_gas": "40", "data_gas_limit": "60", "fee_at_most": "420", "calldata_bytes": "20000",
		"calldata_kept": "16384"}; !maps.Equal(got, want) || len(calldata) != 2+2*16384 {
		t.Errorf("%v with %d digits, want %v", got, len(calldata), want)
	}
	if text := starknet.Error(); !strings.Contains(text, "100 gas and 40 data gas") {
		t.Error(text)
	}
	ethereum := &sending.DryRunError{
		Usage: tx.Usage{Gas: 100, BlobHashes: "0x01a 0x01b"}, Fees: tx.Fees{Gas: 150, GasPrice: price},
		Payload: tx.Payload{To: "0x1", Data: []byte{1, 2}, Blobs: [][]byte{nil, nil}}, Cap: big.NewInt(9),
	}
	if got, want := ethereum.Details(), map[string]string{"to": "0x1", "gas": "100", "gas_limit": "150",
		"fee_at_most": "300", "calldata_bytes": "2", "calldata": "0x0102", "blobs": "2",
		"blob_hashes": "0x01a 0x01b", "fee_cap": "9"}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
