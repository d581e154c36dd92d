//go:build !amd64

package gemm

// available reports whether this CPU offers a tier.
func available(t Tier) bool { return t == Generic }

// blockVector and peakVector are never reached: New makes no vector kernels.
func blockVector(Tier, *Block) { panic("gemm: no vector tier on this architecture") }
func peakVector(Tier, int) int { panic("gemm: no vector tier on this architecture") }

// transpose equals transposeGeneric.
func transpose(dst []float32, ldDst int, src []float32, ldSrc int, rows, cols int) {
	transposeGeneric(dst, ldDst, src, ldSrc, rows, cols)
}
