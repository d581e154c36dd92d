package main

import "github.com/mmcloughlin/avo/reg"

// flusher turns subnormal lanes into zero.
type flusher struct {
	kernels
	notSign, least reg.Register
}

func (k kernels) newFlusher() flusher {
	return flusher{k, k.constant("notSignBit"), k.constant("smallestNormal")}
}

func (f flusher) flush(x reg.Register) {
	size := f.vec()
	f.and(f.notSign, x, size)
	f.clearWhere(less, size, f.least, x)
}

// The updates below multiply and add in the order of the Go loop and never fuse
// the two, so that the bits are those of the loop. The gradient is called dw, as
// g names a register to Go's assembler.

func (k kernels) genRMSprop() {
	k.function("rmsprop", "func(w, dw, s *float32, n int, rate, rho, gain, epsilon float32)",
		"# equals, each operation rounded to float32,",
		"",
		"	for i := range n {",
		"		s[i] = flush(rho*s[i] + gain*(dw[i]*dw[i]))",
		"		w[i] -= rate * dw[i] / (sqrt(s[i]) + epsilon)",
		"	}")
	all := k.slices("w", "dw", "s")
	rate, rho := k.parameter("rate"), k.parameter("rho")
	gain, epsilon := k.parameter("gain"), k.parameter("epsilon")
	f := k.newFlusher()
	k.forEach(all, func(partial bool) {
		w, g, s := k.loaded(all[0], partial), k.loaded(all[1], partial), k.loaded(all[2], partial)
		square, root := k.vec(), k.vec()
		k.VMULPS(g, g, square)
		k.VMULPS(gain, square, square)
		k.VMULPS(rho, s, s)
		k.VADDPS(square, s, s)
		f.flush(s)
		k.store(s, all[2].mem(), partial)
		k.VSQRTPS(s, root)
		k.VADDPS(epsilon, root, root)
		k.VMULPS(rate, g, g)
		k.VDIVPS(root, g, g)
		k.VSUBPS(g, w, w)
		k.store(w, all[0].mem(), partial)
	}, func() {})
}

func (k kernels) genAdam() {
	k.function("adam", "func(w, dw, m, v *float32, n int, alpha, gain1, gain2, epsilon float32)",
		"# equals, each operation rounded to float32,",
		"",
		"	for i := range n {",
		"		m[i] = flush(m[i] + gain1*(dw[i]-m[i]))",
		"		v[i] = flush(v[i] + gain2*(dw[i]*dw[i]-v[i]))",
		"		w[i] -= alpha * m[i] / (sqrt(v[i]) + epsilon)",
		"	}")
	all := k.slices("w", "dw", "m", "v")
	alpha, epsilon := k.parameter("alpha"), k.parameter("epsilon")
	gain1, gain2 := k.parameter("gain1"), k.parameter("gain2")
	f := k.newFlusher()
	k.forEach(all, func(partial bool) {
		w, g := k.loaded(all[0], partial), k.loaded(all[1], partial)
		m, v := k.loaded(all[2], partial), k.loaded(all[3], partial)
		move := k.vec()
		k.VSUBPS(m, g, move)
		k.VMULPS(gain1, move, move)
		k.VADDPS(move, m, m)
		f.flush(m)
		k.store(m, all[2].mem(), partial)
		k.VMULPS(g, g, g)
		k.VSUBPS(v, g, g)
		k.VMULPS(gain2, g, g)
		k.VADDPS(g, v, v)
		f.flush(v)
		k.store(v, all[3].mem(), partial)
		k.VSQRTPS(v, v)
		k.VADDPS(epsilon, v, v)
		k.VMULPS(alpha, m, m)
		k.VDIVPS(v, m, m)
		k.VSUBPS(m, w, w)
		k.store(w, all[0].mem(), partial)
	}, func() {})
}

func (k kernels) genSGD() {
	k.function("sgd", "func(w, dw, v *float32, n int, rate, momentum float32)",
		"# equals, each operation rounded to float32,",
		"",
		"	for i := range n {",
		"		v[i] = flush(momentum*v[i] - rate*dw[i])",
		"		w[i] += v[i]",
		"	}")
	all := k.slices("w", "dw", "v")
	rate, momentum := k.parameter("rate"), k.parameter("momentum")
	f := k.newFlusher()
	k.forEach(all, func(partial bool) {
		w, g, v := k.loaded(all[0], partial), k.loaded(all[1], partial), k.loaded(all[2], partial)
		k.VMULPS(rate, g, g)
		k.VMULPS(momentum, v, v)
		k.VSUBPS(g, v, v)
		f.flush(v)
		k.store(v, all[2].mem(), partial)
		k.VADDPS(v, w, w)
		k.store(w, all[0].mem(), partial)
	}, func() {})
}

func (k kernels) genAdd() {
	k.function("add", "func(dst, src *float32, n int)",
		"# equals",
		"",
		"	for i := range n {",
		"		dst[i] += src[i]",
		"	}")
	all := k.slices("dst", "src")
	k.forEach(all, func(partial bool) {
		dst, src := k.loaded(all[0], partial), k.loaded(all[1], partial)
		k.VADDPS(src, dst, dst)
		k.store(dst, all[0].mem(), partial)
	}, func() {})
}

func (k kernels) genReLUMask() {
	k.function("reluMask", "func(dx, x *float32, n int)",
		"# equals",
		"",
		"	for i := range n {",
		"		if x[i] <= 0 {",
		"			dx[i] = 0",
		"		}",
		"	}")
	all := k.slices("dx", "x")
	zero := k.zero()
	k.forEach(all, func(partial bool) {
		dx, x := k.loaded(all[0], partial), k.loaded(all[1], partial)
		k.clearWhere(lessOrEqual, x, zero, dx)
		k.store(dx, all[0].mem(), partial)
	}, func() {})
}
