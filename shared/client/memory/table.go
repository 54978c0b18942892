package memory

import (
	"iter"
	"slices"
)

// index is a sorted set of keys.
type index[K any] struct {
	cmp  func(a, b K) int
	keys []K
}

// at is the position of the first key that is not below k.
func (x *index[K]) at(k K) int {
	i, _ := slices.BinarySearchFunc(x.keys, k, x.cmp)
	return i
}

func (x *index[K]) add(k K) {
	if i, found := slices.BinarySearchFunc(x.keys, k, x.cmp); !found {
		x.keys = slices.Insert(x.keys, i, k)
	}
}

func (x *index[K]) remove(k K) {
	if i, found := slices.BinarySearchFunc(x.keys, k, x.cmp); found {
		x.keys = slices.Delete(x.keys, i, i+1)
	}
}

// table keeps rows under keys, and of each row its state before the last write, for stale reads.
type table[K comparable, V any] struct {
	clone   func(V) V
	history bool // keep the state before
	rows    map[K]*row[V]
}

type row[V any] struct {
	value V
	prev  *V // nil: there was no row before the last write
}

func newTable[K comparable, V any](clone func(V) V, history bool) table[K, V] {
	return table[K, V]{clone: clone, history: history, rows: map[K]*row[V]{}}
}

// get returns a copy of a row, or of its state before the last write.
func (t *table[K, V]) get(k K, stale bool) (v V, ok bool) {
	r := t.rows[k]
	switch {
	case r == nil, stale && r.prev == nil:
		return v, false
	case stale:
		return t.clone(*r.prev), true
	}
	return t.clone(r.value), true
}

// put stores a copy of v.
func (t *table[K, V]) put(k K, v V) {
	r := t.rows[k]
	if r == nil {
		t.rows[k] = &row[V]{value: t.clone(v)}
		return
	}
	if t.history {
		old := r.value
		r.prev = &old
	}
	r.value = t.clone(v)
}

// before yields copies of all rows as they were before their last writes, in no order.
func (t *table[K, V]) before() iter.Seq[V] {
	return func(yield func(V) bool) {
		for _, r := range t.rows {
			if r.prev != nil && !yield(t.clone(*r.prev)) {
				return
			}
		}
	}
}
