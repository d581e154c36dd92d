package main

import (
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rows8 addresses eight rows that lie a stride apart.
type rows8 struct {
	low, high       reg.GPPhysical // rows 0 and 4
	stride, stride3 reg.GPPhysical
}

// load sets the registers from two parameters; the stride counts floats.
func (r rows8) load(c *build.Context, base, stride string) {
	c.Load(c.Param(base), r.low)
	c.Load(c.Param(stride), r.stride)
	c.SHLQ(operand.U8(2), r.stride)
	c.LEAQ(operand.Mem{Base: r.stride, Index: r.stride, Scale: 2}, r.stride3)
	c.LEAQ(operand.Mem{Base: r.low, Index: r.stride, Scale: 4}, r.high)
}

// at is the memory disp bytes into row i.
func (r rows8) at(i, disp int) operand.Mem {
	m := operand.Mem{Base: r.low, Disp: disp}
	if i >= 4 {
		m.Base = r.high
	}
	switch i % 4 {
	case 1, 2:
		m.Index, m.Scale = r.stride, uint8(i%4)
	case 3:
		m.Index, m.Scale = r.stride3, 1
	}
	return m
}

// genTranspose writes the transpose that packs a transposed B.
func genTranspose(c *build.Context) {
	function(c, "transpose8AVX2", "func(dst, src *float32, ldDst, ldSrc, blocks int)",
		"transpose8AVX2 transposes 8 rows of 8*blocks columns. For blocks > 0 it equals",
		"",
		"	for k := range 8 * blocks {",
		"		for j := range 8 {",
		"			dst[k*ldDst+j] = src[j*ldSrc+k]",
		"		}",
		"	}")
	src := rows8{reg.RSI, reg.R8, reg.R9, reg.R10}
	dst := rows8{reg.RDI, reg.R11, reg.R12, reg.R13}
	src.load(c, "src", "ldSrc")
	dst.load(c, "dst", "ldDst")
	c.Load(c.Param("blocks"), cntK)
	c.Label("block")
	// Register i holds columns 0-3 of rows i and i+4, register i+4 their
	// columns 4-7: then transposing 4x4 in each 128-bit lane is enough.
	for i := range 4 {
		for h := range 2 {
			r := 4*h + i
			c.VMOVUPS(src.at(i, 16*h), xmm[r])
			c.VINSERTF128(operand.U8(1), src.at(i+4, 16*h), ymm[r], ymm[r])
		}
	}
	for h := range 2 {
		in, mid := ymm[4*h:4*h+4], ymm[8+4*h:12+4*h]
		c.VUNPCKLPS(in[1], in[0], mid[0])
		c.VUNPCKHPS(in[1], in[0], mid[1])
		c.VUNPCKLPS(in[3], in[2], mid[2])
		c.VUNPCKHPS(in[3], in[2], mid[3])
		for i := range 2 {
			c.VUNPCKLPD(mid[i+2], mid[i], in[2*i])
			c.VUNPCKHPD(mid[i+2], mid[i], in[2*i+1])
		}
		for i := range 4 {
			c.VMOVUPS(in[i], dst.at(4*h+i, 0))
		}
	}
	c.ADDQ(operand.U8(32), src.low)
	c.ADDQ(operand.U8(32), src.high)
	c.LEAQ(operand.Mem{Base: dst.low, Index: dst.stride, Scale: 8}, dst.low)
	c.LEAQ(operand.Mem{Base: dst.high, Index: dst.stride, Scale: 8}, dst.high)
	c.DECQ(cntK)
	c.JNZ(operand.LabelRef("block"))
	c.VZEROUPPER()
	c.RET()
}
