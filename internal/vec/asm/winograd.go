package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The transforms of Winograd's F(2x2, 3x3), whose matrices stand in vec's
// winograd.go. A kernel goes through channels, a vector of them at a time; their
// number must be a multiple of 16. Strides are in bytes.

// window is four pixels, or planes, of one stride from a moving base.
type window struct{ base, stride, stride3 reg.GPVirtual }

func (k kernels) window(base, stride string) window {
	w := window{k.GP64(), k.GP64(), k.GP64()}
	k.Load(k.Param(base), w.base)
	k.Load(k.Param(stride), w.stride)
	k.LEAQ(operand.Mem{Base: w.stride, Index: w.stride, Scale: 2}, w.stride3)
	return w
}

func (w window) at(i int) operand.Mem {
	switch i {
	case 0:
		return operand.Mem{Base: w.base}
	case 3:
		return operand.Mem{Base: w.base, Index: w.stride3, Scale: 1}
	}
	return operand.Mem{Base: w.base, Index: w.stride, Scale: uint8(i)}
}

// sharing is a window with the strides of w and a base of its own.
func (k kernels) sharing(w window, base string) window {
	w.base = k.GP64()
	k.Load(k.Param(base), w.base)
	return w
}

// advance moves bases by one vector.
func (k kernels) advance(bases ...reg.Register) {
	for _, b := range bases {
		k.ADDQ(operand.U8(4*k.lanes()), b)
	}
}

// forVectors makes body the loop over the vectors of n channels.
func (k kernels) forVectors(label string, n reg.Register, body func()) {
	left := k.GP64()
	k.MOVQ(n, left)
	k.Label(label)
	body()
	k.SUBQ(operand.U8(k.lanes()), left)
	k.JNZ(operand.LabelRef(label))
}

func (k kernels) ret() {
	k.VZEROUPPER()
	k.RET()
}

// genWinogradTiles makes the kernels that transform tiles of an image: four
// pixels wide and overlapping, or two pixels wide.
func (k kernels) genWinogradTiles(name string, width int, doc ...string) {
	k.function(name, "func(dst, p, q *float32, sign float32, tiles, channels, plane, pixel int)", doc...)
	dst := k.window("dst", "plane")
	p := k.window("p", "pixel")
	q := k.sharing(p, "q")
	sign := k.parameter("sign")
	tiles, channels, step := k.GP64(), k.GP64(), k.GP64()
	k.Load(k.Param("tiles"), tiles)
	k.Load(k.Param("channels"), channels)
	// From the end of a tile's channels to the start of the next tile's.
	k.MOVQ(p.stride, step)
	k.ADDQ(step, step)
	k.SUBQ(channels, step)
	k.SUBQ(channels, step)
	k.SUBQ(channels, step)
	k.SUBQ(channels, step)
	k.Label("tile")
	k.forVectors("vector", channels, func() {
		t := make([]reg.VecVirtual, width)
		for c := range t {
			t[c] = k.vec()
			k.VMOVUPS(p.at(c), t[c])
			k.VFMADD231PS(q.at(c), sign, t[c])
		}
		out := [4]reg.VecVirtual{0: t[0], 1: k.vec(), 2: k.vec(), 3: t[width-1]}
		if width == 4 {
			out[0], out[3] = k.vec(), k.vec()
			k.VSUBPS(t[2], t[0], out[0])
			k.VADDPS(t[1], t[2], out[1])
			k.VSUBPS(t[1], t[2], out[2])
			k.VSUBPS(t[1], t[3], out[3])
		} else {
			k.VADDPS(t[1], t[0], out[1])
			k.VSUBPS(t[1], t[0], out[2])
		}
		for f, v := range out {
			k.VMOVUPS(v, dst.at(f))
		}
		k.advance(dst.base, p.base, q.base)
	})
	k.ADDQ(step, p.base)
	k.ADDQ(step, q.base)
	k.DECQ(tiles)
	k.JNZ(operand.LabelRef("tile"))
	k.ret()
}

