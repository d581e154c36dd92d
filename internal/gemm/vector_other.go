//go:build !amd64

package gemm

import "vaectl/internal/isa"

// blockVector and peakVector are never reached: New makes no vector kernels.
func blockVector(isa.Tier, *Block) { panic("gemm: no vector tier on this architecture") }
func peakVector(isa.Tier, int) int { panic("gemm: no vector tier on this architecture") }

// transpose equals transposeGeneric.
func transpose(dst []float32, ldDst int, src []float32, ldSrc int, rows, cols int) {
	transposeGeneric(dst, ldDst, src, ldSrc, rows, cols)
}
