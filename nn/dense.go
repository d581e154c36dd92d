package nn

import (
	"fmt"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"vaectl/internal/gemm"
	"vaectl/internal/isa"
)

// Dense is a fully connected layer with bias and activation. It takes a sample
// of any shape as the vector of its values in memory order, and gives its units
// the shape Out. Its kernel is [in, units].
type Dense struct {
	Out        Shape
	Activation Activation

	in, units int
	kernel    *Param
	biased
	product gemm.Kernels
	terms   []float32 // [depths, N, units], the sums over each block of inputs

	x, y, dx, dy                []float32 // operands of the running call
	n                           int
	forwardB, weightB, dataGrad func(worker, block int)
	biasB                       func(worker, block int)
}

// Products are cut up along the inputs and the units into blocks of fixed size.
// Sums over the inputs are finished in the order of the blocks.
const (
	denseDepth = 1024 // inputs in a term of the forward sum
	denseWidth = 512  // units in a block of the forward product
	denseRows  = 512  // inputs in a block of either gradient
)

func (l *Dense) Init(in Shape) (Shape, error) {
	l.in, l.units = in.Len(), l.Out.Len()
	if l.in < 1 || l.units < 1 {
		return Shape{}, fmt.Errorf("dense: %d inputs to %d units: every size must be at least 1", l.in, l.units)
	}
	l.kernel = &Param{Name: "kernel", Shape: []int{l.in, l.units}, FanIn: l.in, FanOut: l.units}
	l.biased.init(l.units, l.Activation)
	l.forwardB, l.weightB, l.dataGrad = l.forwardBlock, l.weightGradBlock, l.dataGradBlock
	l.biasB = l.biasGradBlock
	return l.Out, nil
}

func (l *Dense) Params() []*Param { return []*Param{l.kernel, l.bias} }

func (l *Dense) Bind(b *Binder) {
	b.Param(l.kernel)
	l.biased.bind(b)
	l.product = gemm.New(b.Tier)
	if l.depths() > 1 {
		b.Scratch(&l.terms, l.depths()*b.N*l.units)
	}
}

func (l *Dense) depths() int { return blocks(l.in, denseDepth) }

// Forward computes y = act(x * kernel + bias).
func (l *Dense) Forward(y, x Batch) {
	l.x, l.y, l.n = x.Data, y.Data, y.N
	l.pool.Run(l.depths()*blocks(l.units, denseWidth), l.forwardB)
	if l.depths() > 1 {
		clear(y.Data)
		for d := range l.depths() {
			l.kernels.Add(y.Data, l.terms[d*y.N*l.units:][:y.N*l.units])
		}
	}
	if !l.fused() {
		l.activate(y)
	}
}

// fused reports whether the product itself adds the bias and activates.
func (l *Dense) fused() bool { return l.depths() == 1 && l.product.Tier() != isa.Generic }

func (l *Dense) forwardBlock(_, block int) {
	depth := block % l.depths()
	k, inputs := span(depth, denseDepth, l.in)
	j, units := span(block/l.depths(), denseWidth, l.units)
	if l.fused() {
		l.product.Block(&gemm.Block{
			M: l.n, N: units, Segs: 1, SegLen: l.in,
			A: l.x, ARow: l.in, AK: 1,
			B: l.kernel.Data[j:], BK: l.units,
			C: l.y[j:], LDC: l.units,
			Bias: l.bias.Data[j:], ReLU: l.act == ReLU,
		})
		return
	}
	y := l.y
	if l.depths() > 1 {
		y = l.terms[depth*l.n*l.units:]
	}
	// y [n, units] = x [n, inputs] * kernel [inputs, units], parts of each
	blas32.Gemm(blas.NoTrans, blas.NoTrans, 1,
		part(l.n, inputs, l.in, l.x[k:]), part(inputs, units, l.units, l.kernel.Data[k*l.units+j:]),
		0, part(l.n, units, l.units, y[j:]))
}

func (l *Dense) Backward(dx, dy, x Batch) {
	l.dy, l.x, l.dx, l.n = dy.Data, x.Data, dx.Data, dy.N
	l.pool.Run(blocks(l.units, denseWidth), l.biasB)
	l.pool.Run(blocks(l.in, denseRows), l.weightB)
	if dx.Data != nil {
		l.pool.Run(blocks(l.in, denseRows), l.dataGrad)
		l.rectify(dx, x)
	}
}

func (l *Dense) biasGradBlock(_, block int) {
	j, units := span(block, denseWidth, l.units)
	for n := range l.n {
		l.kernels.Add(l.bias.Grad[j:j+units], l.dy[n*l.units+j:][:units])
	}
}

func (l *Dense) weightGradBlock(_, block int) {
	i, inputs := span(block, denseRows, l.in)
	// dkernel [inputs, units] += xᵀ [inputs, n] * dy [n, units]
	blas32.Gemm(blas.Trans, blas.NoTrans, 1,
		part(l.n, inputs, l.in, l.x[i:]), part(l.n, l.units, l.units, l.dy),
		1, part(inputs, l.units, l.units, l.kernel.Grad[i*l.units:]))
}

func (l *Dense) dataGradBlock(_, block int) {
	i, inputs := span(block, denseRows, l.in)
	// dx [n, inputs] = dy [n, units] * kernelᵀ [units, inputs]
	blas32.Gemm(blas.NoTrans, blas.Trans, 1,
		part(l.n, l.units, l.units, l.dy), part(inputs, l.units, l.units, l.kernel.Data[i*l.units:]),
		0, part(l.n, inputs, l.in, l.dx[i:]))
}

// blocks is the number of blocks of the given size that n items fill, and span
// the first item and the length of one of them.
func blocks(n, size int) int { return (n + size - 1) / size }

func span(block, size, n int) (lo, length int) {
	lo = block * size
	return lo, min(size, n-lo)
}

// part is a matrix within one whose rows are stride apart.
func part(rows, cols, stride int, data []float32) blas32.General {
	return blas32.General{Rows: rows, Cols: cols, Stride: stride, Data: data}
}
