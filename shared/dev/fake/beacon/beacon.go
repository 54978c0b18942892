// Package beacon is a fake of a beacon node, written after github.com/ethereum/beacon-APIs: getGenesis, getSpec and
// getBlobs. What it serves of a blob is what it was given; the versioned hashes by which it is asked are computed by
// go-ethereum's KZG and not by the code that it tests.
package beacon

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto/kzg4844"
)

// Slot is the time of a slot, and Genesis when slot 0 began.
const Slot = 12 * time.Second

// Genesis is when slot 0 began.
var Genesis = time.Unix(1_700_000_000, 0)

// Node is the fake. Its methods are safe for concurrent use.
type Node struct {
	mu    sync.Mutex
	slots map[uint64][]held
	next  uint64
	lies  func([]byte) []byte
}

// New returns a node without blocks.
func New() *Node { return &Node{slots: map[uint64][]held{}, next: 10} }

// held is a blob as a node holds it. Its hash is computed when it is published: that takes longer than a request
// should.
type held struct {
	raw  []byte
	hash string
}

// Publish puts blobs into the block of a new slot and returns when the slot began. It panics where one is not a blob.
func (n *Node) Publish(blobs [][]byte) time.Time {
	var all []held
	for _, b := range blobs {
		h, err := versionedHash(b)
		if err != nil {
			panic(fmt.Sprintf("publish a blob: %v", err))
		}
		all = append(all, held{b, h})
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.next += 3 // slots without a block lie in between
	n.slots[n.next] = all
	return Genesis.Add(time.Duration(n.next) * Slot)
}

// Lie lets the node serve something else in the place of a blob.
func (n *Node) Lie(with func([]byte) []byte) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lies = with
}

func fail(w http.ResponseWriter, code int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"code": code, "message": message})
}

func reply(w http.ResponseWriter, data any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"execution_optimistic": false, "finalized": true, "data": data})
}

// ServeHTTP implements http.Handler.
func (n *Node) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /eth/v1/beacon/genesis", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]string{"genesis_time": fmt.Sprint(Genesis.Unix()),
			"genesis_validators_root": "0x" + fmt.Sprintf("%064x", 1), "genesis_fork_version": "0x00000000"})
	})
	mux.HandleFunc("GET /eth/v1/config/spec", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, map[string]any{"SECONDS_PER_SLOT": fmt.Sprint(int(Slot / time.Second)), "BLOB_SCHEDULE": []any{}})
	})
	mux.HandleFunc("GET /eth/v1/beacon/blobs/{block}", n.blobs)
	mux.ServeHTTP(w, r)
}

func (n *Node) blobs(w http.ResponseWriter, r *http.Request) {
	slot, err := strconv.ParseUint(r.PathValue("block"), 10, 64)
	if err != nil {
		fail(w, http.StatusBadRequest, "Invalid block ID: "+r.PathValue("block"))
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	all, ok := n.slots[slot]
	if !ok {
		fail(w, http.StatusNotFound, "Block not found")
		return
	}
	wanted := r.URL.Query()["versioned_hashes"]
	out := []string{}
	for _, b := range all {
		if len(wanted) > 0 && !slices.Contains(wanted, b.hash) {
			continue
		}
		raw := b.raw
		if n.lies != nil {
			raw = n.lies(raw)
		}
		out = append(out, hexutil.Encode(raw))
	}
	reply(w, out)
}

// versionedHash is EIP-4844's kzg_to_versioned_hash.
func versionedHash(raw []byte) (string, error) {
	b := kzg4844.Blob(raw)
	c, err := kzg4844.BlobToCommitment(&b)
	if err != nil {
		return "", err
	}
	h := kzg4844.CalcBlobHashV1(sha256.New(), &c)
	return hexutil.Encode(h[:]), nil
}