func (k kernels) genWinogradInput() {
	k.genWinogradTiles("winogradInput", 4,
		"# equals, for tiles > 0 and writing *(p+n) for the float n bytes from p,",
		"",
		"	for i := range tiles {",
		"		for c := range channels {",
		"			var t [4]float32",
		"			for j := range 4 {",
		"				at := (2*i+j)*pixel + 4*c",
		"				t[j] = *(p+at) + sign * *(q+at)",
		"			}",
		"			out := dst + 4*(i*channels+c)",
		"			*out = t[0] - t[2]",
		"			*(out+plane) = t[2] + t[1]",
		"			*(out+2*plane) = t[2] - t[1]",
		"			*(out+3*plane) = t[3] - t[1]",
		"		}",
		"	}")
}

func (k kernels) genWinogradGrad() {
	k.genWinogradTiles("winogradGrad", 2,
		"# equals, for tiles > 0 and writing *(p+n) for the float n bytes from p,",
		"",
		"	for i := range tiles {",
		"		for c := range channels {",
		"			var t [2]float32",
		"			for j := range 2 {",
		"				at := (2*i+j)*pixel + 4*c",
		"				t[j] = *(p+at) + sign * *(q+at)",
		"			}",
		"			out := dst + 4*(i*channels+c)",
		"			*out = t[0]",
		"			*(out+plane) = t[0] + t[1]",
		"			*(out+2*plane) = t[0] - t[1]",
		"			*(out+3*plane) = t[1]",
		"		}",
		"	}")
}

func (k kernels) genWinogradOutput() {
	k.function("winogradOutput", "func(y, m, bias, mask *float32, floor float32, tiles, channels, plane, pixel, row, maskRow int)",
		"# equals, for tiles > 0 and writing *(p+n) for the float n bytes from p,",
		"",
		"	for i := range tiles {",
		"		for c := range channels {",
		"			var u [2][4]float32",
		"			for j := range 4 {",
		"				at := m + 4*(i*channels+c) + j*plane",
		"				u[0][j] = *at + *(at+4*plane) + *(at+8*plane)",
		"				u[1][j] = *(at+4*plane) - *(at+8*plane) + *(at+12*plane)",
		"			}",
		"			for r := range 2 {",
		"				v := [2]float32{u[r][0] + u[r][1] + u[r][2], u[r][1] - u[r][2] + u[r][3]}",
		"				for s := range 2 {",
		"					v := v[s] + *(bias+4*c)",
		"					if v < floor {",
		"						v = floor",
		"					}",
		"					at := (2*i+s)*pixel + 4*c",
		"					if mask != nil && *(mask+r*maskRow+at) <= 0 {",
		"						v = 0",
		"					}",
		"					*(y+r*row+at) = v",
		"				}",
		"			}",
		"		}",
		"	}",
		"",
		"without a bias and a floor if bias is nil.")
	m := k.window("m", "plane")
	rows := [4]window{m, m, m, m}
	for i := 1; i < 4; i++ {
		rows[i].base = k.GP64()
		k.LEAQ(operand.Mem{Base: rows[i-1].base, Index: m.stride, Scale: 4}, rows[i].base)
	}
	y, mask, bias, pixel := k.GP64(), k.GP64(), k.GP64(), k.GP64()
	k.Load(k.Param("y"), y)
	k.Load(k.Param("mask"), mask)
	k.Load(k.Param("pixel"), pixel)
	floor, zero := k.parameter("floor"), k.zero()
	at := func(base, row reg.Register, s int) operand.Mem {
		if s == 0 {
			return operand.Mem{Base: base}
		}
		return operand.Mem{Base: base, Index: row, Scale: 1}
	}
	k.Label("tile")
	k.Load(k.Param("bias"), bias)
	channels := k.Load(k.Param("channels"), k.GP64())
	k.Label("vector")
	var u [2][4]reg.VecVirtual
	for j := range 4 {
		m1, m2 := k.vec(), k.vec()
		u[0][j], u[1][j] = k.vec(), k.vec()
		k.VMOVUPS(rows[1].at(j), m1)
		k.VMOVUPS(rows[2].at(j), m2)
		k.VADDPS(rows[0].at(j), m1, u[0][j])
		k.VADDPS(m2, u[0][j], u[0][j])
		k.VSUBPS(m2, m1, u[1][j])
		k.VADDPS(rows[3].at(j), u[1][j], u[1][j])
	}
	var v [2][2]reg.VecVirtual
	for r := range 2 {
		v[r][0], v[r][1] = k.vec(), k.vec()
		k.VADDPS(u[r][1], u[r][0], v[r][0])
		k.VADDPS(u[r][2], v[r][0], v[r][0])
		k.VSUBPS(u[r][2], u[r][1], v[r][1])
		k.VADDPS(u[r][3], v[r][1], v[r][1])
	}
	k.TESTQ(bias, bias)
	k.JZ(operand.LabelRef("masked"))
	for r := range 2 {
		for s := range 2 {
			k.VADDPS(operand.Mem{Base: bias}, v[r][s], v[r][s])
			// The maximum of a NaN and a number is the second operand.
			k.VMAXPS(v[r][s], floor, v[r][s])
		}
	}
	k.advance(bias)
	k.Label("masked")
	k.TESTQ(mask, mask)
	k.JZ(operand.LabelRef("store"))
	below := k.Load(k.Param("maskRow"), k.GP64())
	k.ADDQ(mask, below)
	for r, base := range []reg.Register{mask, below} {
		for s := range 2 {
			x := k.vec()
			k.VMOVUPS(at(base, pixel, s), x)
			k.clearWhere(lessOrEqual, x, zero, v[r][s])
		}
	}
	k.advance(mask)
	k.Label("store")
	second := k.Load(k.Param("row"), k.GP64())
	k.ADDQ(y, second)
	for r, base := range []reg.Register{y, second} {
		for s := range 2 {
			k.VMOVUPS(v[r][s], at(base, pixel, s))
		}
	}
	k.advance(y, rows[0].base, rows[1].base, rows[2].base, rows[3].base)
	k.SUBQ(operand.U8(k.lanes()), channels)
	k.JNZ(operand.LabelRef("vector"))
	// To the next tile: two pixels on, less the channels gone through.
	step := k.Load(k.Param("channels"), k.GP64())
	k.SHLQ(operand.U8(2), step)
	k.NEGQ(step)
	k.LEAQ(operand.Mem{Base: step, Index: pixel, Scale: 2}, step)
	k.ADDQ(step, y)
	k.TESTQ(mask, mask)
	k.JZ(operand.LabelRef("next"))
	k.ADDQ(step, mask)
	k.Label("next")
	tiles, err := k.Param("tiles").Resolve()
	if err != nil {
		panic(err)
	}
	k.DECQ(tiles.Addr)
	k.JNZ(operand.LabelRef("tile"))
	k.ret()
}

