package main

import (
	"fmt"
	"math"
	"strings"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// kernels writes the kernels of one instruction set.
type kernels struct {
	isa
	*build.Context
	constants map[string]operand.Mem
}

// declareConstants puts the constants of all kernels into read-only memory.
func declareConstants(c *build.Context) map[string]operand.Mem {
	mem := map[string]operand.Mem{}
	declare := func(name string, bits uint32) {
		mem[name] = c.ConstData(name, operand.U32(bits))
	}
	declare("signBit", 1<<31)
	declare("notSignBit", 1<<31-1)
	declare("smallestNormal", math.Float32bits(0x1p-126))
	declare("one", math.Float32bits(1))
	declare("half", math.Float32bits(0.5))
	declare("log2e", math.Float32bits(log2e))
	declare("ln2High", math.Float32bits(ln2High))
	declare("ln2Low", math.Float32bits(ln2Low))
	declare("expMagic", math.Float32bits(expMagic))
	declare("expLeast", math.Float32bits(expLeast))
	for i, x := range expTail {
		declare(fmt.Sprintf("exp%d", i+2), math.Float32bits(x))
	}
	for i, x := range log1pTail {
		declare(fmt.Sprintf("log1p%d", i+2), math.Float32bits(x))
	}
	return mem
}

// function starts an assembly function whose arguments do not escape. In the
// documentation, # stands for the name.
func (k kernels) function(name, signature string, doc ...string) {
	name += k.name()
	k.Function(name)
	k.Attributes(attr.NOSPLIT)
	k.Pragma("noescape")
	k.SignatureExpr(signature)
	for i := range doc {
		doc[i] = strings.ReplaceAll(doc[i], "#", name)
	}
	k.Doc(doc...)
}

// slice is the base of a slice that the loop goes through.
type slice struct {
	base, offset reg.Register
}

func (s slice) mem() operand.Mem { return operand.Mem{Base: s.base, Index: s.offset, Scale: 1} }

// slices loads the bases of slices that one loop goes through together.
func (k kernels) slices(params ...string) []slice {
	offset := k.GP64()
	k.XORQ(offset, offset)
	all := make([]slice, len(params))
	for i, name := range params {
		all[i] = slice{k.Load(k.Param(name), k.GP64()), offset}
	}
	return all
}

// forEach makes body the loop over n elements of the slices, one vector at a
// time and what remains as a partial vector, and ends the function after what
// end adds.
func (k kernels) forEach(slices []slice, body func(partial bool), end func()) {
	bytes := operand.U8(4 * k.lanes())
	lanes := operand.U8(k.lanes())
	k.Load(k.Param("n"), reg.RCX)
	k.SUBQ(lanes, reg.RCX)
	k.JLT(operand.LabelRef("rest"))
	k.Label("whole")
	body(false)
	k.ADDQ(bytes, slices[0].offset)
	k.SUBQ(lanes, reg.RCX)
	k.JGE(operand.LabelRef("whole"))
	k.Label("rest")
	k.ADDQ(lanes, reg.RCX)
	k.JZ(operand.LabelRef("done"))
	k.setMask()
	body(true)
	k.Label("done")
	end()
	k.VZEROUPPER()
	k.RET()
}

// constant is a register full of a constant.
func (k kernels) constant(name string) reg.VecVirtual {
	v := k.vec()
	k.VBROADCASTSS(k.constants[name], v)
	return v
}

// parameter is a register full of a float32 argument.
func (k kernels) parameter(name string) reg.VecVirtual {
	v := k.vec()
	arg, err := k.Param(name).Resolve()
	if err != nil {
		panic(fmt.Sprintf("argument %s: %v", name, err))
	}
	k.VBROADCASTSS(arg.Addr, v)
	return v
}

// loaded is a register with the next elements of a slice.
func (k kernels) loaded(s slice, partial bool) reg.VecVirtual {
	v := k.vec()
	k.load(s.mem(), v, partial)
	return v
}

// zero is a register of zeros.
func (k kernels) zero() reg.VecVirtual {
	v := k.vec()
	k.xor(v, v, v)
	return v
}
