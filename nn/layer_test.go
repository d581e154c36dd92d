package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/diff/fd"

	"vaectl/conv"
	"vaectl/internal/gemm"
	"vaectl/internal/isa"
	"vaectl/internal/parallel"
)

func TestMain(m *testing.M) {
	// gonum's own product starts goroutines for large matrices, which allocates.
	blas32.Use(gemm.NewBLAS(gemm.New(isa.Best())))
	os.Exit(m.Run())
}

// reference is a layer in float64, computed straight from its definition:
// params are the layer's parameters in order, x and the result one sample.
type reference func(params [][]float64, x []float64) []float64

func TestLayers(t *testing.T) {
	tests := []struct {
		name  string
		layer func() Layer
		in    Shape
		ref   reference
	}{
		{"conv2d same", func() Layer {
			return &Conv2D{Filters: 3, Kernel: 3, Stride: 1, Padding: conv.Same, Activation: ReLU}
		}, Shape{4, 5, 2}, conv2dRef(Shape{4, 5, 2}, Shape{4, 5, 3}, 3, 1, 1, ReLU)},
		{"conv2d same stride 2", func() Layer {
			return &Conv2D{Filters: 3, Kernel: 3, Stride: 2, Padding: conv.Same, Activation: ReLU}
		}, Shape{6, 4, 2}, conv2dRef(Shape{6, 4, 2}, Shape{3, 2, 3}, 3, 2, 0, ReLU)},
		{"conv2d valid linear", func() Layer {
			return &Conv2D{Filters: 1, Kernel: 2, Stride: 1, Padding: conv.Valid}
		}, Shape{3, 4, 3}, conv2dRef(Shape{3, 4, 3}, Shape{2, 3, 1}, 2, 1, 0, Linear)},
		{"conv2d_transpose same stride 2", func() Layer {
			return &Conv2DTranspose{Filters: 2, Kernel: 3, Stride: 2, Padding: conv.Same, Activation: ReLU}
		}, Shape{3, 2, 4}, transposeRef(Shape{3, 2, 4}, Shape{6, 4, 2}, 3, 2, 0, ReLU)},
		{"conv2d_transpose valid linear", func() Layer {
			return &Conv2DTranspose{Filters: 2, Kernel: 3, Stride: 1, Padding: conv.Valid}
		}, Shape{3, 2, 2}, transposeRef(Shape{3, 2, 2}, Shape{5, 4, 2}, 3, 1, 0, Linear)},
		{"dense relu", func() Layer { return &Dense{Out: Vector(5), Activation: ReLU} },
			Shape{2, 3, 2}, denseRef(5, ReLU)},
		{"dense linear", func() Layer { return &Dense{Out: Shape{2, 2, 1}} },
			Vector(3), denseRef(4, Linear)},
		{"dense, more than one block", func() Layer { return &Dense{Out: Vector(2), Activation: ReLU} },
			Vector(denseDepth + 7), denseRef(2, ReLU)},
	}
	for tier := isa.Generic; tier <= isa.Best(); tier++ {
		for _, tt := range tests {
			t.Run(tier.String()+" "+tt.name, func(t *testing.T) { conform(t, tier, tt.layer, tt.in, tt.ref) })
		}
	}
}