func (k kernels) genWinogradKernel() {
	k.function("winogradKernel", "func(u, w *float32, n, uPlane, wPlane int)",
		"# equals, for n > 0 and writing *(p+n) for the float n bytes from p,",
		"",
		"	for i := range n {",
		"		var h [4][3]float32",
		"		for b := range 3 {",
		"			at := w + 4*i + b*wPlane",
		"			w0, w1, w2 := *at, *(at+3*wPlane), *(at+6*wPlane)",
		"			h[0][b] = w0",
		"			h[1][b] = (w0 + w2 + w1) / 2",
		"			h[2][b] = (w0 + w2 - w1) / 2",
		"			h[3][b] = w2",
		"		}",
		"		for a := range 4 {",
		"			at := u + 4*i + 4*a*uPlane",
		"			*at = h[a][0]",
		"			*(at+uPlane) = (h[a][0] + h[a][2] + h[a][1]) / 2",
		"			*(at+2*uPlane) = (h[a][0] + h[a][2] - h[a][1]) / 2",
		"			*(at+3*uPlane) = h[a][2]",
		"		}",
		"	}")
	u := k.window("u", "uPlane")
	w := k.window("w", "wPlane")
	half := k.constant("half")
	n := k.Load(k.Param("n"), k.GP64())
	to, row := u, [3]window{w, w, w}
	to.base = k.GP64()
	row[1].base, row[2].base = k.GP64(), k.GP64()
	k.LEAQ(operand.Mem{Base: w.base, Index: w.stride3, Scale: 1}, row[1].base)
	k.LEAQ(operand.Mem{Base: row[1].base, Index: w.stride3, Scale: 1}, row[2].base)
	// halves are (x + z + y)/2 and (x + z - y)/2.
	halves := func(plus bool, x, y, z, dst reg.Register) {
		k.VADDPS(z, x, dst)
		if plus {
			k.VADDPS(y, dst, dst)
		} else {
			k.VSUBPS(y, dst, dst)
		}
		k.VMULPS(half, dst, dst)
	}
	k.forVectors("vector", n, func() {
		k.MOVQ(u.base, to.base)
		for a := range 4 {
			var h [3]reg.VecVirtual
			for b := range h {
				h[b] = k.vec()
				switch a {
				case 0:
					k.VMOVUPS(row[0].at(b), h[b])
				case 3:
					k.VMOVUPS(row[2].at(b), h[b])
				default:
					w0, w1, w2 := k.vec(), k.vec(), k.vec()
					k.VMOVUPS(row[0].at(b), w0)
					k.VMOVUPS(row[1].at(b), w1)
					k.VMOVUPS(row[2].at(b), w2)
					halves(a == 1, w0, w1, w2, h[b])
				}
			}
			plus, minus := k.vec(), k.vec()
			halves(true, h[0], h[1], h[2], plus)
			halves(false, h[0], h[1], h[2], minus)
			for f, v := range []reg.Register{h[0], plus, minus, h[2]} {
				k.VMOVUPS(v, to.at(f))
			}
			k.LEAQ(operand.Mem{Base: to.base, Index: u.stride, Scale: 4}, to.base)
		}
		k.advance(u.base, row[0].base, row[1].base, row[2].base)
	})
	k.ret()
}

