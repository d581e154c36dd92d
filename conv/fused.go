package conv

import (
	"vaectl/internal/gemm"
	"vaectl/internal/parallel"
	"vaectl/internal/vec"
)

// Params are a layer's kernel [KH, KW, InC, OutC] and bias, their gradients, and
// whether its output passes a ReLU.
type Params struct {
	Kernel, Bias         []float32
	KernelGrad, BiasGrad []float32
	ReLU                 bool
}

// Bound is how far a result of any path is from the exact one at most, in parts of
// the root mean square of the results, for images and kernels of independent normal
// numbers in the sizes of the model.
const Bound = 5e-6

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
// are those before the activation. Images without the border that an operation
// needs, BorderX or BorderY, are copied first.
//
// Each operation can be run at once, or begun and left to a Chain.
type Fused struct {
	Geometry

	// BorderX and BorderY are what windows reach beyond x and y.
	BorderX, BorderY Border

	pool     *parallel.Pool
	kernels  gemm.Kernels
	copyX    Images // made when first needed
	copyY    Images
	images   int // that these are made for
	gather   gather
	winograd *winograd   // nil where the sums are direct
	ones     []float32   // a pixel's weight in the bias gradient
	sums     []float32   // [images, channels], bias gradients
	narrow   []narrowBuf // one a worker, where OutC is 1

	op    operands
	alone Chain // of this layer only

	// Method values, made once: making one allocates.
	forward, data func(worker, n, lo, hi int)
}

// operands of the running operation. It computes the images of one side, or
// adds to the gradients of the kernel and the bias, or both.
type operands struct {
	p          Params
	n          int    // images
	x, y       Images // no Data for a side that is only computed
	transposed bool   // x is computed from y

	borderX, borderY bool   // sides that are wanted with their border
	loadX, loadY     bool   // those of them that must be copied for it
	wideX, wideY     Images // x and y, or their copies

	result  Images                      // no Data if none is wanted
	compute func(worker, n, lo, hi int) // rows lo to hi of result n
	parts   int                         // ranges that its rows are cut into
	bias    []float32                   // nil in a backward pass
	relu    bool
	rectify Images // where this is not positive the result is zeroed; or no Data

	out Images // the layer's output gradient, if gradients are wanted
	cut weightCut
}

// weightCut is how the weight gradient is divided into tasks: each of the kernel's
// rows, or of Winograd's planes, into panels of width columns, and these into cells
// of chunk rows.
type weightCut struct{ rows, panels, width, cells, chunk int }

func (c weightCut) tasks() int { return c.rows * c.panels * c.cells }

// at returns the row, the first column and the first row of the chunk of a task.
func (c weightCut) at(task int) (row, column, first int) {
	cell, task := task%c.cells, task/c.cells
	return task / c.panels, task % c.panels * c.width, cell * c.chunk
}

// The weight gradient is cut up into panels of columns, as wide as the product's
// register tile, and ranges of at least minRows rows, which keep it busy.
const (
	panel   = 32
	minRows = 6
)

// FusedScratch is about how many values NewFused allocates: for each worker, and
// once.
func FusedScratch(g Geometry, direct bool) (worker, once int) {
	switch {
	case g.isNarrow():
		return g.InH * g.InW * g.KH * g.KW, 0
	case !direct && winogradFits(g):
		return winogradBuf(g), 2 * planes * g.InC * g.OutC
	}
	return 0, 0
}