// conform holds a layer to everything that Layer promises.
func conform(t *testing.T, tier isa.Tier, newLayer func() Layer, in Shape, ref reference) {
	const n, short = 6, 4
	pool := parallel.New(2)
	defer pool.Close()
	rng := rand.New(rand.NewPCG(7, uint64(in.Len())))
	layer := newLayer()
	out, err := layer.Init(in)
	if err != nil {
		t.Fatal(err)
	}
	b := &Binder{Pool: pool, Tier: tier, N: n, Training: true}
	layer.Bind(b)
	b.allocate()
	params := layer.Params()
	for _, p := range params {
		fill(rng, p.Data)
	}

	x, xGuard := guarded(n, in)
	y, yGuard := guarded(n, out)
	dy, _ := guarded(n, out)
	dx, dxGuard := guarded(n, in)
	fill(rng, x.Data)
	fill(rng, dy.Data)

	layer.Forward(y, x)
	if layer.Rectified() { // dy is the gradient before the ReLU
		for i, v := range y.Data {
			if v <= 0 {
				dy.Data[i] = 0
			}
		}
	}
	xCopy, dyCopy := slices.Clone(x.Data), slices.Clone(dy.Data)
	for _, p := range params {
		fill(rng, p.Grad) // Backward adds to what is there
	}
	before := gradients(params)
	layer.Backward(dx, dy, x)
	after := gradients(params)

	weights := make([][]float64, len(params))
	for i, p := range params {
		weights[i] = wide(p.Data)
	}
	wantGrad := make([][]float64, len(params))
	for i := range wantGrad {
		wantGrad[i] = wide(before[i])
	}
	for s := range n {
		xs, dys := wide(x.Sample(s)), wide(dy.Sample(s))
		near(t, fmt.Sprintf("y of sample %d", s), y.Sample(s), ref(weights, xs), 2e-6)
		objective := func(x []float64) float64 { return inner(ref(weights, x), dys) }
		near(t, fmt.Sprintf("dx of sample %d", s), dx.Sample(s), gradient(objective, xs), 5e-6)
		for i := range params {
			g := gradient(func(w []float64) float64 {
				changed := slices.Clone(weights)
				changed[i] = w
				return inner(ref(changed, xs), dys)
			}, weights[i])
			for j, v := range g {
				wantGrad[i][j] += v
			}
		}
	}
	for i, p := range params {
		near(t, "gradient of "+p.Name, after[i], wantGrad[i], 1e-5)
	}

	if !slices.Equal(x.Data, xCopy) || !slices.Equal(dy.Data, dyCopy) {
		t.Error("a pass modified x or dy")
	}
	for _, guard := range [][]float32{xGuard, yGuard, dxGuard} {
		for _, v := range guard {
			if v != guardValue {
				t.Fatal("wrote outside a batch")
			}
		}
	}

	// No dx wanted: the same parameter gradients.
	for i, p := range params {
		copy(p.Grad, before[i])
	}
	layer.Backward(Batch{N: n, Shape: in}, dy, x)
	for i, g := range gradients(params) {
		if !slices.Equal(g, after[i]) {
			t.Errorf("gradient of %s differs when dx is not wanted", params[i].Name)
		}
	}

	// A short batch gives the same as the head of a full one.
	y2, _ := guarded(short, out)
	dx2, _ := guarded(short, in)
	layer.Forward(y2, x.Head(short))
	layer.Backward(dx2, dy.Head(short), x.Head(short))
	if !slices.Equal(y2.Data, y.Head(short).Data) || !slices.Equal(dx2.Data, dx.Head(short).Data) {
		t.Error("a short batch differs from the head of a full one")
	}

	// An input that came out of a ReLU: its gradient is that before the ReLU.
	rectified := x
	rectified.Rectified = true
	dx3, _ := guarded(n, in)
	layer.Backward(dx3, dy, rectified)
	for i, v := range x.Data {
		want := dx.Data[i]
		if v <= 0 {
			want = 0
		}
		if dx3.Data[i] != want {
			t.Errorf("dx of a rectified x: value %d is %v, want %v", i, dx3.Data[i], want)
			break
		}
	}

	if a := allocations(func() {
		layer.Forward(y, x)
		layer.Backward(dx, dy, x)
	}); a != 0 {
		t.Errorf("a forward and a backward pass allocate %v times", a)
	}
}

const guardValue = 12345

// guarded returns a batch full of NaN between two guard bands.
func guarded(n int, s Shape) (Batch, []float32) {
	const band = 32
	all := make([]float32, band+n*s.Len()+band)
	for i := range all {
		all[i] = guardValue
	}
	// The data start on a cache line, as a Binder's do.
	inner := alignedFloats(len(all) + cacheLine)
	copy(inner, all)
	b := Batch{N: n, Shape: s, Data: inner[band : band+n*s.Len() : band+n*s.Len()]}
	for i := range b.Data {
		b.Data[i] = float32(math.NaN())
	}
	return b, inner[:band]
}

