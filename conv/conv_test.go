package conv

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"vaectl/internal/parallel"
)

// geometries covers odd and even sizes, every kernel from 1 to 5, strides 1 to
// 3, both paddings, windows larger than the image, and the model's layers.
func geometries(t testing.TB) []Geometry {
	var all []Geometry
	add := func(h, w, in, out, kh, kw, stride int, p Padding) {
		g, err := NewGeometry(h, w, in, out, kh, kw, stride, p)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, g)
	}
	for k := 1; k <= 5; k++ {
		for stride := 1; stride <= 3; stride++ {
			for _, p := range []Padding{Valid, Same} {
				add(7, 6, 3, 5, k, k, stride, p)
				add(8, 5, 1, 2, k, 6-k, stride, p)
				add(5, 9, 2, 1, 6-k, k, stride, p)
			}
			add(1, 2, 2, 3, k, k, stride, Same)
		}
	}
	add(28, 28, 1, 32, 3, 3, 1, Same)
	add(28, 28, 32, 64, 3, 3, 2, Same)
	add(14, 14, 64, 64, 3, 3, 1, Same)
	add(28, 28, 32, 1, 3, 3, 1, Same)
	// Others that Winograd's convolution takes.
	add(2, 6, 16, 48, 3, 3, 1, Same)
	add(8, 2, 48, 16, 3, 3, 1, Same)
	add(4, 70, 16, 32, 3, 3, 1, Same)
	// One output channel and many inputs, which the fused path treats apart.
	add(6, 7, 9, 1, 2, 5, 1, Same)
	add(6, 7, 8, 1, 4, 3, 1, Valid)
	return all
}

func (g Geometry) String() string {
	return fmt.Sprintf("%dx%dx%d-%dx%dx%d-k%dx%d-s%d-p%d.%d",
		g.InH, g.InW, g.InC, g.OutH, g.OutW, g.OutC, g.KH, g.KW, g.Stride, g.PadTop, g.PadLeft)
}

// ints returns n small integers: sums of their products stay below 2^24, so
// float32 holds them exactly and any order of additions gives the same result.
func ints(rng *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.IntN(9) - 4)
	}
	return x
}

// each calls f for every pair of an output value and an input value that meet
// in the convolution, with the index of the kernel value between them. This is
// the definition that everything here is tested against.
func (g Geometry) each(f func(y, x, w int)) {
	for oh := range g.OutH {
		for ow := range g.OutW {
			for kh := range g.KH {
				for kw := range g.KW {
					h, w := oh*g.Stride+kh-g.PadTop, ow*g.Stride+kw-g.PadLeft
					if h < 0 || h >= g.InH || w < 0 || w >= g.InW {
						continue
					}
					for ic := range g.InC {
						for oc := range g.OutC {
							f((oh*g.OutW+ow)*g.OutC+oc, (h*g.InW+w)*g.InC+ic, ((kh*g.KW+kw)*g.InC+ic)*g.OutC+oc)
						}
					}
				}
			}
		}
	}
}

func TestGeometry(t *testing.T) {
	tests := []struct {
		in, k, stride int
		padding       Padding
		out, before   int
	}{
		{28, 3, 1, Same, 28, 1},
		{28, 3, 2, Same, 14, 0}, // asymmetric: one zero after, none before
		{14, 3, 1, Same, 14, 1},
		{27, 3, 2, Same, 14, 1},
		{7, 4, 1, Same, 7, 1}, // even kernel: one before, two after
		{5, 1, 3, Same, 2, 0},
		{7, 5, 3, Same, 3, 2},
		{7, 3, 1, Valid, 5, 0},
		{7, 3, 2, Valid, 3, 0},
		{8, 3, 2, Valid, 3, 0},
	}
	for _, tt := range tests {
		g, err := NewGeometry(tt.in, tt.in, 1, 1, tt.k, tt.k, tt.stride, tt.padding)
		if err != nil {
			t.Fatal(err)
		}
		if g.OutH != tt.out || g.OutW != tt.out || g.PadTop != tt.before || g.PadLeft != tt.before {
			t.Errorf("in %d, kernel %d, stride %d, padding %d: out %dx%d, before %d, %d; want %d, %d",
				tt.in, tt.k, tt.stride, tt.padding, g.OutH, g.OutW, g.PadTop, g.PadLeft, tt.out, tt.before)
		}
	}
}

func TestGeometryErrors(t *testing.T) {
	for _, sizes := range [][7]int{
		{0, 5, 1, 1, 3, 3, 1}, {5, 5, 0, 1, 3, 3, 1}, {5, 5, 1, -1, 3, 3, 1},
		{5, 5, 1, 1, 0, 3, 1}, {5, 5, 1, 1, 3, 3, 0}, {2, 5, 1, 1, 3, 3, 1}, {5, 2, 1, 1, 3, 3, 1},
	} {
		if g, err := NewGeometry(sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], sizes[5], sizes[6], Valid); err == nil {
			t.Errorf("%v accepted as %v", sizes, g)
		}
	}
	if _, err := NewGeometry(5, 5, 1, 1, 3, 3, 1, Padding(7)); err == nil {
		t.Error("unknown padding accepted")
	}
}

