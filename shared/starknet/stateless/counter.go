package stateless

import "github.com/madara-orchestrator/orchestrator/shared/core/felt"

// Counter knows how many words Compress would give for a multiset of words, whatever their order, and changes in
// constant time. The zero Counter is not ready: use NewCounter.
type Counter struct {
	count  map[felt.Felt]int
	unique [buckets]int
	words  int
}

// PlaceholderBits is the bit length that a placeholder is counted with.
const PlaceholderBits = 31

// placeholderMark is set in the first byte of a placeholder; no felt has it.
const placeholderMark = 0x80

// Placeholder is a word for Add and Remove that stands for a number of PlaceholderBits bits which is not known yet.
// Each placeholder has an f of its own.
func Placeholder(f felt.Felt) felt.Felt {
	f[0] |= placeholderMark
	return f
}

// NewCounter returns the counter of no words.
func NewCounter() *Counter { return &Counter{count: map[felt.Felt]int{}} }

// Add counts a word.
func (c *Counter) Add(w felt.Felt) {
	c.words++
	c.count[w]++
	if c.count[w] == 1 {
		c.unique[bucketOf(w)]++
	}
}

// Remove takes one occurrence of a counted word away.
func (c *Counter) Remove(w felt.Felt) {
	n := c.count[w]
	if n == 0 {
		return
	}
	c.words--
	if n > 1 {
		c.count[w] = n - 1
		return
	}
	delete(c.count, w)
	c.unique[bucketOf(w)]--
}

// Words is the number of counted words.
func (c *Counter) Words() int { return c.words }

// Compressed is the number of words of their compression.
func (c *Counter) Compressed() int {
	size, unique := 1, 0
	for b, n := range c.unique {
		size += ceilDiv(n, perWordOfBits(bucketBits[b]))
		unique += n
	}
	size += ceilDiv(c.words-unique, perWord(uint64(unique)))
	return size + ceilDiv(c.words, perWord(uint64(buckets+1)))
}
