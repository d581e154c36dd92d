package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
)

// genPeak writes the loop that measures an instruction set's ceiling: as many
// independent chains of FMAs as its largest tile has, and no memory.
func genPeak(s isa) {
	c := s.ctx()
	chains := 2 * s.maxRows()
	function(c, "peak"+s.name(), "func(steps int)",
		fmt.Sprintf("peak%s equals, for steps > 0,", s.name()),
		"",
		fmt.Sprintf("	var v [%d][%d]float32", chains, s.lanes()),
		"	for range steps {",
		"		for i := range v {",
		"			for j := range v[i] {",
		"				v[i][j] = 0*0 + v[i][j]",
		"			}",
		"		}",
		"	}",
		"",
		"with registers for v.")
	c.Load(c.Param("steps"), cntK)
	for i := range chains + 1 {
		s.zero(s.vec(i))
	}
	x := s.vec(chains)
	c.Label("loop")
	for i := range chains {
		c.VFMADD231PS(x, x, s.vec(i))
	}
	c.DECQ(cntK)
	c.JNZ(operand.LabelRef("loop"))
	c.VZEROUPPER()
	c.RET()
}
