package sending

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/core/tx"
)

// DryRunError is ErrDryRun with what would be sent.
type DryRunError struct {
	Usage   tx.Usage // as the node estimates it
	Fees    tx.Fees  // limits that would be signed
	Cap     *big.Int // of fees; nil for none
	Payload tx.Payload
}

// Error gives gas and fee.
func (e *DryRunError) Error() string {
	limit := "there is no cap"
	if e.Cap != nil {
		limit = "the cap is " + e.Cap.String()
	}
	gas := fmt.Sprintf("%d gas", e.Usage.Gas)
	if e.Usage.DataGas > 0 {
		gas += fmt.Sprintf(" and %d data gas", e.Usage.DataGas)
	}
	return fmt.Sprintf("%v; it takes %s and would pay %s at the most, %s", ErrDryRun, gas, e.Fees.Total(), limit)
}

// Is makes it ErrDryRun.
func (e *DryRunError) Is(target error) bool { return target == ErrDryRun }

// dryRunWait is when a dry run checks what is ready again.
const dryRunWait = 10 * time.Minute

// maxCalldata bounds what is kept of calldata, in bytes. An update with blobs has less; one of Starknet may have more.
const maxCalldata = 16 << 10

// Details are what would be sent, for people: amounts are decimal, fees in the settlement layer's smallest unit. What
// there is none of is left out. Where the calldata is cut, calldata_kept is how many of its bytes are there.
func (e *DryRunError) Details() map[string]string {
	data := e.Payload.Data
	kept := data[:min(len(data), maxCalldata)]
	out := map[string]string{
		"to": e.Payload.To, "gas": fmt.Sprint(e.Usage.Gas), "gas_limit": fmt.Sprint(e.Fees.Gas),
		"fee_at_most": e.Fees.Total().String(), "calldata_bytes": fmt.Sprint(len(data)),
		"calldata": "0x" + hex.EncodeToString(kept),
	}
	if len(kept) < len(data) {
		out["calldata_kept"] = fmt.Sprint(len(kept))
	}
	if e.Payload.Entrypoint != "" {
		out["entrypoint"] = e.Payload.Entrypoint
	}
	if n := len(e.Payload.Blobs); n > 0 {
		out["blobs"], out["blob_hashes"] = fmt.Sprint(n), e.Usage.BlobHashes
	}
	if e.Usage.DataGas > 0 {
		out["data_gas"], out["data_gas_limit"] = fmt.Sprint(e.Usage.DataGas), fmt.Sprint(e.Fees.DataGas)
	}
	if e.Cap != nil {
		out["fee_cap"] = e.Cap.String()
	}
	return out
}
