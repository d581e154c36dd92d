//go:build !race

package train

import (
	"testing"

	"gonum.org/v1/gonum/blas/blas32"

	"vaectl/internal/gemm"
	"vaectl/internal/isa"
)

// The race detector makes sync.Pool forget things at random, so allocations are
// counted without it.

// A training step allocates nothing, on any tier.
func TestStepAllocatesNothing(t *testing.T) {
	defer blas32.Use(blas32.Implementation())
	for tier := isa.Generic; tier <= isa.Best(); tier++ {
		blas32.Use(gemm.NewBLAS(gemm.New(tier)))
		c := small()
		c.Height, c.Width, c.BatchSize = 28, 28, 16
		r := startOn(t, tier, c, stripes(16, 0, 28, 28), 2)
		x := r.images
		r.train.Fill(x, r.order)
		if a := testing.AllocsPerRun(3, func() { r.step(x) }); a != 0 {
			t.Errorf("%v tier: a step allocates %v times", tier, a)
		}
	}
}
