package conv

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"vaectl/internal/gemm"
	"vaectl/internal/isa"
	"vaectl/internal/parallel"
)

// result is all that a forward and a backward pass of a layer compute.
type result struct{ y, dx, dw, db []float32 }

// layerInts runs a layer of small integers, forwards and backwards, on either
// path. in and out are the lengths of its images.
func layerInts(f func(p Params, x, y, dx, dy []float32, n int), g Geometry, in, out, channels int, relu bool) result {
	const n = 3
	rng := rand.New(rand.NewPCG(2, uint64(g.In()*g.Out())))
	x, dy := ints(rng, n*in), ints(rng, n*out)
	p := Params{
		Kernel: ints(rng, g.Kernel()), Bias: ints(rng, channels),
		KernelGrad: ints(rng, g.Kernel()), BiasGrad: ints(rng, channels), ReLU: relu,
	}
	r := result{y: ints(rng, n*out), dx: ints(rng, n*in), dw: p.KernelGrad, db: p.BiasGrad}
	f(p, x, r.y, r.dx, dy, n)
	return r
}

func (r *result) equal(o result) bool {
	return slices.Equal(r.y, o.y) && slices.Equal(r.dx, o.dx) && slices.Equal(r.dw, o.dw) && slices.Equal(r.db, o.db)
}

// finish adds the bias, applies the ReLU, and zeroes dx where x is not positive.
func finish(p Params, y, dx, x, dy []float32, rectified bool) {
	c := len(p.Bias)
	for i := range y {
		y[i] += p.Bias[i%c]
		if p.ReLU {
			y[i] = max(y[i], 0)
		}
	}
	for i := range dx {
		if rectified && x[i] <= 0 {
			dx[i] = 0
		}
	}
	for i, v := range dy {
		p.BiasGrad[i%c] += v
	}
}

// framed returns the images in data [n, h, w, c] within a border.
func framed(data []float32, h, w, c int, b Border) Images {
	plain := Images{Data: data, H: h, W: w, C: c}
	if b == (Border{}) {
		return plain
	}
	n := len(data) / plain.Size()
	m := Images{H: h, W: w, C: c, Border: b}
	m.Data = make([]float32, n*m.Size())
	for i := range n {
		m.load(i, plain)
	}
	return m
}

// unframe copies what lies within the border back into data, and reports
// whether the border is all zeros.
func (m Images) unframe(data []float32) bool {
	plain := Images{Data: data, H: m.H, W: m.W, C: m.C}
	for i := range len(data) / plain.Size() {
		plain.load(i, m)
	}
	return slices.Equal(framed(data, m.H, m.W, m.C, m.Border).Data, m.Data)
}