// NewFused returns the arithmetic for batches of up to n images. The kernels
// must not be of the generic tier. Winograd's convolution is used where it can be,
// unless direct.
func NewFused(g Geometry, pool *parallel.Pool, kernels gemm.Kernels, n int, direct bool) *Fused {
	f := &Fused{Geometry: g, pool: pool, kernels: kernels, images: n, gather: newGather(g), ones: []float32{1}}
	f.BorderX = Border{
		Top: g.PadTop, Bottom: max((g.OutH-1)*g.Stride+g.KH-g.PadTop-g.InH, 0),
		Left: g.PadLeft, Right: max((g.OutW-1)*g.Stride+g.KW-g.PadLeft-g.InW, 0),
	}
	f.BorderY.Top, f.BorderY.Bottom = f.gather.rows.border(g.InH, g.OutH)
	f.BorderY.Left, f.BorderY.Right = f.gather.cols.border(g.InW, g.OutW)
	f.sums = make([]float32, n*max(g.InC, g.OutC))
	f.alone.init(pool, f)
	f.forward, f.data = f.forwardRows, f.dataRows
	if f.isNarrow() {
		f.narrow = make([]narrowBuf, pool.Workers())
		for i := range f.narrow {
			f.narrow[i] = newNarrowBuf(g)
		}
		f.forward = f.forwardNarrow
	}
	if !direct && winogradFits(g) {
		f.winograd = newWinograd(g, vec.New(kernels.Tier()), pool.Workers())
		f.forward, f.data = f.winogradRows, f.winogradRows
	}
	return f
}

// Forward overwrites y with act(conv(x, kernel) + bias).
func (f *Fused) Forward(y, x Images, p Params, n int) {
	f.BeginForward(y, x, p, n)
	f.alone.Run()
}

// BeginForward begins Forward.
func (f *Fused) BeginForward(y, x Images, p Params, n int) {
	f.op = operands{p: p, n: n, x: x, bias: p.Bias, relu: p.ReLU}
	f.computeY(y)
	f.widenBoth()
}

// Backward adds the gradients of kernel and bias that x and dy induce and, where
// dx has Data, overwrites it with the gradient of x: if rectified, of x before
// the ReLU that it came out of.
func (f *Fused) Backward(dx, dy, x Images, rectified bool, p Params, n int) {
	f.BeginBackward(dx, dy, x, rectified, p, n)
	f.alone.Run()
}

// BeginBackward begins Backward.
func (f *Fused) BeginBackward(dx, dy, x Images, rectified bool, p Params, n int) {
	f.op = operands{p: p, n: n, x: x, y: dy, out: dy}
	if rectified {
		f.op.rectify = x
	}
	f.computeX(dx)
	f.widenBoth()
}

// TransposeForward overwrites x with act(convᵀ(y, kernel) + bias).
func (f *Fused) TransposeForward(x, y Images, p Params, n int) {
	f.BeginTransposeForward(x, y, p, n)
	f.alone.Run()
}

// BeginTransposeForward begins TransposeForward.
func (f *Fused) BeginTransposeForward(x, y Images, p Params, n int) {
	f.op = operands{p: p, n: n, y: y, bias: p.Bias, relu: p.ReLU}
	f.computeX(x)
	f.widenBoth()
}

// TransposeBackward is Backward for the transposed layer, whose input is y and
// whose output's gradient is dx.
func (f *Fused) TransposeBackward(dy, dx, y Images, rectified bool, p Params, n int) {
	f.BeginTransposeBackward(dy, dx, y, rectified, p, n)
	f.alone.Run()
}

// BeginTransposeBackward begins TransposeBackward.
func (f *Fused) BeginTransposeBackward(dy, dx, y Images, rectified bool, p Params, n int) {
	f.op = operands{p: p, n: n, x: dx, y: y, out: dx}
	if rectified {
		f.op.rectify = y
	}
	f.computeY(dy)
	f.widenBoth()
}

// computeY makes y the result, from windows of x.
func (f *Fused) computeY(y Images) {
	if y.Data != nil {
		f.op.result, f.op.compute = y, f.forward
		f.op.borderX = !f.isNarrow()
	}
}

// computeX makes x the result, from what its pixels meet in y.
func (f *Fused) computeX(x Images) {
	if x.Data != nil {
		f.op.result, f.op.compute = x, f.data
		f.op.borderY, f.op.transposed = true, true
	}
}

// computes and learns report what the operation is to do.
func (op *operands) computes() bool { return op.result.Data != nil }
func (op *operands) learns() bool   { return op.out.Data != nil }

