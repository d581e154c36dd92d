package nn

import "vaectl/internal/parallel"

// Activation is the function applied to a layer's output, as Keras's layers
// take it.
type Activation int

const (
	Linear Activation = iota
	ReLU
)

// biased is the end of every layer here: a bias for each channel, then the
// activation. Samples are spread over the pool; the bias gradient is summed
// for each sample first and then in sample order, so its bits do not depend on
// the workers.
type biased struct {
	bias *Param // [C]
	act  Activation

	pool *parallel.Pool
	out  Shape
	dz   []float32 // [N, H, W, C], gradient before the activation
	db   []float32 // [N, C], bias gradient of each sample

	y, dy             Batch // operands of the running call
	forwardS, biasdzS func(worker, n int)
}

func (l *biased) init(out Shape, act Activation) {
	l.bias = &Param{Name: "bias", Shape: []int{out.C}}
	l.out, l.act = out, act
	l.forwardS, l.biasdzS = l.forwardSample, l.backwardSample
}

func (l *biased) bind(b *Binder) {
	l.pool = b.Pool
	b.Param(l.bias)
	if b.Training {
		b.Scratch(&l.dz, b.N*l.out.Len())
		b.Scratch(&l.db, b.N*l.out.C)
	}
}

// activate computes y = act(y + bias) in place.
func (l *biased) activate(y Batch) {
	l.y = y
	l.pool.Run(y.N, l.forwardS)
}

func (l *biased) forwardSample(_, n int) {
	bias := l.bias.Data
	for y := l.y.Sample(n); len(y) > 0; y = y[len(bias):] {
		for i, b := range bias {
			v := y[i] + b
			if l.act == ReLU && v <= 0 {
				v = 0
			}
			y[i] = v
		}
	}
}

// deactivate returns the gradient before the activation, dy where y > 0 for
// ReLU, and adds its sum over samples and pixels to the bias gradient.
func (l *biased) deactivate(dy, y Batch) (dz []float32) {
	l.dy, l.y = dy, y
	l.pool.Run(dy.N, l.biasdzS)
	for n := range dy.N {
		add(l.bias.Grad, l.db[n*l.out.C:])
	}
	return l.dz[:len(dy.Data)]
}

func (l *biased) backwardSample(_, n int) {
	c := l.out.C
	db, y, dz := l.db[n*c:][:c], l.y.Sample(n), l.dz[n*l.out.Len():]
	clear(db)
	for i, v := range l.dy.Sample(n) {
		if l.act == ReLU && y[i] <= 0 {
			v = 0
		}
		dz[i] = v
		db[i%c] += v
	}
}

// add computes dst += src over dst's length.
func add(dst, src []float32) {
	for i := range dst {
		dst[i] += src[i]
	}
}
