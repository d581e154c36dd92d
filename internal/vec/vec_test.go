package vec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"vaectl/internal/isa"
)

// tiers returns the tiers of this CPU, the generic one first.
func tiers() []isa.Tier {
	var ts []isa.Tier
	for t := isa.Generic; t <= isa.Best(); t++ {
		ts = append(ts, t)
	}
	return ts
}

// forTiers runs a test once for each tier of this CPU.
func forTiers(t *testing.T, test func(t *testing.T, k Kernels)) {
	for _, tier := range tiers() {
		t.Run(tier.String(), func(t *testing.T) { test(t, New(tier)) })
	}
}

// loop is one kernel, with settings that a caller may choose.
type loop struct {
	name   string
	slices int // that it takes
	run    func(k Kernels, s [][]float32)
}

// exactLoops give the same bits on every tier.
var exactLoops = []loop{
	{"RMSprop", 3, func(k Kernels, s [][]float32) { k.RMSprop(s[0], s[1], s[2], 0.01, 0.9, 0.1, 1e-7) }},
	{"Adam", 4, func(k Kernels, s [][]float32) { k.Adam(s[0], s[1], s[2], s[3], 0.02, 0.1, 0.001, 1e-7) }},
	{"SGD", 3, func(k Kernels, s [][]float32) { k.SGD(s[0], s[1], s[2], 0.01, 0.9) }},
	{"Add", 2, func(k Kernels, s [][]float32) { k.Add(s[0], s[1]) }},
	{"ReLUMask", 2, func(k Kernels, s [][]float32) { k.ReLUMask(s[0], s[1]) }},
}

var allLoops = append([]loop{
	{"CrossEntropy", 3, func(k Kernels, s [][]float32) { k.CrossEntropy(s[0], s[1], s[2], 0.5) }},
	{"CrossEntropy without gradient", 2, func(k Kernels, s [][]float32) { k.CrossEntropy(s[0], s[1], nil, 0.5) }},
	{"Sigmoid", 2, func(k Kernels, s [][]float32) { k.Sigmoid(s[0], s[1]) }},
}, exactLoops...)

// lengths reach every remainder of a vector, and beyond one run.
func lengths() []int {
	ns := []int{maxRun - 1, maxRun, maxRun + 1, 2*maxRun + 17}
	for n := range 70 {
		ns = append(ns, n)
	}
	return ns
}

var inf, nan = float32(math.Inf(1)), float32(math.NaN())

// specials are numbers that an algorithm may stumble over.
var specials = []float32{
	0, float32(math.Copysign(0, -1)), 1, -1, inf, -inf, nan, -nan,
	0x1p-149, -0x1p-149, 0x1.8p-127, -0x1.fffffcp-127, 0x1p-126, -0x1p-126, 0x1p-63, -0x1p-64, 0x1p-62,
	1e-19, 1e-20, 1e19, -2e19, 3e38, -3e38, math.MaxFloat32, -math.MaxFloat32,
}

// numbers are of very different sizes, and now and then special.
func numbers(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		if r.IntN(8) == 0 {
			x[i] = specials[r.IntN(len(specials))]
		} else {
			x[i] = float32(r.NormFloat64() * math.Pow(10, float64(r.IntN(24)-20)))
		}
	}
	return x
}

// same reports whether the bits are the same, or both are NaN.
func same(x, y float32) bool {
	return math.Float32bits(x) == math.Float32bits(y) || x != x && y != y
}

// TestExactLoops compares with the Go loops at every length, at places that are
// not aligned, between elements that must stay.
func TestExactLoops(t *testing.T) {
	const before, after = 3, 5
	forTiers(t, func(t *testing.T, k Kernels) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, l := range exactLoops {
			for _, n := range lengths() {
				got, want := make([][]float32, l.slices), make([][]float32, l.slices)
				args, wantArgs := make([][]float32, l.slices), make([][]float32, l.slices)
				for j := range got {
					got[j] = numbers(r, before+j+n+after)
					want[j] = slices.Clone(got[j])
					args[j], wantArgs[j] = got[j][before+j:][:n], want[j][before+j:][:n]
				}
				l.run(k, args)
				l.run(Kernels{}, wantArgs)
				for j := range got {
					for i, x := range got[j] {
						if !same(x, want[j][i]) {
							t.Fatalf("%s of %d: slice %d, element %d is %g, want %g", l.name, n, j, i-before-j, x, want[j][i])
						}
					}
				}
			}
		}
	})
}