// widenBoth sees to the borders that the operation wants.
func (f *Fused) widenBoth() {
	op := &f.op
	if op.learns() { // the weight gradient's windows
		op.borderX = op.borderX || !f.isNarrow()
		op.borderY = op.borderY || f.isNarrow()
	}
	op.wideX, op.loadX = f.widen(op.x, &f.copyX, f.BorderX, op.borderX)
	op.wideY, op.loadY = f.widen(op.y, &f.copyY, f.BorderY, op.borderY)
	if op.learns() {
		op.cut = f.cutWeights(f.pool.Workers())
	}
}

// widen returns m with the border, as it is or as the copy that must be loaded.
func (f *Fused) widen(m Images, buf *Images, border Border, wanted bool) (wide Images, load bool) {
	if !wanted || m.covers(border) {
		return m, false
	}
	if buf.Data == nil {
		*buf = Images{H: m.H, W: m.W, C: m.C, Border: border}
		buf.Data = make([]float32, f.images*buf.Size())
	}
	return *buf, true
}

// wholeImages reports whether n images keep the workers busy if each is a task.
func wholeImages(n, workers int) bool { return n >= 4*workers || n%workers == 0 }

// cutImages returns how many ranges of rows each of n images is cut into.
func cutImages(n, height, workers int) (parts int) {
	if wholeImages(n, workers) {
		return 1
	}
	return min((4*workers+n-1)/n, height)
}

// cutWeights divides the weight gradient into tasks of one kernel row, one panel
// of output channels and, if these are not enough, one of several cells.
func (f *Fused) cutWeights(workers int) weightCut {
	if f.winograd != nil {
		return f.cutWinograd(workers)
	}
	rows := f.KW * f.InC
	cut := weightCut{rows: f.KH, panels: (f.OutC + panel - 1) / panel, width: panel, cells: 1, chunk: rows}
	if f.isNarrow() {
		return cut
	}
	want := 2 * workers
	if workers > 3 {
		want = 4 * workers // the more tasks, the less their number matters
	}
	cells := min((want+cut.tasks()-1)/cut.tasks(), (rows+minRows-1)/minRows)
	cut.chunk = (rows + cells - 1) / cells
	cut.cells = (rows + cut.chunk - 1) / cut.chunk
	return cut
}

// packs is the number of tasks that ready the gather's kernels, and grads that
// of the weight gradient's tasks.
func (f *Fused) packs() int {
	switch {
	case f.op.computes() && f.winograd != nil:
		return packTasks
	case f.op.transposed:
		return f.KH * f.KW
	}
	return 0
}

func (f *Fused) grads() int {
	if f.op.learns() {
		return f.op.cut.tasks()
	}
	return 0
}

func (f *Fused) pack(_, task int) {
	if f.winograd != nil {
		f.packWinograd(task)
		return
	}
	f.gather.pack(f.kernels, f.op.p.Kernel, task)
}

// load prepares image n: the copies, and its part of the bias gradient.
func (f *Fused) load(_, n int) {
	op := &f.op
	if op.loadX {
		op.wideX.load(n, op.x)
	}
	if op.loadY {
		op.wideY.load(n, op.y)
	}
	if op.learns() {
		f.kernels.Block(&gemm.Block{
			M: 1, N: op.out.C, Segs: op.out.H, SegLen: op.out.W,
			A: f.ones,
			B: op.out.Data[op.out.at(n, 0, 0):], BK: op.out.C, BSeg: op.out.row(),
			C: f.sums[n*op.out.C:], LDC: op.out.C,
		})
	}
}

// addBiasGrad adds the images' parts of the bias gradient in order.
func (f *Fused) addBiasGrad() {
	grad := f.op.p.BiasGrad
	for n := range f.op.n {
		for i, v := range f.sums[n*len(grad):][:len(grad)] {
			grad[i] += v
		}
	}
}

// image loads and computes image n.
func (f *Fused) image(worker, n int) {
	f.load(worker, n)
	if f.op.computes() {
		f.op.compute(worker, n, 0, f.op.result.H)
	}
}

