package conv

import (
	"vaectl/internal/gemm"
	"vaectl/internal/parallel"
)

// Params are a layer's kernel [KH, KW, InC, OutC] and bias, their gradients, and
// whether its output passes a ReLU.
type Params struct {
	Kernel, Bias         []float32
	KernelGrad, BiasGrad []float32
	ReLU                 bool
}

// Fused is the arithmetic of a convolution layer, or of a transposed one,
// without column matrices: the product reads windows in place from images with a
// border of zeros, and adds the bias and applies the ReLU, or its mask, as it
// stores. Conv is the reference that it is tested against.
//
// An element of a result is a sum in an order that depends on its place alone,
// so neither the number of workers nor the way work is cut up changes a bit.
//
// Below, x [n, InH, InW, InC] and y [n, OutH, OutW, OutC] are the images on the
// two sides of the convolution, whichever of them is a layer's input. Gradients
// are those before the activation.
type Fused struct {
	Geometry

	pool    *parallel.Pool
	kernels gemm.Kernels
	x, y    padded
	gather  gather
	ones    []float32   // a pixel's weight in the bias gradient
	sums    []float32   // one sample's bias gradient
	narrow  []narrowBuf // one a worker, where OutC is 1

	op operands

	// Method values, made once: making one allocates.
	loadTask, anyTask func(worker, task int)
	forward, data     func(worker, n, lo, hi int)
}

// operands of the running operation, which loads the images of either side and
// then runs tasks of three kinds.
type operands struct {
	p    Params
	n    int       // images
	x, y []float32 // to be loaded, nil if not
	pack bool      // the gather's kernels are wanted

	weights int // tasks of the weight gradient; each takes chunk rows of one kernel row
	chunk   int
	biasOf  *padded // whose pixels the bias gradient sums, nil if not wanted

	result  []float32                   // the image computed, nil if not wanted
	rows    func(worker, n, lo, hi int) // computes rows of the result
	height  int                         // of the result
	parts   int                         // row ranges that each image is cut into
	bias    []float32                   // of the forward passes, with relu
	relu    bool                        //
	rectify []float32                   // the result is zeroed where this is not positive
}

// tile is the height of the product's register tile, the unit that the weight
// gradient is cut up in.
const tile = 14

// NewFused returns the arithmetic for batches of up to n images. The kernels
// must not be of the generic tier.
func NewFused(g Geometry, pool *parallel.Pool, kernels gemm.Kernels, n int) *Fused {
	f := &Fused{Geometry: g, pool: pool, kernels: kernels, gather: newGather(g), ones: []float32{1}}
	f.x = newPadded(n, g.InH, g.InW, g.InC,
		g.PadTop, max((g.OutH-1)*g.Stride+g.KH-g.PadTop-g.InH, 0),
		g.PadLeft, max((g.OutW-1)*g.Stride+g.KW-g.PadLeft-g.InW, 0))
	top, bottom := f.gather.rows.border(g.InH, g.OutH)
	left, right := f.gather.cols.border(g.InW, g.OutW)
	f.y = newPadded(n, g.OutH, g.OutW, g.OutC, top, bottom, left, right)
	f.sums = make([]float32, max(g.InC, g.OutC))
	f.loadTask, f.anyTask = f.load, f.task
	f.forward, f.data = f.forwardRows, f.dataRows
	if f.isNarrow() {
		f.narrow = make([]narrowBuf, pool.Workers())
		for i := range f.narrow {
			f.narrow[i] = newNarrowBuf(g)
		}
		f.forward = f.forwardNarrow
	}
	return f
}

// Forward overwrites y with act(conv(x, kernel) + bias).
func (f *Fused) Forward(y, x []float32, p Params, n int) {
	f.op = operands{p: p, n: n, x: x, result: y, rows: f.forward, height: f.OutH, bias: p.Bias, relu: p.ReLU}
	f.run()
}

// Backward adds the gradients of kernel and bias that x and dy induce and, where
// dx is not nil, overwrites it with the gradient of x: if rectified, of x before
// the ReLU that it came out of.
func (f *Fused) Backward(dx, dy, x []float32, rectified bool, p Params, n int) {
	f.op = operands{p: p, n: n, x: x, y: dy, biasOf: &f.y, result: dx, rows: f.data, height: f.InH, pack: dx != nil}
	if rectified {
		f.op.rectify = x
	}
	f.cutWeights()
	f.run()
}

// TransposeForward overwrites x with act(convᵀ(y, kernel) + bias).
func (f *Fused) TransposeForward(x, y []float32, p Params, n int) {
	f.op = operands{p: p, n: n, y: y, result: x, rows: f.data, height: f.InH, pack: true, bias: p.Bias, relu: p.ReLU}
	f.run()
}

// TransposeBackward is Backward for the transposed layer, whose input is y and
// whose output's gradient is dx.
func (f *Fused) TransposeBackward(dy, dx, y []float32, rectified bool, p Params, n int) {
	f.op = operands{p: p, n: n, x: dx, y: y, biasOf: &f.x, result: dy, rows: f.forward, height: f.OutH}
	if rectified {
		f.op.rectify = y
	}
	f.cutWeights()
	f.run()
}

// cutWeights cuts the weight gradient into some tasks a worker, each of whole
// tiles of one kernel row.
func (f *Fused) cutWeights() {
	if f.isNarrow() {
		f.op.weights = f.KH
		return
	}
	tiles := (f.KW*f.InC + tile - 1) / tile
	perRow := min(max(4*f.pool.Workers()/f.KH, 1), tiles)
	f.op.chunk = (tiles + perRow - 1) / perRow * tile
	f.op.weights = f.KH * ((f.KW*f.InC + f.op.chunk - 1) / f.op.chunk)
}

