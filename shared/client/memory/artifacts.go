package memory

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/madara-orchestrator/orchestrator/shared/client/memory/fault"
	"github.com/madara-orchestrator/orchestrator/shared/core/artifact"
)

// Artifacts is an artifact.Store.
type Artifacts struct {
	// ExpireAfter is how old an object with the tag to expire must be for Expire to remove it.
	ExpireAfter time.Duration

	env *fault.Env
	*bucket
}

var _ artifact.Store = (*Artifacts)(nil)

// bucket is what an Artifacts and its Direct share.
type bucket struct {
	mu      sync.Mutex
	objects map[string]object
	keys    index[string]
	gone    bool // there is no bucket: it was deleted
	rules   []artifact.Lifecycle
}

type object struct {
	data     []byte // never changed, only replaced
	modified time.Time
	tags     map[string]string
}

// NewArtifacts returns an empty store.
func NewArtifacts(e *fault.Env) *Artifacts {
	return &Artifacts{env: e,
		bucket: &bucket{objects: map[string]object{}, keys: index[string]{cmp: cmp.Compare[string]}}}
}

// Direct returns the same store without faults, for what belongs to another process: a runner that writes, a check that
// looks.
func (s *Artifacts) Direct() *Artifacts {
	var e *fault.Env
	if s.env != nil {
		e = &fault.Env{Now: s.env.Now}
	}
	return &Artifacts{env: e, bucket: s.bucket, ExpireAfter: s.ExpireAfter}
}

// Put implements artifact.Store.
func (s *Artifacts) Put(ctx context.Context, key string, r io.Reader) error {
	return fault.Act(ctx, s.env, "artifacts", "Put", key, func(fault.Fault) error {
		data, err := io.ReadAll(r)
		if err != nil {
			return fmt.Errorf("put %s: %w", key, err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.set(key, data)
		return nil
	})
}

// PutNew implements artifact.Store.
func (s *Artifacts) PutNew(ctx context.Context, key string, r io.Reader) error {
	return fault.Act(ctx, s.env, "artifacts", "PutNew", key, func(fault.Fault) error {
		data, err := io.ReadAll(r)
		if err != nil {
			return fmt.Errorf("put %s: %w", key, err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		o, taken := s.objects[key]
		switch {
		case taken && bytes.Equal(o.data, data):
			return nil
		case taken:
			return fmt.Errorf("put %s: %w", key, artifact.ErrExists)
		}
		s.set(key, data)
		return nil
	})
}

// set stores an object. The caller holds the lock.
func (s *Artifacts) set(key string, data []byte) {
	s.objects[key] = object{data: data, modified: s.env.Time()}
	s.keys.add(key)
}

// Get implements artifact.Store.
func (s *Artifacts) Get(ctx context.Context, key string) (io.ReadCloser, error) {
	var broken io.ReadCloser
	r, err := fault.Call(ctx, s.env, "artifacts", "Get", key, func(f fault.Fault) (io.ReadCloser, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		o, ok := s.objects[key]
		if !ok {
			return nil, fmt.Errorf("get %s: %w", key, artifact.ErrNotFound)
		}
		if f.Is(fault.FailAfter) {
			half := bytes.NewReader(o.data[:len(o.data)/2])
			broken = io.NopCloser(
				io.MultiReader(half, failing{fmt.Errorf("get %s: connection lost: %w", key, fault.ErrInjected)}))
		}
		return io.NopCloser(bytes.NewReader(o.data)), nil
	})
	if err != nil && broken != nil {
		return broken, nil
	}
	return r, err
}

// failing is a reader that fails.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// Stat implements artifact.Store.
func (s *Artifacts) Stat(ctx context.Context, key string) (artifact.Info, error) {
	return fault.Call(ctx, s.env, "artifacts", "Stat", key, func(fault.Fault) (artifact.Info, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		o, ok := s.objects[key]
		if !ok {
			return artifact.Info{}, fmt.Errorf("stat %s: %w", key, artifact.ErrNotFound)
		}
		return o.info(key), nil
	})
}

func (o object) info(key string) artifact.Info {
	return artifact.Info{Key: key, Size: int64(len(o.data)), Modified: o.modified}
}

// List implements artifact.Store.
func (s *Artifacts) List(ctx context.Context, prefix, after string, limit int) ([]artifact.Info, error) {
	return fault.Call(ctx, s.env, "artifacts", "List", prefix, func(fault.Fault) ([]artifact.Info, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		var out []artifact.Info
		for _, key := range s.keys.keys[s.keys.at(max(prefix, after)):] {
			if !strings.HasPrefix(key, prefix) || len(out) >= limit {
				break
			}
			if key > after {
				out = append(out, s.objects[key].info(key))
			}
		}
		return out, nil
	})
}

// Tag implements artifact.Store.
func (s *Artifacts) Tag(ctx context.Context, key string, tags map[string]string) error {
	return fault.Act(ctx, s.env, "artifacts", "Tag", key, func(fault.Fault) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		o, ok := s.objects[key]
		if !ok {
			return fmt.Errorf("tag %s: %w", key, artifact.ErrNotFound)
		}
		o.tags = maps.Clone(tags)
		s.objects[key] = o
		return nil
	})
}

// Delete implements artifact.Store.
func (s *Artifacts) Delete(ctx context.Context, key string) error {
	return fault.Act(ctx, s.env, "artifacts", "Delete", key, func(fault.Fault) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.drop(key)
		return nil
	})
}

// drop removes an object. The caller holds the lock.
func (s *Artifacts) drop(key string) {
	delete(s.objects, key)
	s.keys.remove(key)
}

// Expire removes the objects that are tagged to expire and ExpireAfter old, as the bucket's lifecycle rule does, and
// returns their keys.
func (s *Artifacts) Expire() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var gone []string
	for _, key := range s.keys.keys {
		o := s.objects[key]
		if o.tags[artifact.TagExpire] != "" && s.env.Time().Sub(o.modified) >= s.ExpireAfter {
			gone = append(gone, key)
		}
	}
	for _, key := range gone {
		s.drop(key)
	}
	return gone
}

// Expires says whether an object is tagged to expire.
func (s *Artifacts) Expires(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.objects[key].tags[artifact.TagExpire] != ""
}

// Tags returns an object's tags, for tests.
func (s *Artifacts) Tags(key string) map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.objects[key].tags)
}

// Ping implements artifact.Store.
func (s *Artifacts) Ping(ctx context.Context) error {
	return fault.Act(ctx, s.env, "artifacts", "Ping", "", func(fault.Fault) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.gone {
			return artifact.ErrNoBucket
		}
		return nil
	})
}
