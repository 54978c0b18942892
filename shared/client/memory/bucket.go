package memory

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
)

// Bucket is the bucket of an Artifacts: an artifact.Bucket. A store that NewArtifacts made has one.
type Bucket struct{ s *Artifacts }

var _ artifact.Bucket = Bucket{}

// Bucket returns the bucket in which the store keeps its objects.
func (s *Artifacts) Bucket() Bucket { return Bucket{s} }

// act makes one call with the lock held; wanted: the bucket must be there.
func (b Bucket) act(ctx context.Context, method string, wanted bool, do func() error) error {
	return fault.Act(ctx, b.s.env, "bucket", method, "", func(fault.Fault) error {
		b.s.mu.Lock()
		defer b.s.mu.Unlock()
		if wanted && b.s.gone {
			return fmt.Errorf("%s: %w", strings.ToLower(method), artifact.ErrNoBucket)
		}
		return do()
	})
}

// Create implements artifact.Bucket.
func (b Bucket) Create(ctx context.Context) error {
	return b.act(ctx, "Create", false, func() error { b.s.gone = false; return nil })
}

// Exists implements artifact.Bucket.
func (b Bucket) Exists(ctx context.Context) (ok bool, err error) {
	err = b.act(ctx, "Exists", false, func() error { ok = !b.s.gone; return nil })
	return ok && err == nil, err
}

// SetLifecycle implements artifact.Bucket. The rules are kept, and carried out by nobody: see Artifacts.Expire.
func (b Bucket) SetLifecycle(ctx context.Context, rules []artifact.Lifecycle) error {
	return b.act(ctx, "SetLifecycle", true, func() error { b.s.rules = slices.Clone(rules); return nil })
}

// Lifecycle implements artifact.Bucket.
func (b Bucket) Lifecycle(ctx context.Context) ([]artifact.Lifecycle, error) {
	rules := []artifact.Lifecycle{}
	err := b.act(ctx, "Lifecycle", true, func() error {
		rules = append(rules, b.s.rules...)
		slices.SortFunc(rules, func(a, b artifact.Lifecycle) int { return cmp.Compare(a.ID, b.ID) })
		return nil
	})
	if err != nil {
		return nil, err
	}
	return rules, nil
}

// Delete implements artifact.Bucket.
func (b Bucket) Delete(ctx context.Context) error {
	return b.act(ctx, "Delete", false, func() error {
		if len(b.s.objects) > 0 {
			return fmt.Errorf("delete: %w", artifact.ErrNotEmpty)
		}
		b.s.gone, b.s.rules = true, nil
		return nil
	})
}

// Links serves a store's objects over HTTP by links that expire: an artifact.Linker and the handler of its URLs.
type Links struct {
	store *Artifacts
	base  string
	key   []byte // of the signatures
}

var _ artifact.Linker = (*Links)(nil)

// NewLinks returns the linker of a store; base is the URL at which the handler is served, such as
// http://127.0.0.1:8080/files.
func NewLinks(s *Artifacts, base string) *Links {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // it never fails
	return &Links{store: s, base: strings.TrimSuffix(base, "/"), key: key}
}

func (l *Links) sign(key, until string) string {
	m := hmac.New(sha256.New, l.key)
	fmt.Fprintf(m, "%s\n%s", until, key)
	return hex.EncodeToString(m.Sum(nil))
}

// Link implements artifact.Linker.
func (l *Links) Link(_ context.Context, key string, age time.Duration) (string, error) {
	if err := artifact.CheckAge(age); err != nil {
		return "", fmt.Errorf("link to %s: %w", key, err)
	}
	until := strconv.FormatInt(l.store.env.Time().Add(age).UnixMilli(), 10)
	q := url.Values{"until": {until}, "signature": {l.sign(key, until)}}
	parts := strings.Split(key, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	return l.base + "/" + strings.Join(parts, "/") + "?" + q.Encode(), nil
}

// ServeHTTP implements http.Handler: it answers like S3.
func (l *Links) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	u, err := url.Parse(l.base)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	key, q := strings.TrimPrefix(r.URL.Path, u.Path+"/"), r.URL.Query()
	until, err := strconv.ParseInt(q.Get("until"), 10, 64)
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		refuse(w, http.StatusMethodNotAllowed, "MethodNotAllowed", "a link is for GET alone")
		return
	case err != nil || !hmac.Equal([]byte(q.Get("signature")), []byte(l.sign(key, q.Get("until")))):
		refuse(w, http.StatusForbidden, "SignatureDoesNotMatch", "this is not a link that was given out")
		return
	case l.store.env.Time().UnixMilli() >= until:
		refuse(w, http.StatusForbidden, "AccessDenied", "Request has expired")
		return
	}
	f, err := l.store.Get(r.Context(), key)
	if errors.Is(err, artifact.ErrNotFound) {
		refuse(w, http.StatusNotFound, "NoSuchKey", "there is no such object")
		return
	}
	if err != nil {
		refuse(w, http.StatusInternalServerError, "InternalError", "the object can't be read")
		return
	}
	defer f.Close()
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = io.Copy(w, f) // the reader has gone if this fails
}

// refuse answers with an error in the form of S3's.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>\n", code, message)
}
