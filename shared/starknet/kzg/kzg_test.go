package kzg_test

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/consensys/gnark-crypto/ecc/bls12-381/fr"
	"github.com/ethereum/go-ethereum/crypto/kzg4844"

	"github.com/madara-orchestrator/orchestrator/shared/starknet/blob"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/kzg"
	"github.com/madara-orchestrator/orchestrator/shared/starknet/starknettest"
)

func randomBlob(seed uint64) *blob.Blob {
	rng := rand.New(rand.NewPCG(seed, 1))
	b := new(blob.Blob)
	for i := range blob.Words {
		var e fr.Element
		var raw [32]byte
		for k := range raw {
			raw[k] = byte(rng.Uint32())
		}
		e.SetBytes(raw[:])
		v := e.Bytes()
		copy(b[i*32:], v[:])
	}
	return b
}

// TestAgainstEthereum compares with the library that Ethereum's nodes run. It also checks the embedded set-up: other
// points would give other commitments and proofs.
func TestAgainstEthereum(t *testing.T) {
	t.Parallel()
	b := randomBlob(7)
	eth := (*kzg4844.Blob)(b)
	want, err := kzg4844.BlobToCommitment(eth)
	if err != nil {
		t.Fatal(err)
	}
	got, err := kzg.Commit(b)
	if err != nil || got != kzg.Commitment(want) {
		t.Fatalf("commitment %x, want %x (%v)", got, want, err)
	}
	z := [32]byte{31: 5, 10: 9}
	proof, y, err := kzg.ProofAt(b, z)
	if err != nil {
		t.Fatal(err)
	}
	wantProof, wantY, err := kzg4844.ComputeProof(eth, z)
	if err != nil || proof != kzg.Proof(wantProof) || y != [32]byte(wantY) {
		t.Errorf("proof %x of y %x, want %x of %x (%v)", proof, y, wantProof, wantY, err)
	}
	blobProof, err := kzg.BlobProof(b, got)
	if err != nil {
		t.Fatal(err)
	}
	if err := kzg4844.VerifyBlobProof(eth, want, kzg4844.Proof(blobProof)); err != nil {
		t.Errorf("blob proof: %v", err)
	}
	cells, err := kzg.CellProofs(b)
	if err != nil {
		t.Fatal(err)
	}
	wantCells, err := kzg4844.ComputeCellProofs(eth)
	if err != nil || len(cells) != len(wantCells) {
		t.Fatalf("%d cell proofs, want %d (%v)", len(cells), len(wantCells), err)
	}
	for i := range cells {
		if cells[i] != kzg.Proof(wantCells[i]) {
			t.Fatalf("cell proof %d is %x, want %x", i, cells[i], wantCells[i])
		}
	}
	if h := kzg.VersionedHash(got); !kzg4844.IsValidVersionedHash(h[:]) {
		t.Errorf("versioned hash %x is none", h)
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	b := randomBlob(3)
	c, err := kzg.Commit(b)
	if err != nil {
		t.Fatal(err)
	}
	z := [32]byte{31: 77}
	proof, y, err := kzg.ProofAt(b, z)
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := kzg.Verify(c, z, y, proof); err != nil || !ok {
		t.Errorf("a good proof: %v, %v", ok, err)
	}
	if e, err := kzg.Evaluate(b, z); err != nil || e != y {
		t.Errorf("value %x, want %x (%v)", e, y, err)
	}
	y[31] ^= 1
	if ok, err := kzg.Verify(c, z, y, proof); err != nil || ok {
		t.Errorf("another value: %v, %v", ok, err)
	}
	if _, err := kzg.Verify(c, z, y, kzg.Proof{1}); err == nil {
		t.Error("a proof that is not a point is taken")
	}
	if _, err := kzg.Evaluate(b, [32]byte{0: 0xff}); err == nil {
		t.Error("a point that is not a scalar is taken")
	}
	if _, err := kzg.Commit(&blob.Blob{0: 0xff}); err == nil {
		t.Error("a blob with an element above the order is taken")
	}
}

func unhex(t *testing.T, raw []byte) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.TrimPrefix(strings.TrimSpace(string(raw)), "0x"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readBlob(t *testing.T, path ...string) *blob.Blob {
	t.Helper()
	bs, err := blob.ReadHex(bytes.NewReader(starknettest.Read(t, path...)))
	if err != nil || len(bs) != 1 {
		t.Fatalf("%d blobs, %v", len(bs), err)
	}
	return &bs[0]
}

// TestMainnetBlob: a blob of Ethereum, its commitment and the proof of its sidecar.
func TestMainnetBlob(t *testing.T) {
	t.Parallel()
	b := readBlob(t, "kzg", "20462788.blob.hex")
	c, err := kzg.Commit(b)
	if want := unhex(t, starknettest.Read(t, "kzg", "20462788.commitment.hex")); err != nil ||
		!bytes.Equal(c[:], want) {
		t.Fatalf("commitment %x, want %x (%v)", c, want, err)
	}
	p, err := kzg.BlobProof(b, c)
	if want := unhex(t, starknettest.Read(t, "kzg", "20462788.proof.hex")); err != nil || !bytes.Equal(p[:], want) {
		t.Errorf("blob proof %x, want %x (%v)", p, want, err)
	}
}

// TestMainnetProofs: the proofs that state updates of Starknet's mainnet carried.
func TestMainnetProofs(t *testing.T) {
	t.Parallel()
	for _, n := range []string{"651053", "651054"} {
		b := readBlob(t, "kzg_proof_at_point", n, "blob_data.txt")
		var z [32]byte
		copy(z[:], unhex(t, starknettest.Read(t, "kzg_proof_at_point", n, "x_0.txt")))
		p, _, err := kzg.ProofAt(b, z)
		if want := unhex(t, starknettest.Read(t, "kzg_proof_at_point", n, "kzg_proof.txt")); err != nil ||
			!bytes.Equal(p[:], want) {
			t.Errorf("%s: proof %x, want %x (%v)", n, p, want, err)
		}
	}
}

func BenchmarkReady(b *testing.B) {
	start := time.Now()
	if _, err := kzg.Commit(randomBlob(1)); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms-to-first-commitment")
}

func BenchmarkCommit(b *testing.B) {
	x := randomBlob(1)
	for b.Loop() {
		if _, err := kzg.Commit(x); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkProofAt(b *testing.B) {
	x := randomBlob(1)
	for b.Loop() {
		if _, _, err := kzg.ProofAt(x, [32]byte{31: 3}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCellProofs(b *testing.B) {
	x := randomBlob(1)
	for b.Loop() {
		if _, err := kzg.CellProofs(x); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkParallel compares the commitments of six blobs on one core with those on all, in one run.
func BenchmarkParallel(b *testing.B) {
	var blobs [6]blob.Blob
	for i := range blobs {
		blobs[i] = *randomBlob(uint64(i + 1))
	}
	if _, err := kzg.Commit(&blobs[0]); err != nil { // the set-up is read once a process
		b.Fatal(err)
	}
	var serial, parallel time.Duration
	for b.Loop() {
		cores := runtime.GOMAXPROCS(1)
		began := time.Now()
		if _, err := kzg.CommitAll(blobs[:]); err != nil {
			b.Fatal(err)
		}
		serial += time.Since(began)
		runtime.GOMAXPROCS(cores)
		began = time.Now()
		if _, err := kzg.CommitAll(blobs[:]); err != nil {
			b.Fatal(err)
		}
		parallel += time.Since(began)
	}
	b.ReportMetric(float64(serial)/float64(parallel), "one-core/all-cores")
	b.ReportMetric(float64(runtime.GOMAXPROCS(0)), "cores")
}
