// Package vec works on float32 slices element by element at the speed of the
// machine.
//
// What belongs here: loops in which an element depends on the elements of the
// same index only (and sums over such), with their vector kernels; and the
// transforms of Winograd's convolution, which are such loops over the channels of
// several pixels. What the elements mean, and where a formula comes from, is the
// caller's business.
//
// asm/, a module of its own, generates the assembly; kernels_amd64.go says which
// Go loop each kernel equals. The Go loops themselves, in generic.go, are the
// generic tier and what the others are tested against.
//
// RMSprop, Adam, SGD, Add, ReLUMask and the transforms give the same bits on every tier, but for
// which NaN a NaN is. CrossEntropy and Sigmoid need exp and log: their generic
// tier computes in float64, the vector tiers agree with it to the stated bounds
// and with each other to the last bit.
package vec

import "vaectl/internal/isa"

//go:generate go -C asm run . ../kernels_amd64.s ../kernels_amd64.go

// maxRun bounds the elements of one kernel call to some tens of microseconds: a
// goroutine cannot be preempted in assembly. It is a multiple of eight, so that
// an element of a sum stays in its lane.
const maxRun = 16384

// Kernels are the kernels of one tier. They hold no state and may be used by
// any number of goroutines. The zero value is the generic tier.
//
// The slices of a call have one length, or it panics, and none overlaps another.
// No method allocates.
type Kernels struct{ tier isa.Tier }

// New returns the kernels of a tier, which must be available.
func New(t isa.Tier) Kernels {
	if !t.Available() {
		panic("vec: tier not available on this CPU")
	}
	return Kernels{t}
}

// Tier returns the tier of the kernels.
func (k Kernels) Tier() isa.Tier { return k.tier }

// RMSprop updates the weights w and their mean squares s from the gradients g:
//
//	s = flush(rho*s + gain*g*g)
//	w = w - rate*g / (sqrt(s) + epsilon)
//
// where flush makes a subnormal zero. Every operation is rounded to float32.
func (k Kernels) RMSprop(w, g, s []float32, rate, rho, gain, epsilon float32) {
	sameLen(len(w), len(g), len(s))
	if k.tier == isa.Generic {
		rmspropGeneric(w, g, s, rate, rho, gain, epsilon)
		return
	}
	rmspropVector(k.tier, w, g, s, rate, rho, gain, epsilon)
}

// Adam updates the weights w, their means m and mean squares v from the
// gradients g:
//
//	m = flush(m + gain1*(g-m))
//	v = flush(v + gain2*(g*g-v))
//	w = w - alpha*m / (sqrt(v) + epsilon)
//
// where flush makes a subnormal zero. Every operation is rounded to float32.
func (k Kernels) Adam(w, g, m, v []float32, alpha, gain1, gain2, epsilon float32) {
	sameLen(len(w), len(g), len(m))
	sameLen(len(w), len(v), len(v))
	if k.tier == isa.Generic {
		adamGeneric(w, g, m, v, alpha, gain1, gain2, epsilon)
		return
	}
	adamVector(k.tier, w, g, m, v, alpha, gain1, gain2, epsilon)
}

// SGD updates the weights w and their velocities v from the gradients g:
//
//	v = flush(momentum*v - rate*g)
//	w = w + v
//
// where flush makes a subnormal zero. Every operation is rounded to float32.
func (k Kernels) SGD(w, g, v []float32, rate, momentum float32) {
	sameLen(len(w), len(g), len(v))
	if k.tier == isa.Generic {
		sgdGeneric(w, g, v, rate, momentum)
		return
	}
	sgdVector(k.tier, w, g, v, rate, momentum)
}

// CrossEntropy returns the binary cross-entropy between the targets x in [0, 1]
// and sigmoid(logits), in nats summed over the elements. It is computed from the
// logits l as max(l, 0) - l*x + log(1 + exp(-|l|)), which neither overflows nor
// loses small probabilities. Unless grad is nil it is overwritten with
// scale * (sigmoid(l) - x).
//
// A vector tier is off by at most 2e-7 of each summand, which it adds up in
// float64, and by 1.25e-7*scale in a gradient; for targets 0 and 1 also by at
// most 2.5e-7 of the gradient; except that it takes an exp(-|l|) below 2^-126 as
// zero. The order of the sum depends on the length only.
//
// Where a logit or a target is NaN, so are the sum and that gradient; where a
// logit is infinite, the sum is NaN or infinite.
func (k Kernels) CrossEntropy(logits, x, grad []float32, scale float64) (sum float64) {
	sameLen(len(logits), len(x), len(x))
	if grad != nil {
		sameLen(len(logits), len(grad), len(grad))
	}
	if k.tier == isa.Generic {
		return crossEntropyGeneric(logits, x, grad, scale)
	}
	return crossEntropyVector(k.tier, logits, x, grad, float32(scale))
}

// Sigmoid computes p = 1 / (1 + exp(-logits)).
//
// A vector tier is off by at most 2e-7 of the result, except that it makes one
// below 2^-126 zero. A NaN stays one.
func (k Kernels) Sigmoid(p, logits []float32) {
	sameLen(len(p), len(logits), len(logits))
	if k.tier == isa.Generic {
		sigmoidGeneric(p, logits)
		return
	}
	sigmoidVector(k.tier, p, logits)
}

// Add adds src to dst.
func (k Kernels) Add(dst, src []float32) {
	sameLen(len(dst), len(src), len(src))
	if k.tier == isa.Generic {
		addGeneric(dst, src)
		return
	}
	addVector(k.tier, dst, src)
}

// ReLUMask sets dx to zero where x <= 0.
func (k Kernels) ReLUMask(dx, x []float32) {
	sameLen(len(dx), len(x), len(x))
	if k.tier == isa.Generic {
		reluMaskGeneric(dx, x)
		return
	}
	reluMaskVector(k.tier, dx, x)
}

func sameLen(n, a, b int) {
	if a != n || b != n {
		panic("vec: slices of different lengths")
	}
}
