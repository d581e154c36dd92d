// Package nn holds the layers, the losses and the variational autoencoder that
// is built of them (vae.go).
//
// A layer's forward pass stands above its backward pass in one file. Layers
// hold parameters and scratch memory, never activations: those belong to the
// model, and Backward is handed them again. Batches are NHWC; gradients are
// named after the value that they belong to, dy for y.
//
// What belongs here is the mathematics of the model. How parameters are updated
// is package optim's, the training loop internal/train's, and the convolution
// itself package conv's.
package nn

import (
	"vaectl/conv"
	"vaectl/internal/isa"
	"vaectl/internal/parallel"
)

// Shape is the size of one sample: height, width, channels. A vector of n
// values is 1 x 1 x n.
type Shape struct{ H, W, C int }

// Vector is the shape of a vector of n values.
func Vector(n int) Shape { return Shape{1, 1, n} }

// Len is the number of values in a sample.
func (s Shape) Len() int { return s.H * s.W * s.C }

// Batch is N samples of one shape, one after another. Data may be nil where a
// gradient is not wanted.
type Batch struct {
	N int
	Shape
	Data []float32 // [N, H, W, C]
	// Border is a frame of zeros around each sample in Data, where a
	// convolution wants one: then the values are not one after another.
	Border conv.Border
	// Rectified says that the values came out of a ReLU.
	Rectified bool
}

// images is the batch as package conv sees it.
func (b Batch) images() conv.Images {
	return conv.Images{Data: b.Data, H: b.H, W: b.W, C: b.C, Border: b.Border}
}

// Sample is the n-th sample of a batch without borders.
func (b Batch) Sample(n int) []float32 { return b.Data[n*b.Len():][:b.Len()] }

// Head is a batch of the first n samples.
func (b Batch) Head(n int) Batch {
	b.N, b.Data = n, b.Data[:n*b.images().Size()]
	return b
}

// Param is one tensor of parameters and its gradient, both row-major in Shape.
type Param struct {
	Name          string
	Shape         []int
	FanIn, FanOut int // for Glorot's rule; 0 for a bias, which starts at zero
	Data, Grad    []float32

	offset int // in all weights
}

// Len is the number of values.
func (p *Param) Len() int {
	n := 1
	for _, d := range p.Shape {
		n *= d
	}
	return n
}

// In is the part of all that belongs to p, where all is laid out as the weights
// are: one of an optimizer's slots, say.
func (p *Param) In(all []float32) []float32 { return all[p.offset:][:p.Len()] }

// A Layer is one step of a model. It is used in the order Init, Bind, then
// Forward and Backward any number of times.
type Layer interface {
	// Init fixes the input shape and returns the output shape. Every error
	// in the sizes of a layer is found here.
	Init(in Shape) (out Shape, err error)
	// Params lists the parameters; Data and Grad are nil before Bind.
	Params() []*Param
	// Bind claims the memory that the layer needs from b.
	Bind(b *Binder)
	// Rectified reports whether the output is that of a ReLU.
	Rectified() bool
	// Forward overwrites y.
	Forward(y, x Batch)
	// Backward overwrites dx, unless its Data is nil, and adds to the
	// parameters' Grad. x is that of the forward pass.
	//
	// A gradient is always that of the value before its activation, so dy is
	// zero wherever a ReLU made y zero, and so must dx be where x is rectified
	// and zero. The product that computes dx can see to this in passing.
	Backward(dx, dy, x Batch)
}

// Binder gathers the memory requests of all layers, so that each kind of memory
// is one allocation in which every tensor starts on a cache line of its own.
type Binder struct {
	Pool *parallel.Pool
	Tier isa.Tier // Generic takes the reference path
	// N is the largest batch that will be used.
	N int
	// Direct sums convolutions directly, without Winograd's transforms.
	Direct bool
	// Training asks for what Backward needs.
	Training bool

	weights, grads, scratch arena
}

// Param gives p its weights and, for training, its gradient.
func (b *Binder) Param(p *Param) {
	p.offset = b.weights.size
	b.weights.claim(&p.Data, p.Len())
	if b.Training {
		b.grads.claim(&p.Grad, p.Len())
	}
}

// Scratch gives *dst n values, whose contents are lost between calls.
func (b *Binder) Scratch(dst *[]float32, n int) { b.scratch.claim(dst, n) }

// Batch gives *dst memory for N samples of the given shape and border.
func (b *Binder) Batch(dst *Batch, s Shape, border conv.Border) {
	*dst = Batch{N: b.N, Shape: s, Border: border}
	b.scratch.claim(&dst.Data, b.N*dst.images().Size())
}

// allocate fulfils all requests and returns all weights and all gradients as
// flat slices. The padding between tensors stays zero under any optimizer, for
// its gradient is zero.
func (b *Binder) allocate() (weights, grads []float32) {
	b.scratch.allocate()
	return b.weights.allocate(), b.grads.allocate()
}

type arena struct {
	size   int
	claims []claim
}

type claim struct {
	dst       *[]float32
	offset, n int
}

// cacheLine is the length of a cache line in float32 values.
const cacheLine = 16

func (a *arena) claim(dst *[]float32, n int) {
	a.claims = append(a.claims, claim{dst, a.size, n})
	a.size += (n + cacheLine - 1) &^ (cacheLine - 1)
}

func (a *arena) allocate() []float32 {
	all := alignedFloats(a.size)
	for _, c := range a.claims {
		*c.dst = all[c.offset : c.offset+c.n : c.offset+c.n]
	}
	return all
}
