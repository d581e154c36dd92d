package gemm

import "vaectl/internal/isa"

// Transpose sets dst[k*ldDst+j] to src[j*ldSrc+k] for j in 0..rows and k in
// 0..cols. It panics if an index lies outside its slice.
func (k Kernels) Transpose(dst []float32, ldDst int, src []float32, ldSrc int, rows, cols int) {
	if k.tier == isa.Generic {
		transposeGeneric(dst, ldDst, src, ldSrc, rows, cols)
		return
	}
	transpose(dst, ldDst, src, ldSrc, rows, cols)
}
