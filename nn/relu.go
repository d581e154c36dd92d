package nn

import (
	"vaectl/internal/parallel"
	"vaectl/internal/vec"
)

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

	pool    *parallel.Pool
	kernels vec.Kernels
	part    []float32 // [N, C], bias gradient of each sample

	a, b                 Batch // operands of the running call
	addS, sumS, rectifyS func(worker, n int)
}

func (l *biased) init(channels int, act Activation) {
	l.bias = &Param{Name: "bias", Shape: []int{channels}}
	l.act = act
	l.addS, l.sumS, l.rectifyS = l.addSample, l.sumSample, l.rectifySample
}

func (l *biased) bind(b *Binder) {
	l.pool, l.kernels = b.Pool, vec.New(b.Tier)
	b.Param(l.bias)
	if b.Training {
		b.Scratch(&l.part, b.N*l.bias.Len())
	}
}

// Rectified reports whether the output is that of a ReLU.
func (l *biased) Rectified() bool { return l.act == ReLU }

// activate computes y = act(y + bias) in place.
func (l *biased) activate(y Batch) {
	l.a = y
	l.pool.Run(y.N, l.addS)
}

func (l *biased) addSample(_, n int) {
	bias := l.bias.Data
	for y := l.a.Sample(n); len(y) > 0; y = y[len(bias):] {
		for i, b := range bias {
			v := y[i] + b
			if l.act == ReLU && v <= 0 {
				v = 0
			}
			y[i] = v
		}
	}
}

// biasGrad adds the sum of dy over samples and pixels to the bias gradient.
func (l *biased) biasGrad(dy Batch) {
	l.a = dy
	l.pool.Run(dy.N, l.sumS)
	for n := range dy.N {
		l.kernels.Add(l.bias.Grad, l.part[n*l.bias.Len():][:l.bias.Len()])
	}
}

func (l *biased) sumSample(_, n int) {
	c := l.bias.Len()
	part := l.part[n*c:][:c]
	clear(part)
	for dy := l.a.Sample(n); len(dy) > 0; dy = dy[c:] {
		for i := range part {
			part[i] += dy[i]
		}
	}
}

// rectify makes dx the gradient before the ReLU that x came out of, if it did:
// zero where x is.
func (l *biased) rectify(dx, x Batch) {
	if x.Rectified {
		l.a, l.b = dx, x
		l.pool.Run(x.N, l.rectifyS)
	}
}

func (l *biased) rectifySample(_, n int) {
	l.kernels.ReLUMask(l.a.Sample(n), l.b.Sample(n))
}
