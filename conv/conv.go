package conv

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"vaectl/internal/parallel"
)

// weightParts is the number of partial sums that WeightGrad keeps. It is fixed,
// so that the order of additions depends neither on the number of workers nor
// on which of them was faster.
const weightParts = 16

// A Conv computes a convolution of one geometry and its gradients for batches
// of images, each sample on one worker. Its results do not depend on the number
// of workers. A Conv holds scratch memory only, so it must not be used by two
// goroutines at once.
//
// A transposed convolution is the same linear map read backwards: its forward
// pass is DataGrad, its data gradient Forward, and its weight gradient
// WeightGrad with the two images swapped.
type Conv struct {
	Geometry

	pool *parallel.Pool
	cols [][]float32 // a column matrix for each worker
	part []float32   // weightParts partial weight gradients

	call    call // the operands of the running operation
	forward func(worker, n int)
	data    func(worker, n int)
	weight  func(worker, part int)
	reduce  func(worker, block int)
}

type call struct {
	x, y, w []float32
	n       int
}

// New returns a convolution that runs on the given pool. The gradients need
// more scratch memory than Forward alone: withGradients asks for it.
func New(g Geometry, pool *parallel.Pool, withGradients bool) *Conv {
	c := &Conv{Geometry: g, pool: pool}
	size, partial := Scratch(g, withGradients)
	all := make([]float32, size*pool.Workers())
	for i := range pool.Workers() {
		c.cols = append(c.cols, all[i*size:][:g.Pixels()*g.Window()])
	}
	c.part = make([]float32, partial)
	c.forward = c.forwardSample
	c.data = c.dataGradSample
	c.weight = c.weightGradPart
	c.reduce = c.reduceBlock
	return c
}

// Scratch is how many values New allocates: for each worker, and once.
func Scratch(g Geometry, withGradients bool) (worker, once int) {
	worker = roundUp(g.Pixels() * g.Window())
	if withGradients {
		once = weightParts * g.Kernel()
	}
	return worker, once
}

// roundUp keeps consecutive buffers on cache-line boundaries.
func roundUp(n int) int { return (n + 15) &^ 15 }

// Forward overwrites y [n, OutH, OutW, OutC] with the convolution of
// x [n, InH, InW, InC] with the kernel w [KH, KW, InC, OutC].
func (c *Conv) Forward(y, x, w []float32, n int) {
	c.call = call{x: x, y: y, w: w}
	c.pool.Run(n, c.forward)
}

func (c *Conv) forwardSample(worker, n int) {
	col := c.cols[worker]
	Im2col(c.Geometry, col, sample(c.call.x, n, c.In()))
	// y [Pixels, OutC] = col [Pixels, Window] * w [Window, OutC]
	blas32.Gemm(blas.NoTrans, blas.NoTrans, 1,
		matrix(c.Pixels(), c.Window(), col),
		matrix(c.Window(), c.OutC, c.call.w),
		0, matrix(c.Pixels(), c.OutC, sample(c.call.y, n, c.Out())))
}

// DataGrad overwrites dx [n, InH, InW, InC] with the gradient that the output
// gradient dy [n, OutH, OutW, OutC] induces through the kernel w.
func (c *Conv) DataGrad(dx, dy, w []float32, n int) {
	c.call = call{x: dx, y: dy, w: w}
	c.pool.Run(n, c.data)
}

func (c *Conv) dataGradSample(worker, n int) {
	dcol := c.cols[worker]
	// dcol [Pixels, Window] = dy [Pixels, OutC] * wᵀ [OutC, Window]
	blas32.Gemm(blas.NoTrans, blas.Trans, 1,
		matrix(c.Pixels(), c.OutC, sample(c.call.y, n, c.Out())),
		matrix(c.Window(), c.OutC, c.call.w),
		0, matrix(c.Pixels(), c.Window(), dcol))
	Col2im(c.Geometry, sample(c.call.x, n, c.In()), dcol)
}

// WeightGrad adds to dw [KH, KW, InC, OutC] the gradient that the inputs
// x [n, InH, InW, InC] and output gradients dy [n, OutH, OutW, OutC] induce,
// summed over the n samples.
func (c *Conv) WeightGrad(dw, x, dy []float32, n int) {
	c.call = call{x: x, y: dy, w: dw, n: n}
	c.pool.Run(min(n, weightParts), c.weight)
	c.pool.Run(c.KH*c.KW, c.reduce)
}

// weightGradPart sums the samples part, part+weightParts, ... of the batch.
func (c *Conv) weightGradPart(worker, part int) {
	col := c.cols[worker]
	dw := sample(c.part, part, c.Kernel())
	beta := float32(0)
	for n := part; n < c.call.n; n += weightParts {
		Im2col(c.Geometry, col, sample(c.call.x, n, c.In()))
		// dw [Window, OutC] = colᵀ [Window, Pixels] * dy [Pixels, OutC]
		blas32.Gemm(blas.Trans, blas.NoTrans, 1,
			matrix(c.Pixels(), c.Window(), col),
			matrix(c.Pixels(), c.OutC, sample(c.call.y, n, c.Out())),
			beta, matrix(c.Window(), c.OutC, dw))
		beta = 1
	}
}

// reduceBlock adds the partial gradients of one kernel position in order.
func (c *Conv) reduceBlock(_, block int) {
	size := c.InC * c.OutC
	dw := sample(c.call.w, block, size)
	for part := range min(c.call.n, weightParts) {
		for i, v := range c.part[part*c.Kernel()+block*size:][:size] {
			dw[i] += v
		}
	}
}

// sample is the n-th of consecutive pieces of the given size.
func sample(x []float32, n, size int) []float32 { return x[n*size:][:size] }

func matrix(rows, cols int, data []float32) blas32.General {
	return blas32.General{Rows: rows, Cols: cols, Stride: cols, Data: data}
}
