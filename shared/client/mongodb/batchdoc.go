package mongodb

import (
	"fmt"
	"math/big"
	"slices"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/madara-orchestrator/orchestrator/shared/core/batch"
	"github.com/madara-orchestrator/orchestrator/shared/core/block"
	"github.com/madara-orchestrator/orchestrator/shared/core/felt"
)

// spanDoc is a batch.Span. Start and end blocks are queried.
type spanDoc struct {
	StartBlock int64          `bson:"start_block"`
	EndBlock   int64          `bson:"end_block"`
	EndHash    string         `bson:"end_hash,omitempty"`
	Weights    weightsDoc     `bson:"weights"`
	Starknet   string         `bson:"starknet_version"`
	OpenedAt   *bson.DateTime `bson:"opened_at,omitempty"`
	ClosedAt   *bson.DateTime `bson:"closed_at,omitempty"`
	Reason     batch.Reason   `bson:"closed_by,omitempty"`
}

type weightsDoc struct {
	L1Gas                int64 `bson:"l1_gas"`
	MessageSegmentLength int64 `bson:"message_segment_length"`
	NEvents              int64 `bson:"n_events"`
	StateDiffSize        int64 `bson:"state_diff_size"`
	SierraGas            int64 `bson:"sierra_gas"`
	NTxs                 int64 `bson:"n_txs"`
	ProvingGas           int64 `bson:"proving_gas"`
	ReceiptL2Gas         int64 `bson:"receipt_l2_gas"` // 0 in documents of release 0.1
}

// metaDoc is what both kinds of batches have.
type metaDoc struct {
	Index     int64          `bson:"_id"`
	Epoch     int64          `bson:"epoch,omitempty"`
	Status    string         `bson:"status"`
	TraceID   string         `bson:"trace_id"`
	Ledger    ledgerDoc      `bson:"ledger"`
	Version   int64          `bson:"version"`
	Fence     int64          `bson:"fence"`
	Schema    int            `bson:"schema"` // 0 in SNOS batches of release 0.1: 1
	CreatedAt *bson.DateTime `bson:"created_at,omitempty"`
	UpdatedAt *bson.DateTime `bson:"updated_at,omitempty"`
}

type ledgerDoc struct {
	Stages      map[string]stageDoc `bson:"stages,omitempty"`
	GasUsed     int64               `bson:"gas_used"`
	BlobGasUsed int64               `bson:"blob_gas_used"`
	Blobs       int                 `bson:"blobs"`
	FeeWei      string              `bson:"fee_wei,omitempty"` // decimal: beyond 64 bits
	FeeSaved    string              `bson:"fee_saved,omitempty"`
	DataFee     string              `bson:"data_fee,omitempty"`
	Tx          string              `bson:"tx,omitempty"`
	ProverTask  string              `bson:"prover_task,omitempty"`
	ProverSteps int64               `bson:"prover_steps,omitempty"`
	Requests    map[string]int      `bson:"requests,omitempty"`
	StoredBytes int64               `bson:"stored_bytes,omitempty"`
}

type stageDoc struct {
	Jobs      int            `bson:"jobs"`
	StartedAt *bson.DateTime `bson:"started_at,omitempty"`
	EndedAt   *bson.DateTime `bson:"ended_at,omitempty"`
}

type snosDoc struct {
	Meta       metaDoc `bson:",inline"`
	Span       spanDoc `bson:",inline"`
	Aggregator int64   `bson:"aggregator"`
	DAWords    int     `bson:"da_words,omitempty"`
	// AccumulatorKey is set in an L3's open batch.
	AccumulatorKey string `bson:"accumulator_key,omitempty"`
}

type aggregatorDoc struct {
	Meta           metaDoc   `bson:",inline"`
	Span           spanDoc   `bson:",inline"`
	FirstSnos      int64     `bson:"first_snos"`
	Snos           []spanDoc `bson:"snos"`
	DAWords        int       `bson:"da_words"`
	InputSize      int       `bson:"input_size"`
	AccumulatorKey string    `bson:"accumulator_key,omitempty"`
	Bucket         string    `bson:"bucket,omitempty"`
	Prover         string    `bson:"prover,omitempty"`
}

// ints converts unsigned numbers and keeps the first one that does not fit.
type ints struct{ err error }

func (n *ints) of(v uint64) int64 {
	i, err := number(v)
	if n.err == nil {
		n.err = err
	}
	return i
}

// back converts stored numbers, which are never negative.
func (n *ints) back(v int64) uint64 {
	if v < 0 && n.err == nil {
		n.err = fmt.Errorf("stored number %d is negative: the document is corrupt", v)
	}
	return uint64(max(v, 0))
}

func (n *ints) span(s batch.Span) spanDoc {
	w, hash := s.Weights, ""
	if !s.EndHash.IsZero() {
		hash = s.EndHash.String()
	}
	return spanDoc{
		StartBlock: n.of(s.StartBlock), EndBlock: n.of(s.EndBlock), EndHash: hash, Starknet: s.StarknetVersion,
		OpenedAt: moment(s.OpenedAt), ClosedAt: moment(s.ClosedAt), Reason: s.Reason,
		Weights: weightsDoc{n.of(w.L1Gas), n.of(w.MessageSegmentLength), n.of(w.NEvents), n.of(w.StateDiffSize),
			n.of(w.SierraGas), n.of(w.NTxs), n.of(w.ProvingGas), n.of(w.ReceiptL2Gas)},
	}
}

