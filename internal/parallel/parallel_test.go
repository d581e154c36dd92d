package parallel

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

func TestRunCallsEveryTaskOnce(t *testing.T) {
	for _, workers := range []int{1, 2, 3, 7, 64} {
		p := New(workers)
		for _, n := range []int{0, 1, 2, 3, 16, 1000} {
			calls := make([]atomic.Int32, n)
			busy := make([]atomic.Bool, workers)
			p.Run(n, func(worker, i int) {
				if !busy[worker].CompareAndSwap(false, true) {
					t.Errorf("workers %d: two calls at once with worker %d", workers, worker)
				}
				calls[i].Add(1)
				busy[worker].Store(false)
			})
			for i := range calls {
				if c := calls[i].Load(); c != 1 {
					t.Errorf("workers %d, n %d: task %d ran %d times", workers, n, i, c)
				}
			}
		}
		p.Close()
	}
}

// Work handed out after the workers have parked must wake them, and work handed
// out while they are about to park must not be lost.
func TestRunAfterIdling(t *testing.T) {
	for _, workers := range []int{2, 5} {
		p := New(workers)
		var sum atomic.Int64
		for round := range 300 {
			if round%50 == 0 {
				time.Sleep(2 * time.Millisecond)
			}
			p.Run(workers*2, func(_, i int) {
				sum.Add(int64(i))
				if i == 0 {
					runtime.Gosched()
				}
			})
		}
		n := int64(workers * 2)
		if got, want := sum.Load(), 300*n*(n-1)/2; got != want {
			t.Errorf("workers %d: sum %d, want %d", workers, got, want)
		}
		p.Close()
	}
}

func TestRunAllocatesNothing(t *testing.T) {
	p := New(2)
	defer p.Close()
	var sum atomic.Int64
	task := func(_, i int) { sum.Add(int64(i)) }
	if a := testing.AllocsPerRun(100, func() { p.Run(16, task) }); a != 0 {
		t.Errorf("Run allocates %v times", a)
	}
}

func TestCloseEndsTheWorkers(t *testing.T) {
	before := runtime.NumGoroutine()
	p := New(8)
	p.Run(100, func(_, _ int) {})
	p.Close()
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%d goroutines left, %d before New", runtime.NumGoroutine(), before)
}

func BenchmarkRun(b *testing.B) {
	p := New(2)
	defer p.Close()
	task := func(_, _ int) {}
	for b.Loop() {
		p.Run(16, task)
	}
}