func TestIm2colMatchesDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, g := range geometries(t) {
		x := ints(rng, g.In())
		want := make([]float32, g.Pixels()*g.Window())
		g.each(func(y, xi, w int) {
			want[y/g.OutC*g.Window()+w/g.OutC] = x[xi]
		})
		got := ints(rng, len(want)) // stale contents must be overwritten
		Im2col(g, got, x)
		if !slices.Equal(got, want) {
			t.Errorf("%v: im2col differs from the definition", g)
		}
	}
}

// <im2col(x), c> = <x, col2im(c)>, exactly.
func TestCol2imIsTheAdjoint(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, g := range geometries(t) {
		x, c := ints(rng, g.In()), ints(rng, g.Pixels()*g.Window())
		col, back := make([]float32, len(c)), ints(rng, len(x))
		Im2col(g, col, x)
		Col2im(g, back, c)
		if l, r := dot(col, c), dot(x, back); l != r {
			t.Errorf("%v: <im2col(x), c> = %v, <x, col2im(c)> = %v", g, l, r)
		}
	}
}

func dot(a, b []float32) (sum float64) {
	for i, v := range a {
		sum += float64(v) * float64(b[i])
	}
	return sum
}

func TestConvMatchesDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 3))
	pool := parallel.New(2)
	defer pool.Close()
	for _, g := range geometries(t) {
		const n = 3
		c := New(g, pool, true)
		x, y, w := ints(rng, n*g.In()), ints(rng, n*g.Out()), ints(rng, g.Kernel())
		wantY, wantDX := make([]float32, len(y)), make([]float32, len(x))
		gotY, gotDX := ints(rng, len(y)), ints(rng, len(x)) // overwritten
		gotDW := ints(rng, len(w))                          // added to
		wantDW := slices.Clone(gotDW)
		for s := range n {
			xs, ys := sample(x, s, g.In()), sample(y, s, g.Out())
			wantYs, wantDXs := sample(wantY, s, g.Out()), sample(wantDX, s, g.In())
			g.each(func(yi, xi, wi int) {
				wantYs[yi] += xs[xi] * w[wi]
				wantDXs[xi] += ys[yi] * w[wi]
				wantDW[wi] += ys[yi] * xs[xi]
			})
		}
		inputs := slices.Concat(x, y, w)
		c.Forward(gotY, x, w, n)
		c.DataGrad(gotDX, y, w, n)
		c.WeightGrad(gotDW, x, y, n)
		if !slices.Equal(gotY, wantY) {
			t.Errorf("%v: Forward differs from the definition", g)
		}
		if !slices.Equal(gotDX, wantDX) {
			t.Errorf("%v: DataGrad differs from the definition", g)
		}
		if !slices.Equal(gotDW, wantDW) {
			t.Errorf("%v: WeightGrad differs from the definition", g)
		}
		if !slices.Equal(slices.Concat(x, y, w), inputs) {
			t.Errorf("%v: inputs were modified", g)
		}
		if l, r := dot(gotY, y), dot(x, gotDX); l != r {
			t.Errorf("%v: <conv(x), y> = %v, <x, dgrad(y)> = %v", g, l, r)
		}
	}
}

// With values that do round, the bits must not depend on the workers or on how
// often the scratch memory was used before.
func TestSameBitsForAnyWorkers(t *testing.T) {
	g, err := NewGeometry(9, 9, 8, 16, 3, 3, 1, Same)
	if err != nil {
		t.Fatal(err)
	}
	const n = 37 // more than two rounds of partial sums, and a remainder
	rng := rand.New(rand.NewPCG(1, 4))
	normal := func(n int) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		return x
	}
	x, y, w := normal(n*g.In()), normal(n*g.Out()), normal(g.Kernel())
	var first []float32
	for _, workers := range []int{1, 2, 3, 7} {
		pool := parallel.New(workers)
		c := New(g, pool, true)
		for range 2 {
			gotY, gotDX, gotDW := make([]float32, len(y)), make([]float32, len(x)), make([]float32, len(w))
			c.Forward(gotY, x, w, n)
			c.DataGrad(gotDX, y, w, n)
			c.WeightGrad(gotDW, x, y, n)
			all := slices.Concat(gotY, gotDX, gotDW)
			if first == nil {
				first = all
			}
			if !slices.Equal(all, first) {
				t.Errorf("%d workers give other bits than one", workers)
			}
		}
		pool.Close()
	}
}