// The fused path gives the reference's results exactly, in every geometry, for
// the layer and its transposed, with and without ReLU on either side, with
// images that lie in a border wide enough, in one that is not, and in none.
func TestFusedMatchesReference(t *testing.T) {
	for tier := isa.AVX2; tier <= isa.Best(); tier++ {
		for _, workers := range []int{1, 2, 7} { // with 3 images these cut them up differently
			pool := parallel.New(workers)
			defer pool.Close()
			for i, g := range slices.Repeat(geometries(t), 3) {
				relu := i%2 == 0
				border := []Border{{}, {4, 5, 6, 4}, {1, 0, 0, 1}}[i%3]
				direct := i/len(geometries(t))%2 == 1
				name := fmt.Sprintf("%v, %d workers, %v, relu %v, border %v, direct %v", tier, workers, g, relu, border, direct)
				plain := New(g, pool, true)
				fused := NewFused(g, pool, gemm.New(tier), 4, direct)
				x := func(data []float32) Images { return framed(data, g.InH, g.InW, g.InC, border) }
				y := func(data []float32) Images { return framed(data, g.OutH, g.OutW, g.OutC, border) }

				want := layerInts(func(p Params, x, y, dx, dy []float32, n int) {
					plain.Forward(y, x, p.Kernel, n)
					plain.DataGrad(dx, dy, p.Kernel, n)
					plain.WeightGrad(p.KernelGrad, x, dy, n)
					finish(p, y, dx, x, dy, relu)
				}, g, g.In(), g.Out(), g.OutC, relu)
				for range 2 { // the second time with used memory
					got := layerInts(func(p Params, xs, ys, dxs, dys []float32, n int) {
						in, out, grad := x(xs), y(ys), x(dxs)
						fused.Forward(out, in, p, n)
						fused.Backward(grad, y(dys), in, relu, p, n)
						if !out.unframe(ys) || !grad.unframe(dxs) {
							t.Errorf("%s: wrote on a border", name)
						}
					}, g, g.In(), g.Out(), g.OutC, relu)
					if !got.equal(want) {
						t.Errorf("%s: layer differs from the reference", name)
					}
				}
				got := layerInts(func(p Params, xs, ys, dxs, dys []float32, n int) {
					NewFused(g, pool, gemm.New(tier), n, direct).Backward(Images{}, y(dys), x(xs), relu, p, n)
				}, g, g.In(), g.Out(), g.OutC, relu)
				if !slices.Equal(got.dw, want.dw) || !slices.Equal(got.db, want.db) {
					t.Errorf("%s: gradients differ where dx is not wanted", name)
				}

				want = layerInts(func(p Params, y, x, dy, dx []float32, n int) {
					plain.DataGrad(x, y, p.Kernel, n)
					plain.Forward(dy, dx, p.Kernel, n)
					plain.WeightGrad(p.KernelGrad, dx, y, n)
					finish(p, x, dy, y, dx, relu)
				}, g, g.Out(), g.In(), g.InC, relu)
				got = layerInts(func(p Params, ys, xs, dys, dxs []float32, n int) {
					in, out, grad := y(ys), x(xs), y(dys)
					fused.TransposeForward(out, in, p, n)
					fused.TransposeBackward(grad, x(dxs), in, relu, p, n)
					if !out.unframe(xs) || !grad.unframe(dys) {
						t.Errorf("%s: wrote on a border", name)
					}
				}, g, g.Out(), g.In(), g.InC, relu)
				if !got.equal(want) {
					t.Errorf("%s: transposed layer differs from the reference", name)
				}
			}
		}
	}
}

// The layers that hold nearly all of the work keep up to 64 workers busy with a
// batch of 16: no worker gets more than its share by half again. A share of the
// images is counted in tasks, which are of one size; one of the weight gradients,
// whose layers share the workers, in the operations that a task stands for.
func TestEnoughTasksForManyWorkers(t *testing.T) {
	for _, direct := range []bool{false, true} {
		for workers := 1; workers <= 64; workers++ {
			var loads []float64 // of the weight gradients' tasks, in their order
			for _, layer := range []struct {
				name                       string
				size, in, out, stride, num int
			}{{"conv3 and conv4", 14, 64, 64, 1, 2}, {"conv2", 28, 32, 64, 2, 1}} {
				g, err := NewGeometry(layer.size, layer.size, layer.in, layer.out, 3, 3, layer.stride, Same)
				if err != nil {
					t.Fatal(err)
				}
				f := NewFused(g, parallel.New(1), gemm.New(isa.Best()), 1, direct)
				cut, rows, work := f.cutWeights(workers), g.KW*g.InC, float64(g.Pixels()*g.Kernel())
				if f.winograd != nil {
					rows, work = g.InC, work*planes/36
				}
				if cut.panels*cut.width < g.OutC || (cut.panels-1)*cut.width >= g.OutC || cut.cells*cut.chunk < rows || (cut.cells-1)*cut.chunk >= rows {
					t.Errorf("%s, %d workers: %+v does not make %d by %d", layer.name, workers, cut, rows, g.OutC)
				}
				for range layer.num * cut.tasks() {
					loads = append(loads, work/float64(cut.tasks()))
				}
				for phase, tasks := range map[string]int{
					"forward":       16 * cutImages(16, g.OutH, workers),
					"data gradient": 16 * cutImages(16, g.InH, workers),
				} {
					most := (tasks + workers - 1) / workers
					if used := float64(tasks) / float64(most*workers); used < 2.0/3 {
						t.Errorf("%s, %d workers: %d tasks in the %s use %.0f%% of the workers", layer.name, workers, tasks, phase, 100*used)
					}
				}
			}
			busy, sum := make([]float64, workers), 0.0
			for _, load := range loads { // each to the worker that is free first
				busy[slices.Index(busy, slices.Min(busy))] += load
				sum += load
			}
			if used := sum / float64(workers) / slices.Max(busy); used < 2.0/3 {
				t.Errorf("%d workers, direct %v: %d tasks in the weight gradients use %.0f%% of the workers", workers, direct, len(loads), 100*used)
			}
		}
	}
}
