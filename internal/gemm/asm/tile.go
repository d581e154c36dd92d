package main

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Registers of the tile kernels. Left alone: SP, BP, R14 and R15.
var (
	argT = reg.RDI // *tile
	ptrA = reg.RSI // A[k], row 0
	ptrH = reg.R8  // A[k], row half
	row1 = reg.R9  // bytes between rows of A, times 1, 3 and 5
	row3 = reg.R10
	row5 = reg.R11
	aK   = reg.R12 // bytes between A[k] and A[k+1]
	ptrB = reg.RDX // B[k]
	bK   = reg.R13 // bytes between B[k] and B[k+1]
	cntK = reg.RCX // steps left in the segment
	segs = reg.RBX // segments left
	tmp  = reg.RAX
)

// half is the row at which a second base register takes over: multiples 1 to 6
// of the row stride can be had by scaling 1, 3 and 5 of it.
const half = 7

// field is the operand for a field of struct tile.
func field(name string) operand.Mem {
	return operand.Mem{Symbol: operand.Symbol{Name: "tile_" + name}, Base: argT}
}

// genTile writes the tile kernel of one instruction set: a body for every
// height and width, and the branches to them.
func genTile(s isa) {
	c := s.ctx()
	function(c, "tile"+s.name(), "func(t *tile)", tileDoc(s)...)

	c.Load(c.Param("t"), argT)
	c.MOVQ(field("a"), ptrA)
	c.MOVQ(field("aRow"), row1)
	c.LEAQ(operand.Mem{Base: row1, Index: row1, Scale: 2}, row3)
	c.LEAQ(operand.Mem{Base: row1, Index: row1, Scale: 4}, row5)
	c.LEAQ(operand.Mem{Base: ptrA, Index: row1, Scale: 1}, ptrH)
	c.LEAQ(operand.Mem{Base: ptrH, Index: row3, Scale: 2}, ptrH)
	c.MOVQ(field("aK"), aK)
	c.MOVQ(field("b"), ptrB)
	c.MOVQ(field("bK"), bK)
	c.MOVQ(field("segs"), segs)

	c.MOVQ(field("rows"), tmp)
	for i, w := range s.widths() {
		next := fmt.Sprintf("width%d", i+1)
		if i < len(s.widths())-1 {
			least := w.vecs * s.lanes()
			if w.partial {
				least -= s.lanes() - 1
			}
			c.CMPQ(field("cols"), operand.U8(least))
			c.JLT(operand.LabelRef(next))
		}
		branch(s, w, 1, s.maxRows())
		c.Label(next)
	}
	for _, w := range s.widths() {
		for rows := s.maxRows(); rows >= 1; rows-- {
			body{s, w, rows}.gen()
		}
	}
}

// branch jumps to the body for the number of rows in tmp, by bisection.
func branch(s isa, w width, lo, hi int) {
	c := s.ctx()
	if lo == hi {
		c.JMP(operand.LabelRef(body{s, w, lo}.label("")))
		return
	}
	mid := (lo + hi) / 2
	c.CMPQ(tmp, operand.U8(mid))
	if mid+1 == hi {
		c.JGT(operand.LabelRef(body{s, w, hi}.label("")))
		branch(s, w, lo, mid)
		return
	}
	upper := body{s, w, mid + 1}.label("up")
	c.JGT(operand.LabelRef(upper))
	branch(s, w, lo, mid)
	c.Label(upper)
	branch(s, w, mid+1, hi)
}

// body is the kernel for one size of tile.
type body struct {
	isa
	width
	rows int
}

func (b body) label(part string) string {
	size := fmt.Sprintf("tile%dx%d", b.rows, b.vecs*b.lanes())
	if b.partial {
		size += "part"
	}
	return size + part
}

// acc is the accumulator of row i, vector v.
func (b body) acc(i, v int) reg.Register { return b.vec(i*b.vecs + v) }

// spare are the registers above the accumulators of the largest tile.
func (b body) spare(i int) reg.Register { return b.vec(2*b.maxRows() + i) }

