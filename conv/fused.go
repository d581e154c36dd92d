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
	pack, load, image, rows, grad func(worker, task int)
	forward, data                 func(worker, n, lo, hi int)
}

// operands of the running operation. It computes the images of one side, or
// adds to the gradients of the kernel and the bias, or both.
type operands struct {
	p    Params
	n    int       // images
	x, y []float32 // of the two sides, nil for one that is only computed

	loadX, loadY bool // which of them are wanted with their border

	result  []float32                   // the images computed, nil if not wanted
	compute func(worker, n, lo, hi int) // rows lo to hi of result n
	height  int                         // rows of the result
	parts   int                         // ranges that these are cut into
	bias    []float32                   // nil in a backward pass
	relu    bool
	rectify []float32 // the result is zeroed where this is not positive; or nil

	out           []float32 // the layer's output gradient, for the bias gradient
	pixels        int       // in an image of it
	panels, cells int       // of each kernel row: column panels, and row ranges of chunk
	chunk         int
}

// The weight gradient is cut up into panels of columns, as wide as the product's
// register tile, and ranges of at least minRows rows, which keep it busy.
const (
	panel   = 32
	minRows = 6
)

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
	f.pack, f.load, f.image, f.rows, f.grad = f.packTask, f.loadTask, f.imageTask, f.rowsTask, f.gradTask
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
	f.op = operands{p: p, n: n, x: x, bias: p.Bias, relu: p.ReLU}
	f.computeY(y)
	f.run()
}

// Backward adds the gradients of kernel and bias that x and dy induce and, where
// dx is not nil, overwrites it with the gradient of x: if rectified, of x before
// the ReLU that it came out of.
func (f *Fused) Backward(dx, dy, x []float32, rectified bool, p Params, n int) {
	f.op = operands{p: p, n: n, x: x, y: dy, out: dy, pixels: f.OutH * f.OutW}
	if rectified {
		f.op.rectify = x
	}
	f.computeX(dx)
	f.run()
}

// TransposeForward overwrites x with act(convᵀ(y, kernel) + bias).
func (f *Fused) TransposeForward(x, y []float32, p Params, n int) {
	f.op = operands{p: p, n: n, y: y, bias: p.Bias, relu: p.ReLU}
	f.computeX(x)
	f.run()
}

// TransposeBackward is Backward for the transposed layer, whose input is y and
// whose output's gradient is dx.
func (f *Fused) TransposeBackward(dy, dx, y []float32, rectified bool, p Params, n int) {
	f.op = operands{p: p, n: n, x: dx, y: y, out: dx, pixels: f.InH * f.InW}
	if rectified {
		f.op.rectify = y
	}
	f.computeY(dy)
	f.run()
}

// computeY makes y the result, from windows of x.
func (f *Fused) computeY(y []float32) {
	if y != nil {
		f.op.result, f.op.compute, f.op.height = y, f.forward, f.OutH
		f.op.loadX = !f.isNarrow()
	}
}

// computeX makes x the result, from what its pixels meet in y.
func (f *Fused) computeX(x []float32) {
	if x != nil {
		f.op.result, f.op.compute, f.op.height = x, f.data, f.InH
		f.op.loadY = true
	}
}

// run carries out the operation, with a barrier between its phases.
func (f *Fused) run() {
	op := &f.op
	if op.out != nil { // the weight gradient's windows
		op.loadX = op.loadX || !f.isNarrow()
		op.loadY = op.loadY || f.isNarrow()
	}
	if op.result != nil && op.loadY {
		f.pool.Run(f.KH*f.KW, f.pack)
	}
	workers := f.pool.Workers()
	if op.result == nil {
		f.pool.Run(op.n, f.load)
	} else if op.parts = cutImages(op.n, op.height, workers); op.parts == 1 {
		f.pool.Run(op.n, f.image)
	} else {
		f.pool.Run(op.n, f.load)
		f.pool.Run(op.n*op.parts, f.rows)
	}
	if op.out != nil {
		op.panels, op.cells, op.chunk = f.cutWeights(workers)
		f.pool.Run(f.KH*op.panels*op.cells+1, f.grad)
	}
	f.op = operands{}
}