// run loads and packs, then runs all tasks at once: the weight gradient's first,
// which are the largest.
func (f *Fused) run() {
	op := &f.op
	load := op.n
	if op.pack {
		load += f.KH * f.KW
	}
	f.pool.Run(load, f.loadTask)
	tasks := op.weights
	if op.biasOf != nil {
		tasks++
	}
	if op.result != nil {
		// Enough ranges of rows that the last to finish are short.
		op.parts = min(max(16*f.pool.Workers()/op.n, 1), op.height)
		tasks += op.n * op.parts
	}
	f.pool.Run(tasks, f.anyTask)
	f.op = operands{}
}

func (f *Fused) load(_, task int) {
	if n := task; n < f.op.n {
		if f.op.x != nil {
			f.x.load(n, sample(f.op.x, n, f.In()))
		}
		if f.op.y != nil {
			f.y.load(n, sample(f.op.y, n, f.Out()))
		}
		return
	}
	f.gather.pack(f.kernels, f.op.p.Kernel, task-f.op.n)
}

func (f *Fused) task(worker, task int) {
	op := &f.op
	if task < op.weights {
		if f.isNarrow() {
			f.weightNarrow(worker, task)
		} else {
			f.weightChunk(task)
		}
		return
	}
	task -= op.weights
	if op.biasOf != nil {
		if task == 0 {
			f.biasGrad(op.biasOf)
			return
		}
		task--
	}
	n, part := task/op.parts, task%op.parts
	op.rows(worker, n, part*op.height/op.parts, (part+1)*op.height/op.parts)
}

// forwardRows computes rows lo to hi of the n-th y from the windows of x.
func (f *Fused) forwardRows(_, n, lo, hi int) {
	b := gemm.Block{
		M: f.OutW, N: f.OutC, Segs: f.KH, SegLen: f.KW * f.InC,
		ARow: f.Stride * f.InC, AK: 1, ASeg: f.x.row(),
		B: f.op.p.Kernel, BK: f.OutC, BSeg: f.KW * f.InC * f.OutC,
		LDC: f.OutC, LDM: f.OutC, Bias: f.op.bias, ReLU: f.op.relu,
	}
	for oh := lo; oh < hi; oh++ {
		at := n*f.Out() + oh*f.OutW*f.OutC
		b.A = f.x.data[f.x.at(n, oh*f.Stride-f.PadTop, -f.PadLeft):]
		b.C = f.op.result[at:]
		if f.op.rectify != nil {
			b.Mask = f.op.rectify[at:]
		}
		f.kernels.Block(&b)
	}
}

// dataRows computes rows lo to hi of the n-th x from what they meet in y.
func (f *Fused) dataRows(_, n, lo, hi int) {
	g := &f.gather
	b := gemm.Block{
		N:    f.InC,
		ARow: f.OutC, AK: 1, ASeg: f.y.row(),
		BK: f.InC, LDC: f.Stride * f.InC, LDM: f.Stride * f.InC,
		Bias: f.op.bias, ReLU: f.op.relu,
	}
	for h := lo; h < hi; h++ {
		row, i := g.rows.at(h)
		for w := range min(f.Stride, f.InW) { // the first pixel of each phase
			col, j := g.cols.at(w)
			at := n*f.In() + (h*f.InW+w)*f.InC
			b.M = (f.InW - w + f.Stride - 1) / f.Stride
			b.Segs, b.SegLen = g.rows.taps(row), g.cols.taps(col)*f.OutC
			b.BSeg = b.SegLen * f.InC
			b.A = f.y.data[f.y.at(n, i, j):]
			b.B = g.phase(row, col)
			b.C = f.op.result[at:]
			if f.op.rectify != nil {
				b.Mask = f.op.rectify[at:]
			}
			f.kernels.Block(&b)
		}
	}
}

// weightChunk adds rows of one kernel row's gradient, over all images: the
// product of the windows' columns with y, pixel by pixel.
func (f *Fused) weightChunk(task int) {
	rows := f.KW * f.InC
	chunks := (rows + f.op.chunk - 1) / f.op.chunk
	kh, first := task/chunks, task%chunks*f.op.chunk
	b := gemm.Block{
		M: min(f.op.chunk, rows-first), N: f.OutC, Segs: f.OutH, SegLen: f.OutW,
		ARow: 1, AK: f.Stride * f.InC, ASeg: f.Stride * f.x.row(),
		BK: f.OutC, BSeg: f.y.row(),
		C: f.op.p.KernelGrad[(kh*rows+first)*f.OutC:], LDC: f.OutC, Accumulate: true,
	}
	for n := range f.op.n {
		b.A = f.x.data[f.x.at(n, kh-f.PadTop, -f.PadLeft)+first:]
		b.B = f.y.data[f.y.at(n, 0, 0):]
		f.kernels.Block(&b)
	}
}

// biasGrad adds the sums over the pixels, image by image.
func (f *Fused) biasGrad(of *padded) {
	b := gemm.Block{
		M: 1, N: of.c, Segs: of.h, SegLen: of.w,
		A: f.ones, BK: of.c, BSeg: of.row(), C: f.sums, LDC: of.c,
	}
	for n := range f.op.n {
		b.B = of.data[of.at(n, 0, 0):]
		f.kernels.Block(&b)
		for i := range of.c {
			f.op.p.BiasGrad[i] += f.sums[i]
		}
	}
}