func (k kernels) genWinogradKernelGrad() {
	k.function("winogradKernelGrad", "func(dw, du *float32, n, wPlane, uPlane int)",
		"# equals, for n > 0 and writing *(p+n) for the float n bytes from p,",
		"",
		"	for i := range n {",
		"		var h [3][4]float32",
		"		for j := range 4 {",
		"			at := du + 4*i + j*uPlane",
		"			u0, u1, u2, u3 := *at, *(at+4*uPlane), *(at+8*uPlane), *(at+12*uPlane)",
		"			h[0][j] = u0 + (u1+u2)/2",
		"			h[1][j] = (u1 - u2) / 2",
		"			h[2][j] = u3 + (u1+u2)/2",
		"		}",
		"		for a := range 3 {",
		"			at := dw + 4*i + 3*a*wPlane",
		"			*at += h[a][0] + (h[a][1]+h[a][2])/2",
		"			*(at+wPlane) += (h[a][1] - h[a][2]) / 2",
		"			*(at+2*wPlane) += h[a][3] + (h[a][1]+h[a][2])/2",
		"		}",
		"	}")
	dw := k.window("dw", "wPlane")
	du := k.window("du", "uPlane")
	half := k.constant("half")
	n := k.Load(k.Param("n"), k.GP64())
	to, row := dw, [4]window{du, du, du, du}
	to.base = k.GP64()
	for i := 1; i < 4; i++ {
		row[i].base = k.GP64()
		k.LEAQ(operand.Mem{Base: row[i-1].base, Index: du.stride, Scale: 4}, row[i].base)
	}
	// halves are (x + y)/2 + z, or (x - y)/2 where z is nil.
	halves := func(x, y reg.Register, z operand.Op, dst reg.Register) {
		if z == nil {
			k.VSUBPS(y, x, dst)
		} else {
			k.VADDPS(y, x, dst)
		}
		k.VMULPS(half, dst, dst)
		if z != nil {
			k.VADDPS(z, dst, dst)
		}
	}
	k.forVectors("vector", n, func() {
		k.MOVQ(dw.base, to.base)
		for a := range 3 {
			var h [4]reg.VecVirtual
			for j := range h {
				u1, u2 := k.vec(), k.vec()
				h[j] = k.vec()
				k.VMOVUPS(row[1].at(j), u1)
				k.VMOVUPS(row[2].at(j), u2)
				third := []operand.Op{row[0].at(j), nil, row[3].at(j)}[a]
				halves(u1, u2, third, h[j])
			}
			for b, third := range []operand.Op{h[0], nil, h[3]} {
				sum := k.vec()
				halves(h[1], h[2], third, sum)
				k.VADDPS(to.at(b), sum, sum)
				k.VMOVUPS(sum, to.at(b))
			}
			k.ADDQ(dw.stride3, to.base)
		}
		k.advance(dw.base, row[0].base, row[1].base, row[2].base, row[3].base)
	})
	k.ret()
}
