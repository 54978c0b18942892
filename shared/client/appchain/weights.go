package appchain

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/jsonlimit"
)

// Weights returns the bouncer weights of from..to: the sequencer's own figures from the feeder gateway, or estimates
// where none is configured. A block without proving gas gets Config.EmptyProvingGas: proving it costs something too.
func (s *Source) Weights(ctx context.Context, from, to uint64) ([]block.Weights, error) {
	if s.gateway == nil {
		return s.estimate(ctx, from, to)
	}
	if err := block.CheckRange(from, to, s.cfg.MaxRange); err != nil {
		return nil, fmt.Errorf("read weights: %w", err)
	}
	out := make([]block.Weights, to-from+1)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(s.cfg.Concurrency)
	for i := range out {
		n := from + uint64(i)
		g.Go(func() error {
			w, err := s.weightsOf(ctx, n)
			if err != nil {
				return fmt.Errorf("read weights of block %d: %w", n, err)
			}
			out[i] = w
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return out, nil
}

func (s *Source) weightsOf(ctx context.Context, n uint64) (block.Weights, error) {
	raw := s.cached(ctx, weightsKind, n)
	if w, err := decodeWeights(raw); err == nil {
		return s.filled(w), nil
	}
	address, err := weightsURL(s.gateway.url, n)
	if err != nil {
		return block.Weights{}, err
	}
	var w block.Weights
	for i := 0; ; i++ {
		if raw, err = s.do(ctx, s.gateway, http.MethodGet, address, nil,
			jsonlimit.Limits{Bytes: smallResult, Elements: smallElements}); err == nil {
			w, err = decodeWeights(raw)
		}
		if err == nil {
			s.remember(ctx, weightsKind, n, raw)
			return s.filled(w), nil
		}
		err = gatewayError(err)
		if judge(err) != passing || i+1 >= s.cfg.Attempts || ctx.Err() != nil {
			return block.Weights{}, err
		}
		if err := s.pause(ctx, i, err); err != nil {
			return block.Weights{}, err
		}
	}
}

// gatewayError makes the gateway's word for an unknown block block.ErrNotFound, whatever the HTTP status.
func gatewayError(err error) error {
	var status *statusError
	if errors.As(err, &status) && strings.HasSuffix(status.code, "BLOCK_NOT_FOUND") {
		return fmt.Errorf("%w: %w", err, block.ErrNotFound)
	}
	return err
}

func (s *Source) filled(w block.Weights) block.Weights {
	if w.ProvingGas == 0 {
		w.ProvingGas = s.cfg.EmptyProvingGas
	}
	return w
}

func weightsURL(root string, n uint64) (string, error) {
	u, err := url.Parse(root)
	if err != nil {
		return "", errors.New("feeder gateway URL is not a URL")
	}
	u = u.JoinPath("feeder_gateway", "get_block_bouncer_weights")
	q := u.Query()
	q.Set("blockNumber", strconv.FormatUint(n, 10))
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// wireWeights is the gateway's answer. Proving, Sierra and receipt gas may be missing in answers of older nodes; the
// rest is due.
type wireWeights struct {
	L1Gas                *uint64 `json:"l1_gas"`
	MessageSegmentLength *uint64 `json:"message_segment_length"`
	NEvents              *uint64 `json:"n_events"`
	StateDiffSize        *uint64 `json:"state_diff_size"`
	SierraGas            uint64  `json:"sierra_gas"`
	NTxs                 uint64  `json:"n_txs"`
	ProvingGas           uint64  `json:"proving_gas"`
	ReceiptL2Gas         uint64  `json:"receipt_l2_gas"`
}

func decodeWeights(raw []byte) (block.Weights, error) {
	var w wireWeights
	if err := unmarshal(raw, &w); err != nil {
		return block.Weights{}, malformed("bouncer weights", err)
	}
	if w.L1Gas == nil || w.MessageSegmentLength == nil || w.NEvents == nil || w.StateDiffSize == nil {
		return block.Weights{}, malformedf("bouncer weights lack l1_gas, message_segment_length, n_events or " +
			"state_diff_size")
	}
	return block.Weights{L1Gas: *w.L1Gas, MessageSegmentLength: *w.MessageSegmentLength, NEvents: *w.NEvents,
		StateDiffSize: *w.StateDiffSize, SierraGas: w.SierraGas, NTxs: w.NTxs, ProvingGas: w.ProvingGas,
		ReceiptL2Gas: w.ReceiptL2Gas}, nil
}

// estimate derives weights from blocks and state updates, for nodes without the gateway's extension:
//   - message segment length is exact: 3 words and the payload for a message to the settlement layer, 5 and the payload
//     for one from it; transactions and events are counted;
//   - the state diff's size is that of its uncompressed encoding: 2 words a touched contract, 1 more for a class, 2 a
//     slot and 2 a declared or migrated class;
//   - L1 gas is what the messages take on the settlement layer, by the sequencer's formula (messageGas);
//   - Sierra gas and receipt gas are the L2 gas of the receipts, and proving gas is taken to equal it, which is a lower
//     bound where builtins dominate. Leave a margin in the batch limits when you rely on it.
func (s *Source) estimate(ctx context.Context, from, to uint64) ([]block.Weights, error) {
	blocks, err := s.receipts(ctx, from, to)
	if err != nil {
		return nil, err
	}
	updates, err := s.StateUpdates(ctx, from, to)
	if err != nil {
		return nil, err
	}
	out := make([]block.Weights, len(blocks))
	for i, b := range blocks {
		w := block.Weights{L1Gas: messageGas(b.messages), SierraGas: b.l2Gas, ReceiptL2Gas: b.l2Gas,
			ProvingGas: b.l2Gas, NEvents: b.events,
			NTxs: uint64(b.header.Transactions), StateDiffSize: diffSize(updates[i].Diff)}
		for _, m := range b.messages.ToL1 {
			w.MessageSegmentLength += uint64(3 + len(m.Payload))
		}
		for _, m := range b.messages.ToL2 {
			w.MessageSegmentLength += uint64(5 + len(m.Payload))
		}
		out[i] = s.filled(w)
	}
	return out, nil
}

// Gas of messages on the settlement layer (starkware-libs/sequencer, blockifier/src/fee/eth_gas_constants.rs and
// resources.rs, get_starknet_gas_cost).
const (
	gasPerWord     = 16 * 32 // of calldata
	gasPerSent     = 20_000  // a counter set, of each message to the settlement layer
	gasPerConsumed = 5_000   // a counter decreased, of each message from it
	gasPerLog      = 375     // as much as each of its topics
	gasPerLogWord  = 8 * 32  // of its data
	// of the event of a message to the settlement layer, whose data has 2 words beside the payload
	sentTopics     = 3
	consumedTopics = 4 // of the event of a message from it, whose data has 3
)

func messageGas(ms block.Messages) uint64 {
	gas := uint64(0)
	for _, m := range ms.ToL1 {
		n := uint64(len(m.Payload))
		gas += gasPerSent + (3+n)*gasPerWord + gasPerLog*(1+sentTopics) + (2+n)*gasPerLogWord
	}
	for _, m := range ms.ToL2 {
		n := uint64(len(m.Payload))
		gas += gasPerConsumed + (5+n)*gasPerWord + gasPerLog*(1+consumedTopics) + (3+n)*gasPerLogWord
	}
	return gas
}

// diffSize is the number of words of a state diff's uncompressed encoding.
func diffSize(d block.StateDiff) uint64 {
	touched := map[[32]byte]bool{}
	size := 2 + 2*(len(d.Declared)+len(d.MigratedCompiledHash)) + len(d.Deployed) + len(d.Replaced)
	for _, c := range d.Storage {
		touched[c.Address] = true
		size += 2 * len(c.Entries)
	}
	for _, c := range d.Deployed {
		touched[c.Address] = true
	}
	for _, c := range d.Replaced {
		touched[c.Address] = true
	}
	for _, c := range d.Nonces {
		touched[c.Address] = true
	}
	return uint64(size + 2*len(touched))
}
