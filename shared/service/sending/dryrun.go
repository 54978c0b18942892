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
	return fmt.Sprintf("%v; it takes %d gas and would pay %s at the most, %s", ErrDryRun, e.Usage.Gas, e.Fees.Total(),
		limit)
}

// Is makes it ErrDryRun.
func (e *DryRunError) Is(target error) bool { return target == ErrDryRun }

// dryRunWait is when a dry run checks what is ready again.
const dryRunWait = 10 * time.Minute

// maxCalldata bounds what is kept of calldata, in bytes.
const maxCalldata = 16 << 10

// Details are what would be sent, for people: amounts are decimal, fees in the settlement layer's smallest unit.
func (e *DryRunError) Details() map[string]string {
	data := e.Payload.Data
	out := map[string]string{
		"to": e.Payload.To, "gas": fmt.Sprint(e.Usage.Gas), "gas_limit": fmt.Sprint(e.Fees.Gas),
		"fee_at_most": e.Fees.Total().String(), "calldata_bytes": fmt.Sprint(len(data)),
		"calldata": "0x" + hex.EncodeToString(data[:min(len(data), maxCalldata)]),
		"blobs":    fmt.Sprint(len(e.Payload.Blobs)), "blob_hashes": e.Usage.BlobHashes,
	}
	if e.Cap != nil {
		out["fee_cap"] = e.Cap.String()
	}
	return out
}
