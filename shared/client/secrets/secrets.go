// Package secrets reads secrets from AWS Secrets Manager and from files. A secret's value never shows in an error.
package secrets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go"
)

// ErrMissing says that a secret does not exist or holds nothing.
var ErrMissing = errors.New("secret is missing")

// maxSecret bounds a secret in bytes; Secrets Manager's own limit.
const maxSecret = 64 << 10

// FilePrefix marks a name as that of a file.
const FilePrefix = "file:"

// Client reads secrets and keeps them for a while, so that a warm function asks rarely; Changed finds those that were
// rotated.
type Client struct {
	// Now is the clock; set it before the first call.
	Now func() time.Time

	api *secretsmanager.Client
	ttl time.Duration

	mu   sync.Mutex
	kept map[string]kept
}

type kept struct {
	value string
	until time.Time
}

// DefaultTTL is how long a secret is kept.
const DefaultTTL = 5 * time.Minute

// New returns a client. It makes no request.
func New(cfg aws.Config) *Client {
	return &Client{api: secretsmanager.NewFromConfig(cfg), ttl: DefaultTTL, Now: time.Now, kept: map[string]kept{}}
}

// Get returns a secret without surrounding white space. name is a Secrets Manager name or ARN, or "file:" and a path;
// "#field" after it picks a string field of a JSON object. ErrMissing where there is none.
func (c *Client) Get(ctx context.Context, name string) (string, error) {
	where, field, _ := strings.Cut(name, "#")
	raw, err := c.raw(ctx, where)
	if err != nil {
		return "", err
	}
	if field != "" {
		var object map[string]any
		if json.Unmarshal([]byte(raw), &object) != nil {
			return "", fmt.Errorf("secret %s: field %s is asked for, but the secret is not a JSON object", where, field)
		}
		v, ok := object[field].(string)
		if !ok {
			return "", fmt.Errorf("secret %s has no string field %s: %w", where, field, ErrMissing)
		}
		raw = v
	}
	if raw = strings.TrimSpace(raw); raw == "" {
		return "", fmt.Errorf("secret %s is empty: %w (put its value into Secrets Manager)", name, ErrMissing)
	}
	return raw, nil
}

func (c *Client) raw(ctx context.Context, where string) (string, error) {
	c.mu.Lock()
	k, ok := c.kept[where]
	c.mu.Unlock()
	if ok && c.Now().Before(k.until) {
		return k.value, nil
	}
	v, err := c.read(ctx, where)
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept[where] = kept{v, c.Now().Add(c.ttl)}
	return v, nil
}

// Changed reads those secrets again that have been kept for DefaultTTL, and says whether one has another value now. It
// makes no request before that. A secret that can't be read is taken for unchanged; the error says so.
func (c *Client) Changed(ctx context.Context) (bool, error) {
	c.mu.Lock()
	var old []string
	for where, k := range c.kept {
		if !c.Now().Before(k.until) {
			old = append(old, where)
		}
	}
	c.mu.Unlock()
	changed := false
	var faults []error
	for _, where := range old {
		v, err := c.read(ctx, where)
		c.mu.Lock()
		k := c.kept[where]
		if err != nil {
			faults, v = append(faults, err), k.value
		}
		changed = changed || v != k.value
		c.kept[where] = kept{v, c.Now().Add(c.ttl)}
		c.mu.Unlock()
	}
	return changed, errors.Join(faults...)
}

func (c *Client) read(ctx context.Context, where string) (string, error) {
	if path, ok := strings.CutPrefix(where, FilePrefix); ok {
		return ReadFile(path)
	}
	out, err := c.api.GetSecretValue(ctx, &secretsmanager.GetSecretValueInput{SecretId: &where})
	if err != nil {
		var api smithy.APIError
		if errors.As(err, &api) && api.ErrorCode() == "ResourceNotFoundException" {
			return "", fmt.Errorf("secret %s: %w in Secrets Manager: create it, or put a value into it",
				where, ErrMissing)
		}
		return "", fmt.Errorf("read secret %s: %w", where, err)
	}
	if out.SecretString == nil {
		return string(out.SecretBinary), nil
	}
	return aws.ToString(out.SecretString), nil
}

// ReadFile reads a secret from a file of at most 64 KiB.
func ReadFile(path string) (string, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("secret file %s: %w", path, ErrMissing)
	}
	if err != nil {
		return "", fmt.Errorf("read secret file: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return "", fmt.Errorf("read secret file %s: %w", path, err)
	}
	if len(b) > maxSecret {
		return "", fmt.Errorf("secret file %s has more than %d bytes", path, maxSecret)
	}
	return strings.TrimSpace(string(b)), nil
}
