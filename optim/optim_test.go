package optim

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"vaectl/internal/isa"
)

func mustNew(t testing.TB, name string, rate float64, n int) Optimizer {
	t.Helper()
	o, err := New(name, rate, n, isa.Best())
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// forTiers runs a test once for each tier of this CPU.
func forTiers(t *testing.T, name string, test func(t *testing.T, tier isa.Tier)) {
	for tier := isa.Generic; tier <= isa.Best(); tier++ {
		t.Run(name+"/"+tier.String(), func(t *testing.T) { test(t, tier) })
	}
}

// gradients returns rows of n gradients of very different sizes, some zero.
func gradients(random *rand.Rand, rows, n int) [][]float32 {
	g := make([][]float32, rows)
	for r := range g {
		g[r] = make([]float32, n)
		for i := range g[r] {
			if random.IntN(4) > 0 {
				g[r][i] = float32(random.NormFloat64() * math.Pow(10, float64(random.IntN(24)-20)))
			}
		}
	}
	return g
}

func equalBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool {
		return math.Float32bits(x) == math.Float32bits(y)
	})
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		rate float64
		n    int
		want string
	}{
		{"adagrad", 0.001, 1, `unknown optimizer "adagrad": want one of rmsprop, adam, sgd`},
		{"", 0.001, 1, `unknown optimizer ""`},
		{"rmsprop", 0, 1, "learning rate 0: want a positive, finite float32"},
		{"rmsprop", -0.001, 1, "learning rate -0.001"},
		{"rmsprop", math.NaN(), 1, "learning rate NaN"},
		{"rmsprop", math.Inf(1), 1, "learning rate +Inf"},
		{"adam", 1e-60, 1, "learning rate 1e-60"},
		{"sgd", 1e60, 1, "learning rate 1e+60"},
		{"sgd", 0.001, -1, "optimizer for -1 weights: want 0 or more"},
	} {
		o, err := New(c.name, c.rate, c.n, isa.Generic)
		if err == nil || !strings.Contains(err.Error(), c.want) || o != nil {
			t.Errorf("New(%q, %v, %d) = %v, %v; want an error with %q", c.name, c.rate, c.n, o, err, c.want)
		}
	}
}

func TestUpdateIsTheSameForAnySplit(t *testing.T) {
	const n = 1000
	random := rand.New(rand.NewPCG(1, 2))
	steps := gradients(random, 12, n)
	start := gradients(random, 1, n)[0]
	for _, name := range Names() {
		whole := slices.Clone(start)
		o := mustNew(t, name, 0.01, n)
		for _, g := range steps {
			o.Advance()
			o.Update(whole, g, 0, n)
		}
		for _, pieces := range []int{2, 3, 7, 100, n} {
			split := slices.Clone(start)
			o := mustNew(t, name, 0.01, n)
			for _, g := range steps {
				cuts := []int{0, n}
				for range pieces - 1 {
					cuts = append(cuts, random.IntN(n+1))
				}
				slices.Sort(cuts)
				o.Advance()
				var running sync.WaitGroup
				for k := range pieces {
					running.Go(func() { o.Update(split, g, cuts[k], cuts[k+1]) })
				}
				running.Wait()
			}
			if !equalBits(split, whole) {
				t.Errorf("%s: the weights in %d pieces differ from those in one", name, pieces)
			}
		}
	}
}

