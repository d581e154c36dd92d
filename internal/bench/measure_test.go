package bench

import (
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		x    []float64
		want float64
	}{
		{[]float64{7}, 7},
		{[]float64{9, 1}, 5},
		{[]float64{5, 100, 1}, 5},
		{[]float64{4, 1, 100, 2}, 3},
	} {
		if got := median(c.x); got != c.want {
			t.Errorf("median of %v is %v, want %v", c.x, got, c.want)
		}
	}
}

// Every function is called in every round, and as often as the least number of
// repeats asks even where there is no time.
func TestRounds(t *testing.T) {
	var order []byte
	long := func(name byte) func() {
		return func() {
			order = append(order, name)
			time.Sleep(slice)
		}
	}
	times := rounds(t.Context(), 0, long('a'), long('b'))
	if got, want := string(order), "aabbababab"; got != want {
		t.Errorf("called %s, want %s", got, want)
	}
	if len(times) != 2 || len(times[0]) != leastRepeats || len(times[1]) != leastRepeats {
		t.Errorf("times %v", times)
	}
}

// A loop goes on for its samples, or for its time but three turns at least, and
// leaves the turns that warm up out.
func TestLoop(t *testing.T) {
	for _, c := range []struct {
		loop
		turns, done int
	}{
		{loop{samples: 17}, warmUp + 3, 24},
		{loop{samples: 16}, warmUp + 2, 16},
		{loop{samples: 1, budget: time.Hour}, warmUp + 1, 8},
		{loop{}, warmUp + leastRepeats, leastRepeats * 8},
	} {
		turns := 1
		for c.turn(8) {
			turns++
		}
		if turns != c.turns || c.loop.done != c.done || len(c.times) != turns-warmUp {
			t.Errorf("%d samples: %d turns, %d done, %d timed; want %d and %d", c.samples, turns, c.loop.done, len(c.times), c.turns, c.done)
		}
	}
	start := time.Now()
	l := loop{begin: start, last: start.Add(2 * time.Second), done: 100}
	if got := l.scaled(1000); got != 20 {
		t.Errorf("1000 samples at 50 a second take %v s, want 20", got)
	}
}

func TestRate(t *testing.T) {
	c := ceilings{
		one: Result{flops: 100e9, Seconds: 1},
		all: Result{flops: 800e9, Seconds: 2, Workers: 4},
	}
	for _, x := range []struct{ r, want Result }{
		{Result{Workers: 1, flops: 100e9, Seconds: 2, images: 10}, Result{GFLOPS: 50, CeilingPercent: 50, ImagesPerSecond: 5}},
		{Result{Workers: 4, flops: 100e9, Seconds: 1}, Result{GFLOPS: 100, CeilingPercent: 25}},
		{Result{Workers: 4, flops: 100e9}, Result{}}, // not measurable
	} {
		got := x.r
		c.rate(&got)
		if got.GFLOPS != x.want.GFLOPS || got.CeilingPercent != x.want.CeilingPercent || got.ImagesPerSecond != x.want.ImagesPerSecond {
			t.Errorf("%+v: rates %+v, want %+v", x.r, got, x.want)
		}
	}
}
