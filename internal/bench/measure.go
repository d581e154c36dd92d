package bench

import (
	"context"
	"slices"
	"time"

	"vaectl/internal/gemm"
	"vaectl/internal/parallel"
)

const (
	leastRepeats = 3
	// slice is the shortest time that is measured. What takes less is called
	// several times in a row, so that the clock's own cost does not show.
	slice = 200 * time.Microsecond
)

// repeat calls f once to warm up, then for about the given time, and returns
// the median seconds of a call and how many measurements that is of.
func repeat(ctx context.Context, budget time.Duration, f func()) (seconds float64, repeats int) {
	times := rounds(ctx, budget, f)[0]
	return median(times), len(times)
}

// rounds calls the functions in turn, round after round for about the given
// time, and returns the seconds that a call of each took in each round. What
// disturbs the machine for longer than a round disturbs all of them alike. The
// end of ctx ends the time.
func rounds(ctx context.Context, budget time.Duration, fs ...func()) (times [][]float64) {
	times = make([][]float64, len(fs))
	calls := make([]int, len(fs))
	for i, f := range fs {
		f()
		start := time.Now()
		f()
		calls[i] = 1 + int(slice/(time.Since(start)+1))
	}
	for begin := time.Now(); len(times[0]) < leastRepeats || time.Since(begin) < budget && ctx.Err() == nil; {
		for i, f := range fs {
			start := time.Now()
			for range calls[i] {
				f()
			}
			times[i] = append(times[i], time.Since(start).Seconds()/float64(calls[i]))
		}
	}
	return times
}

// median sorts x.
func median(x []float64) float64 {
	slices.Sort(x)
	return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
}

// A loop times the turns of a loop that is run for as long as turn returns true.
// The first turns warm up and count for nothing.
type loop struct {
	budget  time.Duration
	samples int // to be done, or 0 to go by the budget

	warm        int // turns so far that warmed up
	begin, last time.Time
	done        int       // samples in all
	times       []float64 // seconds of each turn
}

// warmUp turns are enough for caches, clock rates and page tables.
const warmUp = 5

// turn ends a turn of n samples and reports whether there should be another.
func (l *loop) turn(n int) bool {
	now := time.Now()
	if l.warm < warmUp {
		l.warm++
		l.begin, l.last = now, now
		return true
	}
	l.times = append(l.times, now.Sub(l.last).Seconds())
	l.done += n
	l.last = now
	if l.samples > 0 {
		return l.done < l.samples
	}
	return len(l.times) < leastRepeats || now.Sub(l.begin) < l.budget
}

// scaled is the time of n samples at the mean rate of the whole loop.
func (l *loop) scaled(n int) float64 {
	return l.last.Sub(l.begin).Seconds() * float64(n) / float64(l.done)
}

// ceilings measures how many multiply-adds the CPU makes in registers, on one
// core and on all workers at once, in operations a second. It keeps the best:
// that is what a ceiling is. It is asked several times in a run, for a machine's
// clock rate may change while it works.
type ceilings struct {
	kernels  gemm.Kernels
	pool     *parallel.Pool
	one, all Result
}

func (c *ceilings) measure() {
	const (
		rounds = 15
		steps  = 1 << 17 // about a millisecond
	)
	c.round(&c.one, 1, rounds, steps)
	c.round(&c.all, c.pool.Workers(), rounds, steps)
}

func (c *ceilings) round(best *Result, workers, rounds, steps int) {
	flops := make([]int, workers)
	task := func(_, i int) { flops[i] = c.kernels.Peak(steps) }
	for range rounds {
		start := time.Now()
		c.pool.Run(workers, task)
		seconds := time.Since(start).Seconds()
		if best.Seconds == 0 || seconds < best.Seconds {
			best.Seconds = seconds
		}
	}
	best.Section, best.Name, best.Workers = Ceiling, "multiply-adds in registers", workers
	best.Repeats += rounds
	best.flops = float64(workers * flops[0])
}

// rate fills in r's rates, against the ceiling of as many cores.
func (c *ceilings) rate(r *Result) {
	if r.Seconds == 0 {
		return
	}
	peak := c.one
	if r.Workers > 1 {
		peak = c.all
	}
	r.GFLOPS = r.flops / r.Seconds / 1e9
	r.CeilingPercent = 100 * r.flops / r.Seconds / (peak.flops / peak.Seconds)
	r.ImagesPerSecond = float64(r.images) / r.Seconds
}

func (c *ceilings) results() []Result {
	if c.pool.Workers() == 1 {
		return []Result{c.one}
	}
	return []Result{c.one, c.all}
}