func fill(rng *rand.Rand, x []float32) {
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
}

func gradients(params []*Param) (all [][]float32) {
	for _, p := range params {
		all = append(all, slices.Clone(p.Grad))
	}
	return all
}

func wide(x []float32) []float64 {
	w := make([]float64, len(x))
	for i, v := range x {
		w[i] = float64(v)
	}
	return w
}

func inner(a, b []float64) (sum float64) {
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

func gradient(f func([]float64) float64, x []float64) []float64 {
	return fd.Gradient(nil, f, x, &fd.Settings{Formula: fd.Central})
}

// near compares with a tolerance relative to the largest expected value.
func near(t *testing.T, what string, got []float32, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	scale := 1.0
	for _, w := range want {
		scale = max(scale, math.Abs(w))
	}
	for i, w := range want {
		if d := math.Abs(float64(got[i]) - w); !(d <= tol*scale) {
			t.Errorf("%s: value %d is %v, want %v", what, i, got[i], w)
			return
		}
	}
}

func activation(act Activation, y []float64) []float64 {
	if act == ReLU {
		for i := range y {
			y[i] = max(y[i], 0)
		}
	}
	return y
}

// conv2dRef convolves with a kernel [k, k, in, out] after before zeros.
func conv2dRef(in, out Shape, k, stride, before int, act Activation) reference {
	return func(params [][]float64, x []float64) []float64 {
		y := make([]float64, out.Len())
		taps(in, out, k, stride, before, func(yi, xi, wi int) { y[yi] += x[xi] * params[0][wi] })
		for i := range y {
			y[i] += params[1][i%out.C]
		}
		return activation(act, y)
	}
}

// transposeRef scatters in through the convolution from out to in.
func transposeRef(in, out Shape, k, stride, before int, act Activation) reference {
	return func(params [][]float64, x []float64) []float64 {
		y := make([]float64, out.Len())
		taps(out, in, k, stride, before, func(xi, yi, wi int) { y[yi] += x[xi] * params[0][wi] })
		for i := range y {
			y[i] += params[1][i%out.C]
		}
		return activation(act, y)
	}
}

func taps(in, out Shape, k, stride, before int, f func(out, in, w int)) {
	for i := range out.Len() * k * k * in.C {
		ic, r := i%in.C, i/in.C
		kw, r := r%k, r/k
		kh, r := r%k, r/k
		oc, r := r%out.C, r/out.C
		ow, oh := r%out.W, r/out.W
		h, w := oh*stride+kh-before, ow*stride+kw-before
		if h >= 0 && h < in.H && w >= 0 && w < in.W {
			f((oh*out.W+ow)*out.C+oc, (h*in.W+w)*in.C+ic, ((kh*k+kw)*in.C+ic)*out.C+oc)
		}
	}
}

func denseRef(units int, act Activation) reference {
	return func(params [][]float64, x []float64) []float64 {
		y := slices.Clone(params[1])
		for i, v := range x {
			for u := range units {
				y[u] += v * params[0][i*units+u]
			}
		}
		return activation(act, y)
	}
}

func TestLayerShapeErrors(t *testing.T) {
	tests := []struct {
		layer Layer
		in    Shape
	}{
		{&Conv2D{Filters: 0, Kernel: 3, Stride: 1}, Shape{5, 5, 1}},
		{&Conv2D{Filters: 1, Kernel: 6, Stride: 1, Padding: conv.Valid}, Shape{5, 5, 1}},
		{&Conv2D{Filters: 1, Kernel: 3, Stride: 0}, Shape{5, 5, 1}},
		{&Conv2DTranspose{Filters: 1, Kernel: 3, Stride: 2}, Shape{0, 5, 1}},
		{&Dense{Out: Vector(0)}, Vector(3)},
		{&Dense{Out: Vector(2)}, Vector(0)},
	}
	for _, tt := range tests {
		if out, err := tt.layer.Init(tt.in); err == nil {
			t.Errorf("%T%v on %v: accepted with output %v", tt.layer, tt.layer, tt.in, out)
		}
	}
}
