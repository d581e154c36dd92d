package conv

import (
	"math"
	"math/rand/v2"
	"testing"

	"vaectl/internal/gemm"
	"vaectl/internal/isa"
	"vaectl/internal/parallel"
)

// With numbers that do round, every path is within Bound of the definition summed
// in float64, in parts of the result's root mean square.
func TestRoundingBound(t *testing.T) {
	const n = 2
	pool := parallel.New(2)
	defer pool.Close()
	rng := rand.New(rand.NewPCG(1, 6))
	normal := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		return x
	}
	for _, layer := range []struct{ size, in, out, stride int }{
		{28, 1, 32, 1}, {28, 32, 64, 2}, {14, 64, 64, 1}, {28, 32, 1, 1},
	} {
		g, err := NewGeometry(layer.size, layer.size, layer.in, layer.out, 3, 3, layer.stride, Same)
		if err != nil {
			t.Fatal(err)
		}
		x, dy, w := normal(n*g.In()), normal(n*g.Out()), normal(g.Kernel())
		wantY, wantDX, wantDW := make([]float64, len(dy)), make([]float64, len(x)), make([]float64, len(w))
		for s := range n {
			xs, dys := sample(x, s, g.In()), sample(dy, s, g.Out())
			g.each(func(yi, xi, wi int) {
				wantY[s*g.Out()+yi] += float64(xs[xi]) * float64(w[wi])
				wantDX[s*g.In()+xi] += float64(dys[yi]) * float64(w[wi])
				wantDW[wi] += float64(dys[yi]) * float64(xs[xi])
			})
		}
		check := func(path string, y, dx, dw []float32) {
			for _, r := range []struct {
				name string
				got  []float32
				want []float64
			}{{"forward", y, wantY}, {"data gradient", dx, wantDX}, {"weight gradient", dw, wantDW}} {
				worst, squares := 0.0, 0.0
				for i, want := range r.want {
					worst = max(worst, math.Abs(float64(r.got[i])-want))
					squares += want * want
				}
				relative := worst / math.Sqrt(squares/float64(len(r.want)))
				if !(relative <= Bound) {
					t.Errorf("%v, %s, %s: off by %.2g of the root mean square, at most %.2g is stated", g, path, r.name, relative, Bound)
				}
			}
		}
		y, dx, dw := make([]float32, len(dy)), make([]float32, len(x)), make([]float32, len(w))
		plain := New(g, pool, true)
		plain.Forward(y, x, w, n)
		plain.DataGrad(dx, dy, w, n)
		plain.WeightGrad(dw, x, dy, n)
		check("reference", y, dx, dw)
		for tier := isa.AVX2; tier <= isa.Best(); tier++ {
			for _, direct := range []bool{true, false} {
				f := NewFused(g, pool, gemm.New(tier), n, direct)
				p := Params{Kernel: w, Bias: make([]float32, g.OutC), KernelGrad: make([]float32, len(w)), BiasGrad: make([]float32, g.OutC)}
				in, out, grad := framed(x, g.InH, g.InW, g.InC, Border{}), framed(y, g.OutH, g.OutW, g.OutC, Border{}), framed(dx, g.InH, g.InW, g.InC, Border{})
				f.Forward(out, in, p, n)
				f.Backward(grad, framed(dy, g.OutH, g.OutW, g.OutC, Border{}), in, false, p, n)
				path := tier.String() + " winograd"
				if direct {
					path = tier.String() + " direct"
				}
				check(path, y, dx, p.KernelGrad)
			}
		}
	}
}
