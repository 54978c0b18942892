package tools

import (
	"runtime"
	"runtime/debug"
	"time"
)

// Peak is the most bytes of heap that f takes beyond what is there before. The collector runs often meanwhile, so it is
// near to what lives, as it is under a limit of memory. Nothing else may run beside it.
func Peak(f func()) int64 {
	defer debug.SetGCPercent(debug.SetGCPercent(20))
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	stop, most := make(chan struct{}), make(chan uint64)
	go func() {
		var m runtime.MemStats
		high := uint64(0)
		for {
			runtime.ReadMemStats(&m)
			high = max(high, m.HeapAlloc)
			select {
			case <-stop:
				most <- high
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	}()
	f()
	close(stop)
	return int64(<-most) - int64(before.HeapAlloc)
}