// partialVec reports whether vector v of a row may be partial.
func (b body) partialVec(v int) bool { return b.partial && v == b.vecs-1 }

// at is vector v of the row at p.
func (b body) at(p reg.Register, v int) operand.Mem {
	return operand.Mem{Base: p, Disp: 4 * b.lanes() * v}
}

// rowA is A[k] of row i.
func (b body) rowA(i int) operand.Mem {
	base := ptrA
	if i >= half {
		base, i = ptrH, i-half
	}
	switch i {
	case 0:
		return operand.Mem{Base: base}
	case 1, 2, 4:
		return operand.Mem{Base: base, Index: row1, Scale: uint8(i)}
	case 3, 6:
		return operand.Mem{Base: base, Index: row3, Scale: uint8(i / 3)}
	default:
		return operand.Mem{Base: base, Index: row5, Scale: 1}
	}
}

func (b body) gen() {
	c := b.ctx()
	c.Label(b.label(""))
	if b.partial {
		c.MOVQ(field("cols"), cntK)
		if b.vecs > 1 {
			c.SUBQ(operand.U8((b.vecs-1)*b.lanes()), cntK)
		}
		b.setMask(tmp)
	}
	b.genInit()
	b.genPrefetch()
	c.TESTQ(segs, segs)
	c.JZ(operand.LabelRef(b.label("done")))
	c.Label(b.label("seg"))
	c.MOVQ(field("segLen"), cntK)
	c.Label(b.label("k"))
	b.genStep()
	c.ADDQ(aK, ptrA)
	if b.rows > half {
		c.ADDQ(aK, ptrH)
	}
	c.ADDQ(bK, ptrB)
	c.DECQ(cntK)
	c.JNZ(operand.LabelRef(b.label("k")))
	c.ADDQ(field("aSkip"), ptrA)
	if b.rows > half {
		c.ADDQ(field("aSkip"), ptrH)
	}
	c.ADDQ(field("bSkip"), ptrB)
	c.DECQ(segs)
	c.JNZ(operand.LabelRef(b.label("seg")))
	c.Label(b.label("done"))
	b.genBias()
	b.genReLU()
	b.genMask()
	b.genStore()
	c.VZEROUPPER()
	c.RET()
}

// genInit sets the accumulators to zero or to C.
func (b body) genInit() {
	c := b.ctx()
	c.CMPB(field("accumulate"), operand.U8(0))
	c.JNE(operand.LabelRef(b.label("load")))
	for i := range b.rows {
		for v := range b.vecs {
			b.zero(b.acc(i, v))
		}
	}
	c.JMP(operand.LabelRef(b.label("ready")))
	c.Label(b.label("load"))
	b.eachRow("c", "ldc", func(i int, p reg.Register) {
		for v := range b.vecs {
			b.load(b.at(p, v), b.acc(i, v), b.partialVec(v))
		}
	})
	c.Label(b.label("ready"))
}

// genPrefetch asks for the rows of C and of the mask, which are far away more
// often than not and wanted only after the sums.
func (b body) genPrefetch() {
	c := b.ctx()
	fetch := func(_ int, p reg.Register) {
		for v := range b.vecs {
			c.PREFETCHT0(b.at(p, v))
		}
	}
	c.CMPB(field("accumulate"), operand.U8(0))
	c.JNE(operand.LabelRef(b.label("near")))
	b.eachRow("c", "ldc", fetch)
	c.Label(b.label("near"))
	c.CMPQ(field("mask"), operand.U8(0))
	c.JE(operand.LabelRef(b.label("start")))
	b.eachRow("mask", "ldm", fetch)
	c.Label(b.label("start"))
}