func (n *ints) spanBack(d spanDoc) batch.Span {
	w, hash := d.Weights, felt.Zero
	if d.EndHash != "" {
		var err error
		if hash, err = felt.FromHex(d.EndHash); err != nil && n.err == nil {
			n.err = fmt.Errorf("stored block hash %.80q: %w: the document is corrupt", d.EndHash, err)
		}
	}
	return batch.Span{
		StartBlock: n.back(d.StartBlock), EndBlock: n.back(d.EndBlock), EndHash: hash, StarknetVersion: d.Starknet,
		OpenedAt: timeOf(d.OpenedAt), ClosedAt: timeOf(d.ClosedAt), Reason: d.Reason,
		Weights: block.Weights{
			L1Gas: n.back(w.L1Gas), MessageSegmentLength: n.back(w.MessageSegmentLength), NEvents: n.back(w.NEvents),
			StateDiffSize: n.back(w.StateDiffSize), SierraGas: n.back(w.SierraGas), NTxs: n.back(w.NTxs),
			ProvingGas:   n.back(w.ProvingGas),
			ReceiptL2Gas: n.back(w.ReceiptL2Gas),
		},
	}
}

func (n *ints) meta(index, epoch uint64, status, trace string, l batch.Ledger, version, fence uint64,
	created, updated time.Time) metaDoc {
	d := metaDoc{
		Index: n.of(index), Epoch: n.of(epoch), Status: status, TraceID: trace, Version: n.of(version),
		Fence: n.of(fence), Schema: batch.SchemaOf(epoch),
		CreatedAt: moment(created), UpdatedAt: moment(updated),
		Ledger: ledgerDoc{GasUsed: n.of(l.GasUsed), BlobGasUsed: n.of(l.DataGasUsed), Blobs: l.Blobs, Tx: l.Tx,
			ProverTask: l.ProverTask, ProverSteps: n.of(l.ProverSteps), Requests: l.Requests,
			StoredBytes: l.StoredBytes},
	}
	if l.Fee != nil {
		d.Ledger.FeeWei = l.Fee.String()
	}
	if l.FeeSaved != nil {
		d.Ledger.FeeSaved = l.FeeSaved.String()
	}
	if l.DataFee != nil {
		d.Ledger.DataFee = l.DataFee.String()
	}
	if l.Stages != nil {
		d.Ledger.Stages = map[string]stageDoc{}
	}
	for k, s := range l.Stages {
		d.Ledger.Stages[k] = stageDoc{Jobs: s.Jobs, StartedAt: moment(s.StartedAt), EndedAt: moment(s.EndedAt)}
	}
	return d
}

// amount reads an amount; nil for none.
func (n *ints) amount(text string) *big.Int {
	if text == "" {
		return nil
	}
	a, ok := new(big.Int).SetString(text, 10)
	if !ok && n.err == nil {
		n.err = fmt.Errorf("stored fee %.40q is not a number: the document is corrupt", text)
	}
	return a
}

func (n *ints) ledgerBack(d ledgerDoc) batch.Ledger {
	l := batch.Ledger{
		GasUsed: n.back(d.GasUsed), DataGasUsed: n.back(d.BlobGasUsed), Blobs: d.Blobs, Tx: d.Tx,
		ProverTask: d.ProverTask, ProverSteps: n.back(d.ProverSteps), Requests: d.Requests, StoredBytes: d.StoredBytes,
	}
	l.Fee, l.FeeSaved, l.DataFee = n.amount(d.FeeWei), n.amount(d.FeeSaved), n.amount(d.DataFee)
	if d.Stages != nil {
		l.Stages = map[string]batch.Stage{}
	}
	for k, s := range d.Stages {
		l.Stages[k] = batch.Stage{Jobs: s.Jobs, StartedAt: timeOf(s.StartedAt), EndedAt: timeOf(s.EndedAt)}
	}
	return l
}

func toSnosDoc(b batch.SnosBatch) (snosDoc, error) {
	n := &ints{}
	d := snosDoc{
		Meta: n.meta(b.Index, b.Epoch, string(b.Status), b.TraceID, b.Ledger, b.Version, b.Fence, b.CreatedAt,
			b.UpdatedAt),
		Span: n.span(b.Span), Aggregator: n.of(b.Aggregator), DAWords: b.DAWords, AccumulatorKey: b.AccumulatorKey,
	}
	return d, n.err
}

