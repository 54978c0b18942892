// Package beacon is a beacon node's API: a da.Archive that reads blobs back. It follows github.com/ethereum/beacon-APIs
// (getGenesis, getSpec, getBlobs).
package beacon

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/internal/httpcall"
	"github.com/madara-orchestrator/orchestrator/shared/core/da"
	"github.com/madara-orchestrator/orchestrator/shared/core/redact"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/blob"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/kzg"
)

// Node is a da.Archive.
type Node struct {
	base string
	call *httpcall.Caller
	// time returns when a block of the execution layer was made; the zero time where there is no such block.
	time func(ctx context.Context, blockHash string) (time.Time, error)

	mu    sync.Mutex
	clock *clock
}

var _ da.Archive = (*Node)(nil)

// clock turns times into slots.
type clock struct {
	genesis time.Time
	slot    time.Duration
}

// Deps are what the client needs besides its URL. Every field may be left unset.
type Deps = httpcall.Deps

// New returns the node at an http or https URL. time returns when a block of the execution layer was made, the zero
// time where there is no such block: beacon nodes find blocks by their slot. It makes no request.
func New(rawURL string, time func(ctx context.Context, blockHash string) (time.Time, error),
	d Deps) (*Node, error) {
	if err := httpcall.Check("beacon node", rawURL, "http", "https"); err != nil {
		return nil, err
	}
	// A block has at most some tens of blobs, of 256 KiB each in hex.
	settings := httpcall.Settings{MaxResponse: 16 << 20, Attempts: 3}
	return &Node{base: strings.TrimSuffix(rawURL, "/"), time: time,
		call: httpcall.New("beacon node", redact.OfURL(rawURL), settings, d)}, nil
}

// get asks a path and decodes the field data of the answer.
func (n *Node) get(ctx context.Context, op, path string, into any) error {
	b, err := n.call.Do(ctx, httpcall.Request{Op: op, Method: http.MethodGet, URL: n.base + path,
		Header: http.Header{"Accept": {"application/json"}}})
	if err != nil {
		return err
	}
	var answer struct {
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(b, &answer); err != nil || json.Unmarshal(answer.Data, into) != nil {
		return n.call.Malformed(op, "it has no data of the form that the API describes")
	}
	return nil
}

// slots is the chain's clock, which is asked for once.
func (n *Node) slots(ctx context.Context) (clock, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.clock != nil {
		return *n.clock, nil
	}
	var genesis struct {
		Time string `json:"genesis_time"`
	}
	var spec map[string]json.RawMessage
	if err := errors.Join(n.get(ctx, "read the genesis", "/eth/v1/beacon/genesis", &genesis),
		n.get(ctx, "read the specification", "/eth/v1/config/spec", &spec)); err != nil {
		return clock{}, err
	}
	var text string
	_ = json.Unmarshal(spec["SECONDS_PER_SLOT"], &text) // not a number then
	at, err := strconv.ParseInt(genesis.Time, 10, 64)
	seconds, serr := strconv.ParseInt(text, 10, 32)
	if err != nil || serr != nil || at < 0 || seconds <= 0 {
		return clock{}, n.call.Malformed("read the clock", "genesis %.40q and %.40q seconds a slot are not numbers",
			genesis.Time, text)
	}
	n.clock = &clock{genesis: time.Unix(at, 0), slot: time.Duration(seconds) * time.Second}
	return *n.clock, nil
}

// Ping implements da.Archive.
func (n *Node) Ping(ctx context.Context) error {
	var genesis struct{}
	return n.get(ctx, "read the genesis", "/eth/v1/beacon/genesis", &genesis)
}

// blobsKept is how long beacon nodes keep blobs: 4096 epochs of 32 slots of 12 s (consensus-specs,
// MIN_EPOCHS_FOR_BLOB_SIDECARS_REQUESTS). What could not be read until then can't be read any more.
const blobsKept = 4096 * 32 * 12 * time.Second

// Kept implements da.Archive.
func (n *Node) Kept() time.Duration { return blobsKept }

// Check implements da.Archive.
func (n *Node) Check(ctx context.Context, s da.Sent) error {
	blockHash, sent := s.BlockHash, s.Payload.Blobs
	if len(sent) == 0 {
		return nil
	}
	hashes := make([]string, len(sent))
	for i, b := range sent {
		h, err := versionedHash(b)
		if err != nil {
			return fmt.Errorf("blob %d that was sent: %w", i, err)
		}
		hashes[i] = h
	}
	found, err := n.blobs(ctx, blockHash, hashes)
	if err != nil {
		return err
	}
	for i, h := range hashes {
		if !found[h] { // a versioned hash stands for its bytes
			return fmt.Errorf("blob %d (%s) in block %s: %w", i, h, blockHash, da.ErrMissing)
		}
	}
	return nil
}

// versionedHash is computed from the blob's own bytes: a node's word for it would prove nothing.
func versionedHash(raw []byte) (string, error) {
	if len(raw) != blob.Size {
		return "", fmt.Errorf("%d bytes, want %d: %w", len(raw), blob.Size, da.ErrDiffers)
	}
	c, err := kzg.Commit((*blob.Blob)(raw))
	if err != nil {
		return "", fmt.Errorf("%w: %w", da.ErrDiffers, err)
	}
	h := kzg.VersionedHash(c)
	return "0x" + hex.EncodeToString(h[:]), nil
}

// blobs asks for the blobs of a block that have the versioned hashes, and returns the hashes that their bytes have.
func (n *Node) blobs(ctx context.Context, blockHash string, hashes []string) (map[string]bool, error) {
	c, err := n.slots(ctx)
	if err != nil {
		return nil, err
	}
	at, err := n.time(ctx, blockHash)
	if err != nil {
		return nil, fmt.Errorf("read when block %s was made: %w", blockHash, err)
	}
	if at.IsZero() || at.Before(c.genesis) {
		return nil, fmt.Errorf("block %s is not on the chain: %w", blockHash, da.ErrMissing)
	}
	slot := strconv.FormatInt(int64(at.Sub(c.genesis)/c.slot), 10)
	q := url.Values{"versioned_hashes": hashes}
	var texts []string
	err = n.get(ctx, "read blobs", "/eth/v1/beacon/blobs/"+slot+"?"+q.Encode(), &texts)
	var status *httpcall.StatusError
	if errors.As(err, &status) && status.Status == http.StatusNotFound {
		return nil, fmt.Errorf("slot %s: %w", slot, da.ErrMissing)
	}
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for i, text := range texts {
		raw, err := hex.DecodeString(strings.TrimPrefix(text, "0x"))
		if err != nil || len(raw) != blob.Size {
			return nil, n.call.Malformed("read blobs", "blob %d has %d characters and is not %d bytes in hex", i,
				len(text), blob.Size)
		}
		h, err := versionedHash(raw)
		if err != nil {
			return nil, fmt.Errorf("blob %d of slot %s: %w", i, slot, err)
		}
		out[h] = true
	}
	return out, nil
}