// genStep adds the products of one k.
func (b body) genStep() {
	c := b.ctx()
	for v := range b.vecs {
		b.load(b.at(ptrB, v), b.spare(v), b.partialVec(v))
	}
	// Where A's rows are neighbours its lines come from L2, far apart: ask for
	// them early. Elsewhere this costs nothing that could be measured.
	c.PREFETCHT0(operand.Mem{Base: ptrA, Index: aK, Scale: 8})
	for i := range b.rows {
		if b.vecs == 1 && b.mulAddBroadcast(b.rowA(i), b.spare(0), b.acc(i, 0)) {
			continue
		}
		a := b.spare(2)
		c.VBROADCASTSS(b.rowA(i), a)
		for v := range b.vecs {
			c.VFMADD231PS(b.spare(v), a, b.acc(i, v))
		}
	}
}

func (b body) genBias() {
	c := b.ctx()
	c.MOVQ(field("bias"), tmp)
	c.TESTQ(tmp, tmp)
	c.JZ(operand.LabelRef(b.label("nobias")))
	for v := range b.vecs {
		b.load(b.at(tmp, v), b.spare(v), b.partialVec(v))
	}
	for i := range b.rows {
		for v := range b.vecs {
			c.VADDPS(b.spare(v), b.acc(i, v), b.acc(i, v))
		}
	}
	c.Label(b.label("nobias"))
}

func (b body) genReLU() {
	c := b.ctx()
	c.CMPB(field("relu"), operand.U8(0))
	c.JE(operand.LabelRef(b.label("norelu")))
	zero := b.spare(2)
	b.zero(zero)
	for i := range b.rows {
		for v := range b.vecs {
			// With the value as second source, a NaN or a -0 is kept.
			c.VMAXPS(b.acc(i, v), zero, b.acc(i, v))
		}
	}
	c.Label(b.label("norelu"))
}

func (b body) genMask() {
	c := b.ctx()
	c.CMPQ(field("mask"), operand.U8(0))
	c.JE(operand.LabelRef(b.label("nomask")))
	zero := b.spare(2)
	b.zero(zero)
	b.eachRow("mask", "ldm", func(i int, p reg.Register) {
		for v := range b.vecs {
			m := b.spare(v)
			b.load(b.at(p, v), m, b.partialVec(v))
			b.clearWhereNotPositive(b.acc(i, v), m, zero)
		}
	})
	c.Label(b.label("nomask"))
}

func (b body) genStore() {
	b.eachRow("c", "ldc", func(i int, p reg.Register) {
		for v := range b.vecs {
			b.store(b.acc(i, v), b.at(p, v), b.partialVec(v))
		}
	})
}

// eachRow calls row with a pointer to each row of the matrix whose base and row
// stride are the named fields. It uses tmp and cntK.
func (b body) eachRow(base, stride string, row func(i int, p reg.Register)) {
	c := b.ctx()
	c.MOVQ(field(base), tmp)
	c.MOVQ(field(stride), cntK)
	for i := range b.rows {
		row(i, tmp)
		if i < b.rows-1 {
			c.ADDQ(cntK, tmp)
		}
	}
}

func tileDoc(s isa) []string {
	return strings.Split(fmt.Sprintf(`tile%[1]s computes a tile of 1 to %[2]d rows and 1 to %[3]d columns. Writing *(p+n)
for the float n bytes from p, and fma for a multiply-add rounded once, it equals

	for i := range t.rows {
		for j := range t.cols {
			c := t.c + i*t.ldc + 4*j
			v := 0
			if t.accumulate {
				v = *c
			}
			a, b := t.a+i*t.aRow, t.b+4*j
			for range t.segs {
				for range t.segLen {
					v = fma(*a, *b, v)
					a, b = a+t.aK, b+t.bK
				}
				a, b = a+t.aSkip, b+t.bSkip
			}
			if t.bias != nil {
				v += *(t.bias + 4*j)
			}
			if t.relu && v < 0 {
				v = 0
			}
			if t.mask != nil && *(t.mask + i*t.ldm + 4*j) <= 0 {
				v = 0
			}
			*c = v
		}
	}

and reads and writes no other floats. C may be read and written in any order.`,
		s.name(), s.maxRows(), 2*s.lanes()), "\n")
}