func (d snosDoc) batch() (batch.SnosBatch, error) {
	st, err := d.Meta.status("SNOS", d.Aggregator != 0)
	if err != nil {
		return batch.SnosBatch{}, err
	}
	n := &ints{}
	b := batch.SnosBatch{
		Span: n.spanBack(d.Span), Index: n.back(d.Meta.Index), Epoch: n.back(d.Meta.Epoch),
		Aggregator: n.back(d.Aggregator), Status: st,
		DAWords: d.DAWords, AccumulatorKey: d.AccumulatorKey,
		TraceID: d.Meta.TraceID, Ledger: n.ledgerBack(d.Meta.Ledger),
		Version: n.back(d.Meta.Version), Fence: n.back(d.Meta.Fence),
		CreatedAt: timeOf(d.Meta.CreatedAt), UpdatedAt: timeOf(d.Meta.UpdatedAt),
	}
	return b, n.err
}

func toAggregatorDoc(b batch.AggregatorBatch) (aggregatorDoc, error) {
	n := &ints{}
	d := aggregatorDoc{
		Meta: n.meta(b.Index, b.Epoch, string(b.Status), b.TraceID, b.Ledger, b.Version, b.Fence, b.CreatedAt,
			b.UpdatedAt),
		Span: n.span(b.Span), FirstSnos: n.of(b.FirstSnos), Snos: []spanDoc{},
		DAWords: b.DAWords, InputSize: b.InputSize,
		AccumulatorKey: b.AccumulatorKey, Bucket: b.Bucket, Prover: b.Prover,
	}
	for _, s := range b.Snos {
		d.Snos = append(d.Snos, n.span(s))
	}
	return d, n.err
}

func (d aggregatorDoc) batch() (batch.AggregatorBatch, error) {
	st, err := d.Meta.status("aggregator", false)
	if err != nil {
		return batch.AggregatorBatch{}, err
	}
	n := &ints{}
	b := batch.AggregatorBatch{
		Span: n.spanBack(d.Span), Index: n.back(d.Meta.Index), Epoch: n.back(d.Meta.Epoch),
		FirstSnos: n.back(d.FirstSnos),
		DAWords:   d.DAWords, InputSize: d.InputSize,
		AccumulatorKey: d.AccumulatorKey, Bucket: d.Bucket, Prover: d.Prover, Status: st, TraceID: d.Meta.TraceID,
		Ledger: n.ledgerBack(d.Meta.Ledger), Version: n.back(d.Meta.Version), Fence: n.back(d.Meta.Fence),
		CreatedAt: timeOf(d.Meta.CreatedAt), UpdatedAt: timeOf(d.Meta.UpdatedAt),
	}
	for _, s := range d.Snos {
		b.Snos = append(b.Snos, n.spanBack(s))
	}
	return b, n.err
}

// statusOf1 are the names that statuses had in schema 1 (release 0.1).
var statusOf1 = map[string]batch.Status{
	"SnosJobCreated": batch.InSnosRun, "ProofJobCreated": batch.InProofCreation,
	"RegistrationJobCreated": batch.InProofRegistration, "DataJobCreated": batch.InDataSubmission,
	"ReadyForStateUpdate": batch.InStateTransition, "PendingAggregatorRun": batch.Proven,
	"PendingAggregatorVerification": batch.InAggregator,
}

// status reads the status and checks the schema. child says that it is a SNOS batch of an aggregator batch.
func (d metaDoc) status(kind string, child bool) (batch.Status, error) {
	schema := max(d.Schema, 1)
	if schema < batch.SchemaMin || schema > batch.SchemaMax {
		return "", fmt.Errorf("%s batch %d has schema %d, this build reads %d to %d: %w",
			kind, d.Index, schema, batch.SchemaMin, batch.SchemaMax, batch.ErrSchema)
	}
	st := batch.Status(d.Status)
	if schema == 1 {
		if now, ok := statusOf1[d.Status]; ok {
			st = now
		} else if child && st == batch.Completed { // schema 1 called a proven child completed
			st = batch.Proven
		}
	}
	if !slices.Contains(batch.Statuses, st) {
		return "", fmt.Errorf("%s batch %d has the unknown status %.40q: the document is corrupt",
			kind, d.Index, d.Status)
	}
	return st, nil
}

// withStatus selects the batches whose status reads as st: its name, and those that it had in schema 1.
func withStatus(st batch.Status) bson.D { return anyOf(storedStatuses(st)) }

// snosWith is withStatus for SNOS batches. Schema 1 called a proven child of an aggregator batch completed; only a SNOS
// batch of an L3, which has no aggregator batch, is ever completed.
func snosWith(st batch.Status) bson.D {
	switch st {
	case batch.Proven:
		names := append(storedStatuses(st), string(batch.Completed))
		return append(anyOf(names), bson.E{Key: "aggregator", Value: bson.D{{Key: "$gt", Value: 0}}})
	case batch.Completed:
		return append(withStatus(st), bson.E{Key: "aggregator", Value: 0})
	}
	return withStatus(st)
}

func anyOf(statuses []string) bson.D {
	if len(statuses) == 1 {
		return bson.D{{Key: "status", Value: statuses[0]}}
	}
	return bson.D{{Key: "status", Value: bson.D{{Key: "$in", Value: statuses}}}}
}

// storedStatuses are the names under which documents of every schema that is read may have a status.
func storedStatuses(st batch.Status) []string {
	names := []string{string(st)}
	for was, now := range statusOf1 {
		if now == st {
			names = append(names, was)
		}
	}
	return names
}