// Every tier gives the bits of the generic one, in pieces cut at odd places too,
// whatever the numbers; only which NaN a NaN is may differ.
func TestEveryTierGivesTheSameBits(t *testing.T) {
	const n, steps = 5000, 10
	inf := float32(math.Inf(1))
	special := []float32{
		0, float32(math.Copysign(0, -1)), 1, -1, inf, -inf, float32(math.NaN()),
		0x1p-149, -0x1p-149, 0x1.8p-127, 0x1p-126, -0x1p-126, 0x1p-63, 0x1p-64, -0x1p-62,
		1e-19, 1e-20, math.MaxFloat32, -math.MaxFloat32, 1e19, -2e19,
	}
	random := rand.New(rand.NewPCG(9, 10))
	rows := append(gradients(random, steps, n), gradients(random, 1, n)...)
	for _, row := range rows {
		for i := range row {
			if random.IntN(40) == 0 {
				row[i] = special[random.IntN(len(special))]
			}
		}
		for i, x := range special { // each with each, in the first two rows
			for j, y := range special {
				k := i*len(special) + j
				rows[0][k], rows[1][k], rows[steps][k] = x, y, 1
			}
		}
	}
	canonical := func(x []float32) []float32 {
		x = slices.Clone(x)
		for i := range x {
			if x[i] != x[i] {
				x[i] = float32(math.NaN())
			}
		}
		return x
	}
	for _, name := range Names() {
		run := func(tier isa.Tier) [][]float32 {
			o, err := New(name, 0.01, n, tier)
			if err != nil {
				t.Fatal(err)
			}
			w := slices.Clone(rows[steps])
			var states [][]float32
			for step, g := range rows[:steps] {
				o.Advance()
				for lo := 0; lo < n; {
					hi := min(n, lo+1+(lo*7+step*13)%211)
					o.Update(w, g, lo, hi)
					lo = hi
				}
				states = append(states, canonical(w))
				for _, s := range o.Slots() {
					states = append(states, canonical(s.Data))
				}
			}
			return states
		}
		want := run(isa.Generic)
		for tier := isa.AVX2; tier <= isa.Best(); tier++ {
			for k, got := range run(tier) {
				for i := range got {
					if math.Float32bits(got[i]) != math.Float32bits(want[k][i]) {
						t.Fatalf("%s, %v, state %d: element %d is %g, want %g", name, tier, k, i, got[i], want[k][i])
					}
				}
			}
		}
	}
}

func TestUpdateLeavesTheRestAlone(t *testing.T) {
	const n, lo, hi = 20, 5, 12
	random := rand.New(rand.NewPCG(3, 4))
	start := gradients(random, 1, n)[0]
	g := gradients(random, 1, n)[0]
	for i := range g {
		g[i]++ // so that every gradient moves its weight
	}
	for _, name := range Names() {
		o := mustNew(t, name, 10, n)
		w, given := slices.Clone(start), slices.Clone(g)
		o.Advance()
		o.Update(w, given, lo, hi)
		for i := range w {
			inside := lo <= i && i < hi
			if moved := w[i] != start[i]; moved != inside {
				t.Errorf("%s: element %d of %d..%d: moved %v", name, i, lo, hi, moved)
			}
			for _, s := range o.Slots() {
				if set := s.Data[i] != 0; set != inside {
					t.Errorf("%s: slot %s[%d] of %d..%d: set %v", name, s.Name, i, lo, hi, set)
				}
			}
		}
		if !equalBits(given, g) {
			t.Errorf("%s: gradients changed", name)
		}
	}
}

// A run that is saved, restored into a new optimizer and continued ends as one
// that was never interrupted.
func TestRestore(t *testing.T) {
	const n = 300
	random := rand.New(rand.NewPCG(5, 6))
	steps := gradients(random, 10, n)
	start := gradients(random, 1, n)[0]
	for _, name := range Names() {
		unbroken, resumed := slices.Clone(start), slices.Clone(start)
		a, b := mustNew(t, name, 0.01, n), mustNew(t, name, 0.01, n)
		for i, g := range steps {
			if i == 4 {
				fresh := mustNew(t, name, b.LearningRate(), n)
				if err := fresh.SetStep(b.Step()); err != nil {
					t.Fatal(err)
				}
				from := b.Slots()
				for k, slot := range fresh.Slots() {
					if slot.Name != from[k].Name || len(slot.Data) != n {
						t.Fatalf("%s: slot %d is %s of %d, want %s of %d", name, k, slot.Name, len(slot.Data), from[k].Name, n)
					}
					copy(slot.Data, from[k].Data)
				}
				b = fresh
			}
			a.Advance()
			a.Update(unbroken, g, 0, n)
			b.Advance()
			b.Update(resumed, g, 0, n)
		}
		if !equalBits(unbroken, resumed) {
			t.Errorf("%s: resumed weights differ from unbroken ones", name)
		}
		if a.Step() != len(steps) || b.Step() != len(steps) {
			t.Errorf("%s: at step %d and, resumed, %d; want %d", name, a.Step(), b.Step(), len(steps))
		}
		if err := b.SetStep(-1); err == nil || b.Step() != len(steps) {
			t.Errorf("%s: SetStep(-1) = %v, step %d; want an error and step %d", name, err, b.Step(), len(steps))
		}
	}
}

