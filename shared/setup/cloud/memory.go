package cloud

import (
	"runtime/debug"
	"strconv"
	"strings"
)

// memoryVariable is Lambda's own: the function's memory in MB.
const memoryVariable = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE="

// heapPart is the part of a function's memory that the collector may let the heap grow to before it works harder.
// Without a limit the heap grows to twice what lives, and Lambda ends a process that passes its memory.
const heapPart = 0.7

// heapLimit is the limit of the heap in bytes for an environment; ok is false outside of Lambda.
func heapLimit(environ []string) (limit int64, ok bool) {
	for _, line := range environ {
		if v, found := strings.CutPrefix(line, memoryVariable); found {
			mb, err := strconv.ParseInt(v, 10, 32)
			return int64(float64(mb<<20) * heapPart), err == nil && mb > 0
		}
	}
	return 0, false
}

// cachePart is the part of a function's memory that chain reads may be kept in.
const cachePart = 32

// cacheBytes is what a function keeps of chain reads at the most; 0 outside of Lambda.
func cacheBytes(environ []string) int64 {
	heap, ok := heapLimit(environ)
	if !ok {
		return 0
	}
	return int64(float64(heap)/heapPart) / cachePart
}

// limitHeap keeps the heap within the function's memory as long as what lives fits. GOMEMLIMIT, where it is set,
// counts.
func limitHeap(environ []string) {
	for _, line := range environ {
		if strings.HasPrefix(line, "GOMEMLIMIT=") {
			return
		}
	}
	if limit, ok := heapLimit(environ); ok {
		debug.SetMemoryLimit(limit)
	}
}
