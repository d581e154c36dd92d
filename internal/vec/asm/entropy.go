package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// exp(t) for t <= 0 is 2^n * exp(r) with n = t/ln(2) to the nearest integer and
// so |r| <= ln(2)/2. Adding expMagic rounds to an integer and leaves n+127, the
// exponent field of 2^n, in the lowest bits.
const (
	log2e    = 1.4426950216293335
	ln2High  = 0.6931471824645996 // to float32
	ln2Low   = -1.9046542121259336e-09
	expMagic = 3<<22 + 127
	expLeast = -87.33654 // the least t whose exp is not subnormal
)

// expTail are the coefficients of r^2 to r^6 in exp(r) = 1 + r + ..., minimax for
// the relative error (3.1e-9 before rounding them to float32).
var expTail = []float32{
	0.49999994, 0.16666521, 0.04166839, 0.0083687166, 0.0013814595,
}

// log1pTail are those of e^2 to e^10 in log(1+e) = e + ... on [0, 1], minimax for
// the relative error (5.1e-9).
var log1pTail = []float32{
	-0.4999993, 0.33330512, -0.24958587, 0.19695400, -0.15355395,
	0.10680554, -0.057664435, 0.020204581, -0.0033184723,
}

// expNegAbs returns exp(-|x|): zero where that is subnormal, NaN where x is.
func (k kernels) expNegAbs(x reg.Register) reg.VecVirtual {
	t, n, rest := k.vec(), k.vec(), k.vec()
	k.or(k.constant("signBit"), x, t)
	magic := k.constant("expMagic")
	k.VMOVAPS(magic, n)
	k.VFMADD231PS(k.constant("log2e"), t, n)
	k.VSUBPS(magic, n, rest)
	r := k.vec()
	k.VMOVAPS(t, r)
	k.VFNMADD231PS(k.constant("ln2High"), rest, r)
	k.VFNMADD231PS(k.constant("ln2Low"), rest, r)
	e := k.polynomial(r, "exp", len(expTail))
	k.VFMADD213PS(k.constant("one"), r, e)
	k.VPSLLD(operand.U8(23), n, n)
	// A product, unlike a sum of exponents, keeps a NaN.
	k.VMULPS(n, e, e)
	k.clearWhere(less, t, k.constant("expLeast"), e)
	return e
}

// polynomial returns 1 + c2*x + c3*x^2 + ..., which has so many coefficients
// besides the one.
func (k kernels) polynomial(x reg.Register, name string, coefficients int) reg.VecVirtual {
	p := k.constant(fmt.Sprintf("%s%d", name, coefficients+1))
	for i := coefficients; i >= 2; i-- {
		k.VFMADD213PS(k.constant(fmt.Sprintf("%s%d", name, i)), x, p)
	}
	k.VFMADD213PS(k.constant("one"), x, p)
	return p
}

func (k kernels) genCrossEntropy() {
	k.function("crossEntropy", "func(sums *[8]float64, logits, x, grad *float32, n int, scale float32)",
		"# equals, to the bounds that CrossEntropy states,",
		"",
		"	for i := range n {",
		"		l := logits[i]",
		"		e := exp(-abs(l))",
		"		sums[i%8] += float64(max(l, 0) - l*x[i] + log1p(e))",
		"		if grad == nil {",
		"			continue",
		"		}",
		"		if signbit(l) {",
		"			grad[i] = scale * (e/(1+e) - x[i])",
		"		} else {",
		"			grad[i] = scale * ((1 - x[i]) - e/(1+e))",
		"		}",
		"	}",
		"",
		"where the difference before log1p, and then its sum, is rounded once.")
	all := k.slices("logits", "x", "grad")
	scale, zero := k.parameter("scale"), k.zero()
	lower, upper := k.vec(), k.vec()
	sums := k.Load(k.Param("sums"), k.GP64())
	at := operand.Mem{Base: sums}
	k.VMOVUPD(at, lower)
	if k.sums() == 2 {
		k.VMOVUPD(at.Offset(32), upper)
	} else {
		upper = lower
	}
	k.forEach(all, func(partial bool) {
		next := "next"
		if partial {
			next = "done"
		}
		l, x := k.loaded(all[0], partial), k.loaded(all[1], partial)
		e := k.expNegAbs(l)

		term := k.vec()
		k.VMAXPS(l, zero, term)
		k.VFNMADD231PS(x, l, term)
		k.VFMADD231PS(k.polynomial(e, "log1p", len(log1pTail)), e, term)
		if partial {
			k.clearBeyond(term)
		}
		low, high := k.doubles(term)
		k.VADDPD(low, lower, lower)
		k.VADDPD(high, upper, upper)

		k.TESTQ(all[2].base, all[2].base)
		k.JZ(operand.LabelRef(next))
		one := k.constant("one")
		negative, p, base := k.vec(), k.vec(), k.vec()
		k.VADDPS(one, e, p)
		k.VDIVPS(p, e, p)
		k.VPSRAD(operand.U8(31), l, negative)
		k.andNot(negative, one, base)
		k.VSUBPS(x, base, base)
		k.andNot(negative, k.constant("signBit"), negative)
		k.xor(negative, p, p)
		k.VADDPS(p, base, base)
		k.VMULPS(scale, base, base)
		k.store(base, all[2].mem(), partial)
		if !partial {
			k.Label(next)
		}
	}, func() {
		k.VMOVUPD(lower, at)
		if k.sums() == 2 {
			k.VMOVUPD(upper, at.Offset(32))
		}
	})
}

func (k kernels) genSigmoid() {
	k.function("sigmoid", "func(p, logits *float32, n int)",
		"# equals, to the bounds that Sigmoid states,",
		"",
		"	for i := range n {",
		"		e := exp(-abs(logits[i]))",
		"		if signbit(logits[i]) {",
		"			p[i] = e / (1 + e)",
		"		} else {",
		"			p[i] = 1 / (1 + e)",
		"		}",
		"	}")
	all := k.slices("p", "logits")
	one := k.constant("one")
	k.forEach(all, func(partial bool) {
		l := k.loaded(all[1], partial)
		e := k.expNegAbs(l)
		negative, above, below := k.vec(), k.vec(), k.vec()
		k.VADDPS(one, e, below)
		k.VPSRAD(operand.U8(31), l, negative)
		k.andNot(negative, one, above)
		k.and(negative, e, negative)
		k.or(negative, above, above)
		k.VDIVPS(below, above, above)
		k.store(above, all[0].mem(), partial)
	}, func() {})
}
