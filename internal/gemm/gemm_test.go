package gemm

import (
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

func TestNewRefusesMissingTiers(t *testing.T) {
	for _, tier := range []isa.Tier{-1, isa.Best() + 1, isa.AVX512 + 1} {
		mustPanic(t, "gemm: tier not available on this CPU", func() { New(tier) })
	}
}

// TestDispatch proves which path ran by letting C lie one float after A: what a
// row then reads shows whether the rows above it were stored before, and so how
// many rows a tile has.
func TestDispatch(t *testing.T) {
	heights := map[isa.Tier][]int{isa.Generic: slices.Repeat([]int{1}, 14), isa.AVX2: {4, 5, 5}, isa.AVX512: {14}}
	forTiers(t, func(t *testing.T, k Kernels) {
		if k.Tier().String() != tiers()[k.Tier()].String() {
			t.Fatalf("kernels report tier %v", k.Tier())
		}
		x := make([]float32, 15)
		for i := range x {
			x[i] = 1
		}
		k.Block(&Block{
			M: 14, N: 1, Segs: 1, SegLen: 1,
			A: x[:14], ARow: 1, AK: 1,
			B: []float32{2}, BK: 1,
			C: x[1:], LDC: 1,
		})
		want := []float32{1}
		for _, h := range heights[k.Tier()] {
			// The first row of a tile reads what the tile above stored last.
			want = append(want, 2*want[len(want)-1])
			want = append(want, slices.Repeat([]float32{2}, h-1)...)
		}
		if !slices.Equal(x, want) {
			t.Errorf("rows are\n%v, want\n%v", x, want)
		}
	})
}

func TestPeakCountsFLOPs(t *testing.T) {
	perStep := map[isa.Tier]int{isa.Generic: 16, isa.AVX2: 192, isa.AVX512: 896}
	forTiers(t, func(t *testing.T, k Kernels) {
		for _, steps := range []int{0, 1, maxSteps, 3*maxSteps + 1} {
			if got, want := k.Peak(steps), steps*perStep[k.Tier()]; got != want {
				t.Errorf("Peak(%d) = %d, want %d", steps, got, want)
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