// TestSpecialPairs meets each special number with each.
func TestSpecialPairs(t *testing.T) {
	var x, y []float32
	for _, a := range specials {
		for _, b := range specials {
			x, y = append(x, a), append(y, b)
		}
	}
	forTiers(t, func(t *testing.T, k Kernels) {
		for _, l := range exactLoops {
			for turn := range l.slices {
				got, want := make([][]float32, l.slices), make([][]float32, l.slices)
				for j := range got {
					got[j] = slices.Clone([][]float32{x, y}[min((j+turn)%l.slices, 1)])
					want[j] = slices.Clone(got[j])
				}
				given := slices.Clone(got)
				for j := range given {
					given[j] = slices.Clone(given[j])
				}
				l.run(k, got)
				l.run(Kernels{}, want)
				for j := range got {
					for i := range x {
						if !same(got[j][i], want[j][i]) {
							t.Fatalf("%s, slice %d: %g and %g give %g, want %g",
								l.name, j, given[0][i], given[1][i], got[j][i], want[j][i])
						}
					}
				}
			}
		}
	})
}

// TestByHand holds the loops against numbers worked out by hand.
func TestByHand(t *testing.T) {
	const tiny = 0x1p-127
	for _, c := range []struct {
		name        string
		run         func(k Kernels, s [][]float32)
		given, want [][]float32
	}{
		{name: "RMSprop", run: func(k Kernels, s [][]float32) { k.RMSprop(s[0], s[1], s[2], 0.5, 0.75, 0.25, 1) },
			given: [][]float32{{10, 3, 3}, {4, 0, 0}, {16, 0x1p-126, 4}},
			want:  [][]float32{{10 - 2.0/5, 3, 3}, {4, 0, 0}, {16, 0, 3}}},
		{name: "Adam", run: func(k Kernels, s [][]float32) { k.Adam(s[0], s[1], s[2], s[3], 0.5, 0.5, 0.25, 1) },
			given: [][]float32{{10, 3}, {4, 0}, {8, 0x1p-126}, {64.0 / 3, -tiny}},
			want:  [][]float32{{10 - 3/(1+float32(math.Sqrt(20))), 3}, {4, 0}, {6, 0}, {20, 0}}},
		{name: "SGD", run: func(k Kernels, s [][]float32) { k.SGD(s[0], s[1], s[2], 0.5, 0.25) },
			given: [][]float32{{10, 3}, {4, 0}, {8, 0x1p-125}},
			want:  [][]float32{{10, 3}, {4, 0}, {0, 0}}},
		{name: "Add", run: func(k Kernels, s [][]float32) { k.Add(s[0], s[1]) },
			given: [][]float32{{1, 2}, {10, 20}}, want: [][]float32{{11, 22}, {10, 20}}},
		{name: "ReLUMask", run: func(k Kernels, s [][]float32) { k.ReLUMask(s[0], s[1]) },
			given: [][]float32{{1, 2, 3, 4}, {0, -1, tiny, nan}}, want: [][]float32{{0, 0, 3, 4}, {0, -1, tiny, nan}}},
	} {
		forTiers(t, func(t *testing.T, k Kernels) {
			got := make([][]float32, len(c.given))
			for j := range got {
				got[j] = slices.Clone(c.given[j])
			}
			c.run(k, got)
			for j := range got {
				if !slices.EqualFunc(got[j], c.want[j], same) {
					t.Errorf("%s: slice %d is %g, want %g", c.name, j, got[j], c.want[j])
				}
			}
		})
	}
}

func TestLengthsMustAgree(t *testing.T) {
	forTiers(t, func(t *testing.T, k Kernels) {
		for _, l := range allLoops {
			for short := range l.slices {
				t.Run(fmt.Sprintf("%s/%d", l.name, short), func(t *testing.T) {
					s := make([][]float32, l.slices)
					for j := range s {
						s[j] = make([]float32, 20)
					}
					s[short] = s[short][:19]
					mustPanic(t, "vec: slices of different lengths", func() { l.run(k, s) })
				})
			}
		}
	})
}

func TestNewRefusesMissingTiers(t *testing.T) {
	for _, tier := range []isa.Tier{-1, isa.Best() + 1, isa.AVX512 + 1} {
		mustPanic(t, "vec: tier not available on this CPU", func() { New(tier) })
	}
}

func TestNothingAllocates(t *testing.T) {
	forTiers(t, func(t *testing.T, k Kernels) {
		if k.Tier().String() != tiers()[k.Tier()].String() {
			t.Fatalf("kernels report tier %v", k.Tier())
		}
		for _, l := range allLoops {
			s := make([][]float32, l.slices)
			for j := range s {
				s[j] = make([]float32, 100)
			}
			if allocs := testing.AllocsPerRun(10, func() { l.run(k, s) }); allocs != 0 {
				t.Errorf("%s: %v allocations, want 0", l.name, allocs)
			}
		}
	})
}

func mustPanic(t *testing.T, want string, f func()) {
	t.Helper()
	defer func() {
		t.Helper()
		if got := recover(); got != want {
			t.Errorf("panic %v, want %q", got, want)
		}
	}()
	f()
}
