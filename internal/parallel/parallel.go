// Package parallel runs the tasks of one piece of work on a fixed set of
// goroutines that live as long as their pool.
//
// A training step holds some twenty pieces of work of a millisecond or less, so
// handing one out must cost microseconds and allocate nothing. Results must not
// depend on the number of workers: a task is chosen by its index alone, and the
// worker's number may pick scratch memory but never what is computed.
package parallel

import (
	"runtime"
	"sync/atomic"
)

// spinRounds bounds how long a waiting goroutine polls before it parks: some
// tens of microseconds, longer than the gap between two pieces of work of one
// step and far shorter than an operating system's time slice.
const spinRounds = 20000

// A Pool runs tasks on its workers. One piece of work runs at a time: Run must
// not be called from two goroutines at once, nor from inside a task.
type Pool struct {
	workers int
	rounds  int

	task func(worker, task int)
	n    int64
	next atomic.Int64 // first task index not yet handed out

	// Workers sleep until round changes; a nil task tells them to leave.
	round   atomic.Uint32
	pending atomic.Int32 // workers still busy with this round
	helpers []gate       // one for each worker but the caller's
	caller  gate
}

// gate lets one goroutine park and another release it. The parked flag is
// claimed by exactly one side: by the sleeper, if it finds that there is
// nothing to wait for, or by the waker, who then owes a token.
type gate struct {
	parked atomic.Bool
	token  chan struct{}
	_      [48]byte // keeps neighbours on cache lines of their own
}

// await returns once ready reports true.
func (g *gate) await(rounds int, ready func() bool) {
	for range rounds {
		if ready() {
			return
		}
	}
	for !ready() {
		g.parked.Store(true)
		if ready() && g.parked.CompareAndSwap(true, false) {
			return
		}
		<-g.token
	}
}

func (g *gate) release() {
	if g.parked.CompareAndSwap(true, false) {
		g.token <- struct{}{}
	}
}

// New returns a pool of the given number of workers, the caller of Run being
// one of them. A number below one means GOMAXPROCS.
func New(workers int) *Pool {
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	p := &Pool{
		workers: workers,
		helpers: make([]gate, workers-1),
		caller:  gate{token: make(chan struct{}, 1)},
	}
	// Spinning pays only while every worker has a processor of its own.
	if workers <= runtime.GOMAXPROCS(0) {
		p.rounds = spinRounds
	}
	for i := range p.helpers {
		p.helpers[i].token = make(chan struct{}, 1)
		go p.help(i)
	}
	return p
}

// Workers is the number of workers: a task's worker argument is below it.
func (p *Pool) Workers() int { return p.workers }

// Run calls task(worker, i) once for every i in 0..n-1 and returns when all
// calls have returned. Calls with the same worker never overlap.
func (p *Pool) Run(n int, task func(worker, task int)) {
	if n <= 1 || p.workers == 1 {
		for i := range n {
			task(0, i)
		}
		return
	}
	p.task, p.n = task, int64(n)
	p.start()
	p.work(0)
	p.caller.await(p.rounds, func() bool { return p.pending.Load() == 0 })
	p.task = nil
}

// Close ends the workers. The pool must be idle, and is of no use afterwards.
func (p *Pool) Close() {
	p.task = nil
	p.start()
	p.caller.await(p.rounds, func() bool { return p.pending.Load() == 0 })
}

func (p *Pool) start() {
	p.next.Store(0)
	p.pending.Store(int32(len(p.helpers)))
	p.round.Add(1)
	for i := range p.helpers {
		p.helpers[i].release()
	}
}

func (p *Pool) work(worker int) {
	for {
		i := p.next.Add(1) - 1
		if i >= p.n {
			return
		}
		p.task(worker, int(i))
	}
}

func (p *Pool) help(i int) {
	var seen uint32
	ready := func() bool { return p.round.Load() != seen }
	for {
		p.helpers[i].await(p.rounds, ready)
		seen++
		stop := p.task == nil
		if !stop {
			p.work(i + 1)
		}
		if p.pending.Add(-1) == 0 {
			p.caller.release()
		}
		if stop {
			return
		}
	}
}
