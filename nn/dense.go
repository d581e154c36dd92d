package nn

import (
	"fmt"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

// Dense is a fully connected layer with bias and activation. It takes a sample
// of any shape as the vector of its values in memory order, and gives its units
// the shape Out. Its kernel is [in, units].
type Dense struct {
	Out        Shape
	Activation Activation

	in     int
	units  int
	kernel *Param
	biased

	x, yy, dx, dzs               []float32 // operands of the running call
	n                            int
	forwardR, dataR, weightBlock func(worker, block int)
}

// Work is split into blocks of fixed size: samples for the products whose rows
// are samples, inputs for the weight gradient.
const (
	denseSamples = 4
	denseInputs  = 512
)

func (l *Dense) Init(in Shape) (Shape, error) {
	l.in, l.units = in.Len(), l.Out.Len()
	if l.in < 1 || l.units < 1 {
		return Shape{}, fmt.Errorf("dense: %d inputs to %d units: every size must be at least 1", l.in, l.units)
	}
	l.kernel = &Param{Name: "kernel", Shape: []int{l.in, l.units}, FanIn: l.in, FanOut: l.units}
	l.biased.init(Vector(l.units), l.Activation)
	l.forwardR, l.dataR, l.weightBlock = l.forwardRows, l.dataGradRows, l.weightGradBlock
	return l.Out, nil
}

func (l *Dense) Params() []*Param { return []*Param{l.kernel, l.bias} }

func (l *Dense) Bind(b *Binder) {
	b.Param(l.kernel)
	l.biased.bind(b)
}

// Forward computes y = act(x * kernel + bias).
func (l *Dense) Forward(y, x Batch) {
	l.x, l.yy, l.n = x.Data, y.Data, y.N
	l.pool.Run(blocks(y.N, denseSamples), l.forwardR)
	l.activate(y)
}

func (l *Dense) forwardRows(_, block int) {
	lo, rows := span(block, denseSamples, l.n)
	// y [rows, units] = x [rows, in] * kernel [in, units]
	blas32.Gemm(blas.NoTrans, blas.NoTrans, 1,
		matrix(rows, l.in, l.x[lo*l.in:]), matrix(l.in, l.units, l.kernel.Data),
		0, matrix(rows, l.units, l.yy[lo*l.units:]))
}

func (l *Dense) Backward(dx, dy, x, y Batch) {
	l.dzs, l.x, l.dx, l.n = l.deactivate(dy, y), x.Data, dx.Data, dy.N
	l.pool.Run(blocks(l.in, denseInputs), l.weightBlock)
	if dx.Data != nil {
		l.pool.Run(blocks(dy.N, denseSamples), l.dataR)
	}
}

func (l *Dense) weightGradBlock(_, block int) {
	lo, rows := span(block, denseInputs, l.in)
	// dkernel [rows, units] += x[:, lo:lo+rows]ᵀ [rows, n] * dz [n, units]
	blas32.Gemm(blas.Trans, blas.NoTrans, 1,
		blas32.General{Rows: l.n, Cols: rows, Stride: l.in, Data: l.x[lo:]}, matrix(l.n, l.units, l.dzs),
		1, matrix(rows, l.units, l.kernel.Grad[lo*l.units:]))
}

func (l *Dense) dataGradRows(_, block int) {
	lo, rows := span(block, denseSamples, l.n)
	// dx [rows, in] = dz [rows, units] * kernelᵀ [units, in]
	blas32.Gemm(blas.NoTrans, blas.Trans, 1,
		matrix(rows, l.units, l.dzs[lo*l.units:]), matrix(l.in, l.units, l.kernel.Data),
		0, matrix(rows, l.in, l.dx[lo*l.in:]))
}

// blocks is the number of blocks of the given size that n items fill, and span
// the first item and the length of one of them.
func blocks(n, size int) int { return (n + size - 1) / size }

func span(block, size, n int) (lo, length int) {
	lo = block * size
	return lo, min(size, n-lo)
}

func matrix(rows, cols int, data []float32) blas32.General {
	return blas32.General{Rows: rows, Cols: cols, Stride: cols, Data: data}
}
