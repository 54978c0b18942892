package atlantic

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strconv"

	"github.com/madara-orchestrator/orchestrator/shared/client/internal/httpcall"
	"github.com/madara-orchestrator/orchestrator/shared/core/proof"
)

// codeDuplicate is Atlantic's error for a dedup id that it has.
const codeDuplicate = "ATLANTIC_QUERY_WITH_DEDUP_ID_ALREADY_EXISTS"

// Submit implements proof.Prover. The query that exists for the dedup id is returned also when it failed: Status
// reports that, and a new attempt takes a new dedup id.
func (p *Prover) Submit(ctx context.Context, r proof.Request) (string, error) {
	f, err := p.form(r)
	if err != nil {
		return "", err
	}
	var task string
	err = p.caller.Retry(ctx, func(ctx context.Context) error {
		task, err = p.submitOnce(ctx, r, f)
		return err
	})
	if err != nil {
		return "", translate(err)
	}
	return task, nil
}

// submitOnce looks for the request's query and submits it where there is none.
func (p *Prover) submitOnce(ctx context.Context, r proof.Request, f form) (string, error) {
	q, ok, err := p.byDedup(ctx, r.DedupID)
	if err != nil {
		return "", err
	}
	if ok {
		return q.ID, p.same(q, r)
	}
	op := fmt.Sprintf("submit %s of batch %d", r.Kind, r.Batch)
	req := p.request(op, http.MethodPost, p.cfg.Routes.Query, nil)
	req.Type, req.Length = "multipart/form-data; boundary="+
		f.boundary, int64(len(f.head))+r.InputSize+int64(len(f.tail))
	req.Open = func(ctx context.Context) (io.ReadCloser, error) {
		in, err := r.Input(ctx)
		if err != nil {
			return nil, err
		}
		return httpcall.Frame(f.head, httpcall.Exactly(in, r.InputSize), f.tail, in), nil
	}
	b, err := p.caller.Do(ctx, req)
	var s *StatusError
	if errors.As(err, &s) && s.Code == codeDuplicate {
		return p.duplicate(ctx, r, err)
	}
	if err != nil {
		return "", err
	}
	id, err := decodeSubmitted(b)
	if err != nil {
		return "", p.caller.Malformed(op, "%v", err)
	}
	return id, nil
}

// duplicate finds the query that was submitted between our look and our submission.
func (p *Prover) duplicate(ctx context.Context, r proof.Request, cause error) (string, error) {
	q, ok, err := p.byDedup(ctx, r.DedupID)
	if err != nil {
		return "", err
	}
	if !ok { // it takes a moment until it can be found
		return "", p.caller.Malformed("look up dedup id "+r.DedupID, "there is none, though: %v", cause)
	}
	return q.ID, p.same(q, r)
}

// same refuses a query that has the dedup id and lies elsewhere than the request says.
func (p *Prover) same(q query, r proof.Request) error {
	if r.Kind != proof.Child || r.Bucket == "" && q.BucketID == "" {
		return nil
	}
	if q.BucketID != r.Bucket {
		return fmt.Errorf("Atlantic: query %s of dedup id %s is in bucket %q, want %q: %w",
			q.ID, r.DedupID, q.BucketID, r.Bucket, proof.ErrRejected)
	}
	if want := r.Index + p.cfg.IndexBase; q.BucketJobIndex != nil && uint64(*q.BucketJobIndex) != want {
		return fmt.Errorf("Atlantic: query %s of dedup id %s is at %d of bucket %s, want %d: %w",
			q.ID, r.DedupID, *q.BucketJobIndex, r.Bucket, want, proof.ErrRejected)
	}
	return nil
}

// form is a multipart body around the request's input.
type form struct{ boundary, head, tail string }

// field is a text of a form.
type field struct{ name, value string }

