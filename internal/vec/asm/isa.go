package main

import (
	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa is one instruction set: its registers, and the few operations whose
// spelling differs between the sets. The last vector of a slice may be partial:
// partial loads read zero in the lanes beyond its end, partial stores leave them.
type isa interface {
	name() string
	lanes() int // float32 in a vector
	vec() reg.VecVirtual
	// setMask prepares the partial operations for the number of elements in
	// RCX (1 to lanes-1), destroying RCX.
	setMask()
	load(src operand.Mem, dst reg.Register, partial bool)
	store(src reg.Register, dst operand.Mem, partial bool)
	// clearBeyond sets the lanes of v beyond the end to zero.
	clearBeyond(v reg.Register)
	// clearWhere sets v to zero where x p y.
	clearWhere(p predicate, x, y, v reg.Register)

	and(x, y, dst reg.Register)
	andNot(not, y, dst reg.Register) // dst = ^not & y
	or(x, y, dst reg.Register)
	xor(x, y, dst reg.Register)

	// doubles widens the lower and the upper half of v.
	doubles(v reg.VecVirtual) (lower, upper reg.Register)
	// sums is the number of registers that hold eight float64.
	sums() int
}

// predicate is that of VCMPPS: false where an operand is NaN.
type predicate uint8

const (
	less        predicate = 0x11
	lessOrEqual predicate = 0x12
	negated     predicate = 0x04 // true where an operand is NaN
)

// avx512 keeps the lane mask of a partial vector in K1.
type avx512 struct{ *build.Context }

func (avx512) name() string          { return "AVX512" }
func (avx512) lanes() int            { return 16 }
func (avx512) sums() int             { return 1 }
func (s avx512) vec() reg.VecVirtual { return s.ZMM() }

func (s avx512) setMask() {
	bits := s.GP32()
	s.MOVL(operand.U32(1), bits)
	s.SHLL(reg.CL, bits)
	s.DECL(bits)
	s.KMOVW(bits, reg.K1)
}

func (s avx512) load(src operand.Mem, dst reg.Register, partial bool) {
	if partial {
		s.VMOVUPS_Z(src, reg.K1, dst)
	} else {
		s.VMOVUPS(src, dst)
	}
}

func (s avx512) store(src reg.Register, dst operand.Mem, partial bool) {
	if partial {
		s.VMOVUPS(src, reg.K1, dst)
	} else {
		s.VMOVUPS(src, dst)
	}
}

func (s avx512) clearBeyond(v reg.Register) { s.VMOVAPS_Z(v, reg.K1, v) }

func (s avx512) clearWhere(p predicate, x, y, v reg.Register) {
	s.VCMPPS(operand.U8(p|negated), y, x, reg.K2)
	s.VMOVAPS_Z(v, reg.K2, v)
}

func (s avx512) and(x, y, dst reg.Register)      { s.VPANDD(x, y, dst) }
func (s avx512) andNot(not, y, dst reg.Register) { s.VPANDND(y, not, dst) }
func (s avx512) or(x, y, dst reg.Register)       { s.VPORD(x, y, dst) }
func (s avx512) xor(x, y, dst reg.Register)      { s.VPXORD(x, y, dst) }

func (s avx512) doubles(v reg.VecVirtual) (lower, upper reg.Register) {
	lower, upper = s.ZMM(), s.ZMM()
	half := s.YMM()
	s.VCVTPS2PD(v.AsY(), lower)
	s.VEXTRACTF64X4(operand.U8(1), v, half)
	s.VCVTPS2PD(half, upper)
	return lower, upper
}

// avx2 keeps the lane mask of a partial vector in Y15.
type avx2 struct {
	*build.Context
	iota8 operand.Mem
}

func newAVX2(c *build.Context) isa {
	m := c.StaticGlobal("iota8")
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 8 {
		c.AppendDatum(operand.U32(i))
	}
	return avx2{c, m}
}

func (avx2) name() string          { return "AVX2" }
func (avx2) lanes() int            { return 8 }
func (avx2) sums() int             { return 2 }
func (s avx2) vec() reg.VecVirtual { return s.YMM() }

func (s avx2) setMask() {
	s.VMOVD(reg.ECX, reg.X15)
	s.VPBROADCASTD(reg.X15, reg.Y15)
	s.VPCMPGTD(s.iota8, reg.Y15, reg.Y15)
}

func (s avx2) load(src operand.Mem, dst reg.Register, partial bool) {
	if partial {
		s.VMASKMOVPS(src, reg.Y15, dst)
	} else {
		s.VMOVUPS(src, dst)
	}
}

func (s avx2) store(src reg.Register, dst operand.Mem, partial bool) {
	if partial {
		s.VMASKMOVPS(src, reg.Y15, dst)
	} else {
		s.VMOVUPS(src, dst)
	}
}

func (s avx2) clearBeyond(v reg.Register) { s.VANDPS(reg.Y15, v, v) }

func (s avx2) clearWhere(p predicate, x, y, v reg.Register) {
	where := s.YMM()
	s.VCMPPS(operand.U8(p), y, x, where)
	s.VANDNPS(v, where, v)
}

func (s avx2) and(x, y, dst reg.Register)      { s.VANDPS(x, y, dst) }
func (s avx2) andNot(not, y, dst reg.Register) { s.VANDNPS(y, not, dst) }
func (s avx2) or(x, y, dst reg.Register)       { s.VORPS(x, y, dst) }
func (s avx2) xor(x, y, dst reg.Register)      { s.VXORPS(x, y, dst) }

func (s avx2) doubles(v reg.VecVirtual) (lower, upper reg.Register) {
	lower, upper = s.YMM(), s.YMM()
	half := s.XMM()
	s.VCVTPS2PD(v.AsX(), lower)
	s.VEXTRACTF128(operand.U8(1), v, half)
	s.VCVTPS2PD(half, upper)
	return lower, upper
}