func TestSetLearningRate(t *testing.T) {
	// Every rule is linear in the rate and halving a float is exact, so the first
	// step at half the rate moves by exactly half.
	for _, name := range Names() {
		move := func(rate float64, set bool) float32 {
			o := mustNew(t, name, 0.5, 1)
			if !set {
				o = mustNew(t, name, rate, 1)
			} else if err := o.SetLearningRate(rate); err != nil {
				t.Fatal(err)
			}
			w := []float32{0}
			o.Advance()
			o.Update(w, []float32{1}, 0, 1)
			return w[0]
		}
		if set, built := move(0.25, true), move(0.25, false); set != built || set*2 != move(0.5, false) {
			t.Errorf("%s: moves by %v at rate 0.25 set, %v built, %v at 0.5", name, set, built, move(0.5, false))
		}

		o := mustNew(t, name, 0.5, 1)
		for _, bad := range []float64{0, -1, math.NaN(), math.Inf(1), 1e-60} {
			if err := o.SetLearningRate(bad); err == nil || o.LearningRate() != 0.5 {
				t.Errorf("%s: SetLearningRate(%v) = %v, rate now %v; want an error and 0.5", name, bad, err, o.LearningRate())
			}
		}
	}
}

// With its gradient gone, a slot decays to zero and is never subnormal.
func TestSlotsAreNeverSubnormal(t *testing.T) {
	start := []float32{1e-3, -1e-3, 1e-16, -1e-17, 1e-18, 1e-19, 1e-37, -1e-38, 1e-45}
	n := len(start)
	zero := make([]float32, n)
	for _, name := range Names() {
		o := mustNew(t, name, 1e-3, n)
		w := make([]float32, n)
		o.Advance()
		o.Update(w, start, 0, n)
		for range 1200 {
			for _, s := range o.Slots() {
				for i, x := range s.Data {
					if x != 0 && math.Abs(float64(x)) < 0x1p-126 {
						t.Fatalf("%s: step %d: %s[%d] is subnormal: %g", name, o.Step(), s.Name, i, x)
					}
				}
			}
			o.Advance()
			o.Update(w, zero, 0, n)
		}
		if last := o.Slots()[0]; !equalBits(last.Data, zero) {
			t.Errorf("%s: after 1200 steps without gradient %s is %g, want zeros", name, last.Name, last.Data)
		}
	}
}

// A divergence must reach the weights, where the training loop can see it.
func TestBadGradientsAreNotHidden(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, name := range Names() {
		o := mustNew(t, name, 1e-3, 3)
		w := make([]float32, 3)
		o.Advance()
		o.Update(w, []float32{nan, inf, -inf}, 0, 3)
		for i, x := range w {
			if x-x == 0 {
				t.Errorf("%s: element %d is finite: %g", name, i, x)
			}
		}
	}
}

func TestUpdateDoesNotAllocate(t *testing.T) {
	const n = 100
	w, g := make([]float32, n), make([]float32, n)
	for _, name := range Names() {
		o := mustNew(t, name, 1e-3, n)
		if allocs := testing.AllocsPerRun(10, func() {
			o.Advance()
			o.Update(w, g, 0, n)
		}); allocs != 0 {
			t.Errorf("%s: %v allocations a step, want 0", name, allocs)
		}
	}
}

func TestAdamNeedsAdvance(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("Update before Advance did not panic")
		}
	}()
	mustNew(t, "adam", 1e-3, 1).Update([]float32{0}, []float32{1}, 0, 1)
}

func BenchmarkUpdate(b *testing.B) {
	const n = 550_629
	random := rand.New(rand.NewPCG(7, 8))
	w, g := make([]float32, n), make([]float32, n)
	for i := range g {
		g[i] = float32(random.NormFloat64() * 1e-4)
	}
	for _, name := range Names() {
		for tier := isa.Generic; tier <= isa.Best(); tier++ {
			b.Run(name+"/"+tier.String(), func(b *testing.B) {
				o, err := New(name, 1e-3, n, tier)
				if err != nil {
					b.Fatal(err)
				}
				// Read the gradients; read and write the weights and slots.
				b.SetBytes(int64(4 * n * (3 + 2*len(o.Slots()))))
				for b.Loop() {
					o.Advance()
					o.Update(w, g, 0, n)
				}
			})
		}
	}
}