// rows computes one range of the rows of an image.
func (f *Fused) rows(worker, task int) {
	n, part, h := task/f.op.parts, task%f.op.parts, f.op.result.H
	f.op.compute(worker, n, part*h/f.op.parts, (part+1)*h/f.op.parts)
}

func (f *Fused) grad(worker, task int) {
	row, column, first := f.op.cut.at(task)
	switch {
	case f.isNarrow():
		f.weightNarrow(worker, row)
	case f.winograd != nil:
		f.weightWinograd(worker, row, column, first)
	default:
		f.weightGrad(row, column, first)
	}
}

// end finishes the operation.
func (f *Fused) end() {
	if f.op.learns() {
		f.addBiasGrad()
		if f.winograd != nil {
			f.addWinogradGrad()
		}
	}
	f.op = operands{}
}

// forwardRows computes rows lo to hi of the n-th y from the windows of x.
func (f *Fused) forwardRows(_, n, lo, hi int) {
	op := &f.op
	b := gemm.Block{
		M: f.OutW, N: f.OutC, Segs: f.KH, SegLen: f.KW * f.InC,
		ARow: f.Stride * f.InC, AK: 1, ASeg: op.wideX.row(),
		B: op.p.Kernel, BK: f.OutC, BSeg: f.KW * f.InC * f.OutC,
		LDC: f.OutC, LDM: f.OutC, Bias: op.bias, ReLU: op.relu,
	}
	for h := lo; h < hi; h++ {
		b.A = op.wideX.Data[op.wideX.at(n, h*f.Stride-f.PadTop, -f.PadLeft):]
		b.C = op.result.Data[op.result.at(n, h, 0):]
		if op.rectify.Data != nil {
			b.Mask = op.rectify.Data[op.rectify.at(n, h, 0):]
		}
		f.kernels.Block(&b)
	}
}

// dataRows computes rows lo to hi of the n-th x from what they meet in y.
func (f *Fused) dataRows(_, n, lo, hi int) {
	op, g := &f.op, &f.gather
	b := gemm.Block{
		N:    f.InC,
		ARow: f.OutC, AK: 1, ASeg: op.wideY.row(),
		BK: f.InC, LDC: f.Stride * f.InC, LDM: f.Stride * f.InC,
		Bias: op.bias, ReLU: op.relu,
	}
	for h := lo; h < hi; h++ {
		row, i := g.rows.at(h)
		for w := range min(f.Stride, f.InW) { // the first pixel of each phase
			col, j := g.cols.at(w)
			b.M = (f.InW - w + f.Stride - 1) / f.Stride
			b.Segs, b.SegLen = g.rows.taps(row), g.cols.taps(col)*f.OutC
			b.BSeg = b.SegLen * f.InC
			b.A = op.wideY.Data[op.wideY.at(n, i, j):]
			b.B = g.phase(row, col)
			b.C = op.result.Data[op.result.at(n, h, w):]
			if op.rectify.Data != nil {
				b.Mask = op.rectify.Data[op.rectify.at(n, h, w):]
			}
			f.kernels.Block(&b)
		}
	}
}

// weightGrad adds to a part of the kernel's gradient, over all images: kernel row
// kh, a panel of columns from column on, a chunk of rows from row on. It is the
// product of the windows' columns in x with the pixels of y.
func (f *Fused) weightGrad(kh, column, row int) {
	op := &f.op
	rows := f.KW * f.InC
	b := gemm.Block{
		M: min(op.cut.chunk, rows-row), N: min(panel, f.OutC-column), Segs: f.OutH, SegLen: f.OutW,
		ARow: 1, AK: f.Stride * f.InC, ASeg: f.Stride * op.wideX.row(),
		BK: f.OutC, BSeg: op.y.row(),
		C: op.p.KernelGrad[(kh*rows+row)*f.OutC+column:], LDC: f.OutC, Accumulate: true,
	}
	for n := range op.n {
		b.A = op.wideX.Data[op.wideX.at(n, kh-f.PadTop, -f.PadLeft)+row:]
		b.B = op.y.Data[op.y.at(n, 0, 0)+column:]
		f.kernels.Block(&b)
	}
}
