package cloud

import (
	"math"
	"runtime/debug"
	"testing"
)

func TestHeapLimit(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		environ []string
		want    int64
		ok      bool
	}{
		"a function": {[]string{"A=1", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=1000"}, 700 << 20, true},
		"elsewhere":  {[]string{"A=1"}, 0, false},
		"nonsense":   {[]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=much"}, 0, false},
		"nothing":    {[]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=0"}, 0, false},
	} {
		want := int64(float64(tt.want)/heapPart) / cachePart
		if got := cacheBytes(tt.environ); got != want || got > tt.want/20 {
			t.Errorf("%s: keeps %d bytes of chain reads, want %d", name, got, want)
		}
		if got, ok := heapLimit(tt.environ); got != tt.want || ok != tt.ok {
			t.Errorf("%s: %d, %t; want %d, %t", name, got, ok, tt.want, tt.ok)
		}
	}
}

// It runs alone: the limit is the process's.
func TestLimitHeap(t *testing.T) {
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	debug.SetMemoryLimit(math.MaxInt64)
	limitHeap([]string{"GOMEMLIMIT=1GiB", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE=256"})
	if got := debug.SetMemoryLimit(-1); got != math.MaxInt64 {
		t.Errorf("GOMEMLIMIT does not count: %d", got)
	}
	limitHeap([]string{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=1000"})
	if got := debug.SetMemoryLimit(-1); got != 700<<20 {
		t.Errorf("the limit is %d", got)
	}
}