// form says what a request becomes.
func (p *Prover) form(r proof.Request) (form, error) {
	switch {
	case r.DedupID == "":
		return form{}, errUnsupported("%s of batch %d has no dedup id", r.Kind, r.Batch)
	case r.Input == nil && r.Kind != proof.Aggregation:
		return form{}, errUnsupported("%s of batch %d has no input", r.Kind, r.Batch)
	case r.InputSize <= 0 && r.Kind != proof.Aggregation:
		return form{}, errUnsupported("the input of %s of batch %d is empty", r.Kind, r.Batch)
	case r.Bucket != "" && !idPattern.MatchString(r.Bucket):
		return form{}, errUnsupported("%.40q is not a bucket's id", r.Bucket)
	}
	switch r.Kind {
	case proof.Child:
		return p.child(r)
	case proof.Registration:
		return p.registration(r)
	case proof.Aggregation:
		return form{}, errUnsupported("it aggregates by closing a bucket, not from a PIE")
	}
	return form{}, errUnsupported("%.40q is not a kind of request", string(r.Kind))
}

func (p *Prover) common(r proof.Request, result, vm, layout string) []field {
	fs := []field{
		{"dedupId", r.DedupID}, {"externalId", r.DedupID}, {"declaredJobSize", jobSize(r.Steps)}, {"result", result},
		{"network", p.cfg.Network}, {"cairoVersion", "cairo0"}, {"cairoVm", vm},
		{"mockFactHash", strconv.FormatBool(p.cfg.MockFact)},
	}
	if p.cfg.SharpProver != none {
		fs = append(fs, field{"sharpProver", p.cfg.SharpProver})
	}
	if layout != none {
		fs = append(fs, field{"layout", layout})
	}
	return fs
}

func (p *Prover) child(r proof.Request) (form, error) {
	fs := p.common(r, p.cfg.Result, p.cfg.CairoVM, p.cfg.Layout)
	if r.Bucket != "" {
		fs = append(fs, field{"bucketId", r.Bucket},
			field{"bucketJobIndex", strconv.FormatUint(r.Index+p.cfg.IndexBase, 10)})
	}
	return newForm(fs, "pieFile", "pie.zip", "application/zip", "", "")
}

func (p *Prover) registration(r proof.Request) (form, error) {
	c := p.cfg
	if c.Registration == RegisterPIE {
		return newForm(p.common(r, c.RegistrationResult, c.CairoVM, c.RegistrationLayout), "pieFile",
			"pie.zip", "application/zip", "", "")
	}
	if c.VerifierProgramHash == "" {
		return form{}, errUnsupported("a proof can't be registered without the verifier's program hash")
	}
	fs := append(p.common(r, c.RegistrationResult, c.RegistrationVM, c.RegistrationLayout),
		field{"programHash", c.VerifierProgramHash})
	return newForm(fs, "inputFile", "proof.json", "application/json", `{"proof": `, "}")
}

// newForm writes a form's texts and the frame of its file, whose content goes between before and after.
func newForm(fs []field, name, file, mediaType, before, after string) (form, error) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range fs {
		if err := w.WriteField(f.name, f.value); err != nil {
			return form{}, fmt.Errorf("Atlantic: write form: %w", err)
		}
	}
	h := textproto.MIMEHeader{}
	h.Set("Content-Disposition", fmt.Sprintf(`form-data; name="%s"; filename="%s"`, name, file))
	h.Set("Content-Type", mediaType)
	if _, err := w.CreatePart(h); err != nil {
		return form{}, fmt.Errorf("Atlantic: write form: %w", err)
	}
	f := form{boundary: w.Boundary(), head: b.String() + before}
	b.Reset()
	if err := w.Close(); err != nil {
		return form{}, fmt.Errorf("Atlantic: write form: %w", err)
	}
	f.tail = after + b.String()
	return f, nil
}

// jobSize is the size of machine for a number of steps: up to 13 million S, up to 30 million M, else and where the
// number is unknown L (https://docs.herodotus.cloud/atlantic-api/sending-query).
func jobSize(steps uint64) string {
	switch {
	case steps == 0 || steps >= 30_000_000:
		return "L"
	case steps >= 13_000_000:
		return "M"
	}
	return "S"
}
