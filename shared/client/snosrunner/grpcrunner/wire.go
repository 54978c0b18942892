package grpcrunner

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/madara-orchestrator/orchestrator/shared/core/snos"
)

// Fields of the messages (runner.proto; health.proto of gRPC); a test compares them with the generated code.
const (
	fieldTask    = 1 // SubmitRequest
	fieldHandle  = 1 // SubmitResponse, StatusRequest, CancelRequest
	fieldState   = 1 // StatusResponse
	fieldFailure = 2
	fieldDetail  = 3
	fieldService = 1 // HealthCheckRequest
	fieldHealth  = 1 // HealthCheckResponse
)

// What the port's words are on the wire.
var (
	kinds  = map[snos.Kind]uint64{snos.Run: 1, snos.Aggregate: 2}
	states = map[uint64]snos.State{1: snos.Queued, 2: snos.Running, 3: snos.Succeeded, 4: snos.Failed}

	failures = map[uint64]snos.FailureKind{1: snos.Interrupted, 2: snos.OutOfMemory, 3: snos.TimedOut,
		4: snos.ChainUnavailable, 5: snos.Rejected}
)

// serving is the health of a service that can be used; healths are the names of the others.
const serving = 1

var healths = map[uint64]string{0: "UNKNOWN", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}

// appendText appends a field; an empty one is left out, as proto3 has it.
func appendText(b []byte, field protowire.Number, text string) []byte {
	if text == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), text)
}

func appendTexts(b []byte, field protowire.Number, texts []string) []byte {
	for _, t := range texts {
		b = protowire.AppendString(protowire.AppendTag(b, field, protowire.BytesType), t)
	}
	return b
}

func appendNumber(b []byte, field protowire.Number, n uint64) []byte {
	if n == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, field, protowire.VarintType), n)
}

func appendMessage(b []byte, field protowire.Number, m []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, field, protowire.BytesType), m)
}

// encodeTask is a SubmitRequest.
func encodeTask(t snos.Task) []byte {
	b := appendNumber(nil, 1, kinds[t.Kind])
	b = appendText(b, 2, t.ID)
	b = appendNumber(b, 3, t.Batch)
	b = appendNumber(b, 4, t.StartBlock)
	b = appendNumber(b, 5, t.EndBlock)
	b = appendNumber(b, 6, protowire.EncodeBool(t.FullOutput))
	b = appendTexts(b, 7, t.Inputs)
	b = appendText(b, 8, t.OutputPrefix)
	b = appendNumber(b, 9, protowire.EncodeBool(t.UseBackup))
	b = appendText(b, 10, t.StarknetVersion)
	c := appendText(nil, 1, t.Chain.ID)
	c = appendText(c, 2, t.Chain.FeeToken)
	c = appendText(c, 3, t.Chain.EthFeeToken)
	if c = appendTexts(c, 4, t.Chain.PublicKeys); len(c) > 0 {
		b = appendMessage(b, 11, c)
	}
	b = appendText(b, 12, t.RPC)
	b = appendText(b, 13, t.Callback)
	return appendMessage(nil, fieldTask, b)
}

// message is an answer: its fields of text and of numbers, the last one of each. Fields that are not known are there
// too, and nobody asks for them.
type message struct {
	text   map[protowire.Number]string
	number map[protowire.Number]uint64
}

var errMessage = errors.New("its answer can't be read")

// decode reads an answer.
func decode(b []byte) (message, error) {
	m := message{text: map[protowire.Number]string{}, number: map[protowire.Number]uint64{}}
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return m, fmt.Errorf("%w: %w", errMessage, protowire.ParseError(n))
		}
		b = b[n:]
		switch kind {
		case protowire.BytesType:
			var v []byte
			if v, n = protowire.ConsumeBytes(b); n >= 0 {
				m.text[field] = string(v)
			}
		case protowire.VarintType:
			var v uint64
			if v, n = protowire.ConsumeVarint(b); n >= 0 {
				m.number[field] = v
			}
		default:
			n = protowire.ConsumeFieldValue(field, kind, b)
		}
		if n < 0 {
			return m, fmt.Errorf("%w: %w", errMessage, protowire.ParseError(n))
		}
		b = b[n:]
	}
	return m, nil
}
