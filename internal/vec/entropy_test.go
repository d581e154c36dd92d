package vec

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"vaectl/internal/isa"
)

// flushed is what may be missing where exp(-|l|) is below the smallest normal.
const flushed = 0x1p-126

// sweep calls f with logits all over the float32 numbers, both signs.
func sweep(f func(l float32)) {
	const dense, sparse = 1499, 40009 // primes: the low bits vary
	for bits := uint32(0); bits < 0x7f800000; {
		f(math.Float32frombits(bits))
		f(-math.Float32frombits(bits))
		if l := math.Float32frombits(bits); 1e-4 < l && l < 110 {
			bits += dense
		} else {
			bits += sparse
		}
	}
	f(math.MaxFloat32)
	f(-math.MaxFloat32)
}

// TestCrossEntropyBounds holds single elements against float64: in a vector of
// their own (all sixteen the same, so that the sum is exact) and as a remainder.
func TestCrossEntropyBounds(t *testing.T) {
	const scale = 1.0 / 3
	targets := []float32{0, 1, 0.5, 1.0 / 255, 254.0 / 255, 0x1p-24, 1 - 0x1p-24}
	forTiers(t, func(t *testing.T, k Kernels) {
		logits, x, grad := make([]float32, 16), make([]float32, 16), make([]float32, 16)
		count := 0
		sweep(func(l float32) {
			n := []int{16, 16, 1}[count%3]
			target := targets[count%len(targets)]
			count++
			for i := range n {
				logits[i], x[i] = l, target
			}
			sum := k.CrossEntropy(logits[:n], x[:n], grad[:n], scale) / float64(n)

			l64, x64 := float64(l), float64(target)
			e := math.Exp(-math.Abs(l64))
			want := max(l64, 0) - l64*x64 + math.Log1p(e)
			if d := math.Abs(sum - want); !(d <= 2e-7*want+flushed) {
				t.Fatalf("logit %g, target %g: %g, want %g", l, target, sum, want)
			}

			// sigmoid(l)-x, without loss where they are nearly one.
			exact := e/(1+e) - x64
			if l > 0 {
				exact = 1 - x64 - e/(1+e)
			}
			for i, g := range grad[:n] {
				d := math.Abs(float64(g) - scale*exact)
				bound := 1.25e-7 * scale
				if k.Tier() != isa.Generic && (target == 0 || target == 1) {
					bound = min(bound, 2.5e-7*scale*math.Abs(exact)+flushed)
				}
				if !(d <= bound) {
					t.Fatalf("logit %g, target %g, element %d: gradient %g, want %g", l, target, i, g, scale*exact)
				}
			}
		})
	})
}

func TestSigmoidBounds(t *testing.T) {
	forTiers(t, func(t *testing.T, k Kernels) {
		logits, p := make([]float32, 16), make([]float32, 16)
		count := 0
		sweep(func(l float32) {
			n := []int{16, 16, 1}[count%3]
			count++
			for i := range n {
				logits[i] = l
			}
			k.Sigmoid(p[:n], logits[:n])
			want := 1 / (1 + math.Exp(-float64(l)))
			for i, got := range p[:n] {
				d := math.Abs(float64(got) - want)
				if !(d <= 2e-7*want+flushed) {
					t.Fatalf("logit %g, element %d: %g, want %g", l, i, got, want)
				}
			}
		})
	})
}

// TestCrossEntropyKeepsDivergences demands that a logit or target that is not
// finite shows in the sum, wherever it stands, and a NaN in its gradient alone.
func TestCrossEntropyKeepsDivergences(t *testing.T) {
	odd := math.Float32frombits(0x7f800001) // a signalling NaN with a low bit set
	forTiers(t, func(t *testing.T, k Kernels) {
		for _, bad := range []float32{nan, -nan, odd, -odd, math.Float32frombits(0xffffffff), inf, -inf} {
			for _, target := range []float32{0, 0.25, 1} {
				for n := 1; n <= 40; n++ {
					for at := range n {
						logits, x, grad := make([]float32, n), make([]float32, n), make([]float32, n)
						logits[at], x[at] = bad, target
						sum := k.CrossEntropy(logits, x, grad, 1)
						want := (Kernels{}).CrossEntropy(logits, x, nil, 1)
						if sum != want && !(math.IsNaN(sum) && math.IsNaN(want)) || !math.IsNaN(sum) && !math.IsInf(sum, 1) {
							t.Fatalf("logit %g, target %g: sum %g, want %g", bad, target, sum, want)
						}
						for i, g := range grad {
							if i == at && bad == inf {
								if g != 1-target {
									t.Fatalf("logit %g, target %g: gradient %g", bad, target, g)
								}
							} else if i == at && bad == -inf {
								if g != -target {
									t.Fatalf("logit %g, target %g: gradient %g", bad, target, g)
								}
							} else if (g != g) != (i == at) || i != at && g != 0.5 {
								t.Fatalf("logit %g at %d of %d: gradient %d is %g", bad, at, n, i, g)
							}
						}
						if bad != bad {
							logits[at], x[at] = 0, bad
							sum := k.CrossEntropy(logits, x, grad, 1)
							if sum == sum || grad[at] == grad[at] {
								t.Fatalf("target %g: sum %g, gradient %g", bad, sum, grad[at])
							}
						}
					}
				}
			}
		}
		p := make([]float32, 5)
		k.Sigmoid(p, []float32{nan, odd, -nan, inf, -inf})
		if p[0] == p[0] || p[1] == p[1] || p[2] == p[2] || p[3] != 1 || p[4] != 0 {
			t.Errorf("sigmoid of NaN, NaN, NaN, +Inf, -Inf is %g", p)
		}
	})
}

// TestCrossEntropySums checks whole sums at every length, with and without a
// gradient, and that the vector tiers agree to the last bit.
func TestCrossEntropySums(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range lengths() {
		logits, x := make([]float32, n), make([]float32, n)
		for i := range logits {
			logits[i], x[i] = float32(r.NormFloat64()*8), float32(r.IntN(256))/255
		}
		exact := make([]float32, n)
		want := (Kernels{}).CrossEntropy(logits, x, exact, 0.25)
		var vectorSum float64
		var vectorGrad, vectorP []float32
		for _, tier := range tiers()[1:] {
			k := New(tier)
			grad, p := make([]float32, n), make([]float32, n)
			sum := k.CrossEntropy(logits, x, grad, 0.25)
			k.Sigmoid(p, logits)
			if !(math.Abs(sum-want) <= 2e-7*want) {
				t.Errorf("%v, %d elements: sum %v, want %v", tier, n, sum, want)
			}
			if alone := k.CrossEntropy(logits, x, nil, 0.25); alone != sum {
				t.Errorf("%v, %d elements: sum %v without gradient, %v with", tier, n, alone, sum)
			}
			for i, g := range grad {
				if d := math.Abs(float64(g) - float64(exact[i])); !(d <= 1.25e-7*0.25) {
					t.Fatalf("%v, %d elements: gradient %d is %v, want %v", tier, n, i, g, exact[i])
				}
			}
			if tier == isa.AVX2 {
				vectorSum, vectorGrad, vectorP = sum, grad, p
			}
			if sum != vectorSum || !slices.Equal(grad, vectorGrad) || !slices.Equal(p, vectorP) {
				t.Errorf("%v, %d elements: results differ from those of %v", tier, n, isa.AVX2)
			}
		}
	}
}
