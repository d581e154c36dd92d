package nn

import (
	"fmt"

	"vaectl/conv"
	"vaectl/internal/gemm"
	"vaectl/internal/isa"
)

// Convolution is the way in which 3x3 kernels of stride 1 are summed up where the
// CPU has vector instructions. The two agree to rounding.
type Convolution string

const (
	// Winograd saves more than half of the multiplications, by F(2x2, 3x3).
	Winograd Convolution = "winograd"
	// Direct is the sum as it is defined.
	Direct Convolution = "direct"
)

// Conv2D is a convolution with bias and activation. Its kernel is
// [Kernel, Kernel, in, Filters].
type Conv2D struct {
	Filters, Kernel, Stride int
	Padding                 conv.Padding
	Activation              Activation

	convolution
}

func (l *Conv2D) Init(in Shape) (Shape, error) {
	g, err := conv.NewGeometry(in.H, in.W, in.C, l.Filters, l.Kernel, l.Kernel, l.Stride, l.Padding)
	if err != nil {
		return Shape{}, fmt.Errorf("conv2d: %w", err)
	}
	l.init(g, []int{l.Kernel, l.Kernel, in.C, l.Filters}, l.Filters, l.Activation)
	return Shape{g.OutH, g.OutW, g.OutC}, nil
}

// Forward computes y = act(conv(x, kernel) + bias).
func (l *Conv2D) Forward(y, x Batch) {
	if l.fused != nil {
		l.fused.Forward(y.images(), x.images(), l.params(), y.N)
		return
	}
	l.conv.Forward(y.Data, x.Data, l.kernel.Data, y.N)
	l.activate(y)
}

func (l *Conv2D) Backward(dx, dy, x Batch) {
	if l.fused != nil {
		l.fused.Backward(dx.images(), dy.images(), x.images(), x.Rectified, l.params(), dy.N)
		return
	}
	l.biasGrad(dy)
	l.conv.WeightGrad(l.kernel.Grad, x.Data, dy.Data, dy.N)
	if dx.Data != nil {
		l.conv.DataGrad(dx.Data, dy.Data, l.kernel.Data, dy.N)
		l.rectify(dx, x)
	}
}

func (l *Conv2D) borders() (in, outGrad conv.Border) {
	return l.fused.BorderX, l.fused.BorderY
}

func (l *Conv2D) beginForward(y, x Batch) {
	l.fused.BeginForward(y.images(), x.images(), l.params(), y.N)
}

func (l *Conv2D) beginBackward(dx, dy, x Batch) {
	l.fused.BeginBackward(dx.images(), dy.images(), x.images(), x.Rectified, l.params(), dy.N)
}

// Conv2DTranspose is the adjoint of the convolution that maps its output's size
// to its input's, with bias and activation: with Same padding its output is
// Stride times as high and wide as its input. Its kernel is
// [Kernel, Kernel, Filters, in]. The same convolution serves, with the forward
// pass and the data gradient swapped.
type Conv2DTranspose struct {
	Filters, Kernel, Stride int
	Padding                 conv.Padding
	Activation              Activation

	convolution
}

func (l *Conv2DTranspose) Init(in Shape) (Shape, error) {
	extra := 0 // rows and columns beyond Stride times the input's
	if l.Padding == conv.Valid {
		extra = max(l.Kernel-l.Stride, 0)
	}
	g, err := conv.NewGeometry(in.H*l.Stride+extra, in.W*l.Stride+extra, l.Filters, in.C, l.Kernel, l.Kernel, l.Stride, l.Padding)
	if err != nil {
		return Shape{}, fmt.Errorf("conv2d_transpose: %w", err)
	}
	l.init(g, []int{l.Kernel, l.Kernel, l.Filters, in.C}, l.Filters, l.Activation)
	return Shape{g.InH, g.InW, g.InC}, nil
}

// Forward computes y = act(convᵀ(x, kernel) + bias).
func (l *Conv2DTranspose) Forward(y, x Batch) {
	if l.fused != nil {
		l.fused.TransposeForward(y.images(), x.images(), l.params(), y.N)
		return
	}
	l.conv.DataGrad(y.Data, x.Data, l.kernel.Data, y.N)
	l.activate(y)
}

func (l *Conv2DTranspose) Backward(dx, dy, x Batch) {
	if l.fused != nil {
		l.fused.TransposeBackward(dx.images(), dy.images(), x.images(), x.Rectified, l.params(), dy.N)
		return
	}
	l.biasGrad(dy)
	l.conv.WeightGrad(l.kernel.Grad, dy.Data, x.Data, dy.N)
	if dx.Data != nil {
		l.conv.Forward(dx.Data, dy.Data, l.kernel.Data, dy.N)
		l.rectify(dx, x)
	}
}

func (l *Conv2DTranspose) borders() (in, outGrad conv.Border) {
	return l.fused.BorderY, l.fused.BorderX
}

func (l *Conv2DTranspose) beginForward(y, x Batch) {
	l.fused.BeginTransposeForward(y.images(), x.images(), l.params(), y.N)
}

func (l *Conv2DTranspose) beginBackward(dx, dy, x Batch) {
	l.fused.BeginTransposeBackward(dx.images(), dy.images(), x.images(), x.Rectified, l.params(), dy.N)
}

// convolution is what the two layers above share.
type convolution struct {
	geometry conv.Geometry
	kernel   *Param
	biased

	conv  *conv.Conv  // the reference, or
	fused *conv.Fused // the fast path, where the CPU has one
}

func (l *convolution) init(g conv.Geometry, kernelShape []int, filters int, act Activation) {
	// Keras takes the fans from the kernel's last two sizes in either layer;
	// only their sum counts.
	field := g.KH * g.KW
	l.geometry = g
	l.kernel = &Param{Name: "kernel", Shape: kernelShape, FanIn: field * g.InC, FanOut: field * g.OutC}
	l.biased.init(filters, act)
}

// arithmetic is the fast path, nil where the reference serves.
func (l *convolution) arithmetic() *conv.Fused { return l.fused }

func (l *convolution) Params() []*Param { return []*Param{l.kernel, l.bias} }

func (l *convolution) Bind(b *Binder) {
	b.Param(l.kernel)
	l.biased.bind(b)
	if b.Tier == isa.Generic {
		l.conv = conv.New(l.geometry, b.Pool, b.Training)
	} else {
		l.fused = conv.NewFused(l.geometry, b.Pool, gemm.New(b.Tier), b.N, b.Direct)
	}
}

func (l *convolution) params() conv.Params {
	return conv.Params{
		Kernel: l.kernel.Data, Bias: l.bias.Data,
		KernelGrad: l.kernel.Grad, BiasGrad: l.bias.Grad,
		ReLU: l.act == ReLU,
	}
}
