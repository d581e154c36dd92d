package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa is one instruction set: its registers, and the few operations whose
// spelling differs between the sets. A last vector may be partial: partial
// loads read zero in the lanes beyond the columns, partial stores leave them.
type isa interface {
	ctx() *build.Context
	name() string
	lanes() int                // float32 in a vector
	vec(i int) reg.VecPhysical // register i
	maxRows() int              // rows of the tallest tile
	widths() []width           // of tiles, widest first
	zero(dst reg.Register)
	// setMask prepares the partial operations for the number of columns in
	// RCX (1 to lanes), destroying tmp.
	setMask(tmp reg.GPPhysical)
	load(src operand.Mem, dst reg.Register, partial bool)
	store(src reg.Register, dst operand.Mem, partial bool)
	// mulAddBroadcast adds the float at a times y to acc, if the set can do so
	// in one instruction.
	mulAddBroadcast(a operand.Mem, y, acc reg.Register) bool
	// clearWhereNotPositive sets the lanes of v to zero where m <= 0,
	// destroying m. zero is a register of zeros.
	clearWhereNotPositive(v, m, zero reg.Register)
}

// width is that of a tile: so many vectors, the last of which may be partial.
type width struct {
	vecs    int
	partial bool
}

// avx512 keeps the lane mask of a partial vector in K1; masked loads and stores
// cost it no more than whole ones.
type avx512 struct{ c *build.Context }

func newAVX512(c *build.Context) isa { return avx512{c} }

func (avx512) name() string              { return "AVX512" }
func (avx512) maxRows() int              { return 14 }
func (avx512) widths() []width           { return []width{{2, true}, {1, true}} }
func (avx512) lanes() int                { return 16 }
func (s avx512) ctx() *build.Context     { return s.c }
func (avx512) vec(i int) reg.VecPhysical { return zmm[i] }
func (s avx512) zero(dst reg.Register)   { s.c.VPXORD(dst, dst, dst) }

func (s avx512) setMask(tmp reg.GPPhysical) {
	s.c.MOVL(operand.U32(1), tmp.As32())
	s.c.SHLL(reg.CL, tmp.As32())
	s.c.DECL(tmp.As32())
	s.c.KMOVW(tmp.As32(), reg.K1)
}

func (s avx512) load(src operand.Mem, dst reg.Register, partial bool) {
	if partial {
		s.c.VMOVUPS_Z(src, reg.K1, dst)
	} else {
		s.c.VMOVUPS(src, dst)
	}
}

func (s avx512) store(src reg.Register, dst operand.Mem, partial bool) {
	if partial {
		s.c.VMOVUPS(src, reg.K1, dst)
	} else {
		s.c.VMOVUPS(src, dst)
	}
}

func (s avx512) mulAddBroadcast(a operand.Mem, y, acc reg.Register) bool {
	s.c.VFMADD231PS_BCST(a, y, acc)
	return true
}

func (s avx512) clearWhereNotPositive(v, m, zero reg.Register) {
	const notLessOrEqual = 0x16
	s.c.VCMPPS(operand.U8(notLessOrEqual), zero, m, reg.K2)
	s.c.VMOVUPS_Z(v, reg.K2, v)
}

// avx2 keeps the lane mask of a partial vector in register 15. A masked load
// takes a slot of the FMA units on Zen 4 (12% of a tile's time) and a masked
// store is slow, so whole tiles have bodies of their own.
type avx2 struct {
	c     *build.Context
	iota8 operand.Mem
}

func newAVX2(c *build.Context) isa {
	m := c.StaticGlobal("iota8")
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := 0; i < 8; i++ {
		c.AppendDatum(operand.U32(i))
	}
	return avx2{c, m}
}

func (avx2) name() string              { return "AVX2" }
func (avx2) maxRows() int              { return 6 }
func (avx2) widths() []width           { return []width{{2, false}, {2, true}, {1, true}} }
func (avx2) lanes() int                { return 8 }
func (s avx2) ctx() *build.Context     { return s.c }
func (avx2) vec(i int) reg.VecPhysical { return ymm[i] }
func (s avx2) zero(dst reg.Register)   { s.c.VXORPS(dst, dst, dst) }

func (s avx2) setMask(_ reg.GPPhysical) {
	s.c.VMOVD(reg.ECX, reg.X15)
	s.c.VPBROADCASTD(reg.X15, reg.Y15)
	s.c.VPCMPGTD(s.iota8, reg.Y15, reg.Y15)
}

func (s avx2) load(src operand.Mem, dst reg.Register, partial bool) {
	if partial {
		s.c.VMASKMOVPS(src, reg.Y15, dst)
	} else {
		s.c.VMOVUPS(src, dst)
	}
}

func (s avx2) store(src reg.Register, dst operand.Mem, partial bool) {
	if partial {
		s.c.VMASKMOVPS(src, reg.Y15, dst)
	} else {
		s.c.VMOVUPS(src, dst)
	}
}

func (avx2) mulAddBroadcast(operand.Mem, reg.Register, reg.Register) bool { return false }

func (s avx2) clearWhereNotPositive(v, m, zero reg.Register) {
	const lessOrEqual = 0x12
	s.c.VCMPPS(operand.U8(lessOrEqual), zero, m, m)
	s.c.VANDNPS(v, m, v)
}

var (
	xmm = []reg.VecPhysical{
		reg.X0, reg.X1, reg.X2, reg.X3, reg.X4, reg.X5, reg.X6, reg.X7,
	}
	ymm = []reg.VecPhysical{
		reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7,
		reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15,
	}
	zmm = []reg.VecPhysical{
		reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7,
		reg.Z8, reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15,
		reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23,
		reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31,
	}
)
