package sharp

import (
	"encoding/json"
	"fmt"
)

// Statuses of jobs.
const (
	unknown    = "UNKNOWN"
	notCreated = "NOT_CREATED"
	inProgress = "IN_PROGRESS"
	processed  = "PROCESSED"
	onchain    = "ONCHAIN" // of older gateways: processed and registered
	invalid    = "INVALID"
	failed     = "FAILED"
)

// status is how a job stands.
type status struct {
	Status         string `json:"status"`
	InvalidReason  string `json:"invalid_reason"`
	ErrorLog       string `json:"error_log"`
	ValidationDone bool   `json:"validation_done"`
}

// decodeStatus reads a job's status.
func decodeStatus(b []byte) (status, error) {
	var s status
	if err := json.Unmarshal(b, &s); err != nil {
		return status{}, fmt.Errorf("its answer does not decode: %w", err)
	}
	switch s.Status {
	case unknown, notCreated, inProgress, processed, onchain, invalid, failed:
		return s, nil
	}
	return status{}, fmt.Errorf("job has status %.40q", s.Status)
}

// rejected says whether a job did not work out.
func (s status) rejected() bool { return s.Status == invalid || s.Status == failed }

// receivedCode is the code of a job that was taken.
const receivedCode = "JOB_RECEIVED_SUCCESSFULLY"

// decodeReceived reads the answer to a submission.
func decodeReceived(b []byte) error {
	var a struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return fmt.Errorf("its answer does not decode: %w", err)
	}
	if a.Code != receivedCode {
		return fmt.Errorf("its answer has code %.60q: %.200q", a.Code, a.Message)
	}
	return nil
}