// cutImages returns how many ranges of rows each of n images is cut into: one,
// so that it is loaded and computed in one go, if that keeps the workers busy.
func cutImages(n, height, workers int) (parts int) {
	if n >= 4*workers || n%workers == 0 {
		return 1
	}
	return min((4*workers+n-1)/n, height)
}

// cutWeights divides the weight gradient into tasks of one kernel row, one panel
// of output channels and, if these are not enough, one of several cells, ranges
// of chunk rows.
func (f *Fused) cutWeights(workers int) (panels, cells, chunk int) {
	panels = (f.OutC + panel - 1) / panel
	rows := f.KW * f.InC
	if f.isNarrow() {
		return panels, 1, rows
	}
	want, tasks := 2*workers, f.KH*panels
	if workers > 3 {
		want = 4 * workers // the more tasks, the less their number matters
	}
	cells = min((want+tasks-1)/tasks, (rows+minRows-1)/minRows)
	chunk = (rows + cells - 1) / cells
	return panels, (rows + chunk - 1) / chunk, chunk
}

func (f *Fused) packTask(_, pos int) { f.gather.pack(f.kernels, f.op.p.Kernel, pos) }

func (f *Fused) loadTask(_, n int) {
	if f.op.loadX {
		f.x.load(n, sample(f.op.x, n, f.In()))
	}
	if f.op.loadY {
		f.y.load(n, sample(f.op.y, n, f.Out()))
	}
}

func (f *Fused) imageTask(worker, n int) {
	f.loadTask(worker, n)
	f.op.compute(worker, n, 0, f.op.height)
}

func (f *Fused) rowsTask(worker, task int) {
	n, part := task/f.op.parts, task%f.op.parts
	f.op.compute(worker, n, part*f.op.height/f.op.parts, (part+1)*f.op.height/f.op.parts)
}

func (f *Fused) gradTask(worker, task int) {
	op := &f.op
	if task == f.KH*op.panels*op.cells { // the smallest comes last
		f.biasGrad()
		return
	}
	if f.isNarrow() {
		f.weightNarrow(worker, task)
		return
	}
	cell, task := task%op.cells, task/op.cells
	f.weightGrad(task/op.panels, task%op.panels*panel, cell*op.chunk)
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

// weightGrad adds to a part of the kernel's gradient, over all images: kernel row
// kh, a panel of columns from column on, a chunk of rows from row on. It is the
// product of the windows' columns in x with the pixels of y.
func (f *Fused) weightGrad(kh, column, row int) {
	rows := f.KW * f.InC
	b := gemm.Block{
		M: min(f.op.chunk, rows-row), N: min(panel, f.OutC-column), Segs: f.OutH, SegLen: f.OutW,
		ARow: 1, AK: f.Stride * f.InC, ASeg: f.Stride * f.x.row(),
		BK: f.OutC, BSeg: f.OutW * f.OutC,
		C: f.op.p.KernelGrad[(kh*rows+row)*f.OutC+column:], LDC: f.OutC, Accumulate: true,
	}
	for n := range f.op.n {
		b.A = f.x.data[f.x.at(n, kh-f.PadTop, -f.PadLeft)+row:]
		b.B = f.op.y[n*f.Out()+column:]
		f.kernels.Block(&b)
	}
}

// biasGrad adds the sums over the output's pixels, image by image.
func (f *Fused) biasGrad() {
	c := len(f.op.p.BiasGrad)
	b := gemm.Block{
		M: 1, N: c, Segs: 1, SegLen: f.op.pixels,
		A: f.ones, BK: c, C: f.sums, LDC: c,
	}
	for n := range f.op.n {
		b.B = f.op.out[n*b.SegLen*c:]
		f.kernels.Block(&b)
		for i := range c {
			f.op.p.BiasGrad[i] += f.sums[i]
		}
	}
}
