package gemm

import (
	"sync"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"

	"vaectl/internal/isa"
)

// BLAS is gonum's float32 BLAS with a faster Sgemm. Install it with
// blas32.Use. It starts no goroutines and may be used by any number of them.
type BLAS struct {
	gonum.Implementation
	kernels Kernels
	scratch *sync.Pool // of *packed
}

// NewBLAS returns a BLAS on the given kernels.
func NewBLAS(k Kernels) BLAS {
	return BLAS{kernels: k, scratch: &sync.Pool{New: func() any { return new(packed) }}}
}

// Sgemm performs C = alpha*op(A)*op(B) + beta*C, where op is the identity or
// the transpose, op(A) is m x k, op(B) k x n and C m x n, all in row order. It
// panics on bad arguments as gonum does. With beta 0 C is not read; with alpha
// 0 A and B are not.
//
// On a vector tier an element is the chain of fused multiply-adds
//
//	c = 0 or fl(beta*c); for l in 0..k: c = fl(alpha*a)*b + c
//
// whatever the sizes. On the generic tier it is gonum's own Sgemm.
func (impl BLAS) Sgemm(tA, tB blas.Transpose, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	// With alpha 0 and beta 1 gonum's checks its arguments and returns.
	impl.Implementation.Sgemm(tA, tB, m, n, k, 0, a, lda, b, ldb, 1, c, ldc)
	if m == 0 || n == 0 {
		return
	}
	if alpha == 0 || k == 0 {
		scale(beta, m, n, c, ldc)
		return
	}
	if impl.kernels.tier == isa.Generic {
		impl.sgemmGeneric(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
		return
	}
	if beta != 0 {
		scale(beta, m, n, c, ldc)
	}
	p := product{
		Block: Block{
			M: m, N: n, Segs: 1, SegLen: k,
			A: a, ARow: lda, AK: 1,
			B: b, BK: ldb,
			C: c, LDC: ldc, Accumulate: beta != 0,
		},
		alpha:  alpha,
		aTrans: tA != blas.NoTrans,
		bTrans: tB != blas.NoTrans,
	}
	if p.aTrans {
		p.ARow, p.AK = 1, lda
	}
	p.run(impl.kernels, impl.scratch)
}

// sgemmGeneric calls gonum's Sgemm in pieces of fewer than four 64 x 64 blocks
// of C, for which it starts no goroutines and allocates nothing.
func (impl BLAS) sgemmGeneric(tA, tB blas.Transpose, m, n, k int, alpha float32, a []float32, lda int, b []float32, ldb int, beta float32, c []float32, ldc int) {
	const rows, cols = 64, 3 * 64
	aRow, bCol := lda, 1
	if tA != blas.NoTrans {
		aRow = 1
	}
	if tB != blas.NoTrans {
		bCol = ldb
	}
	for i := 0; i < m; i += rows {
		for j := 0; j < n; j += cols {
			impl.Implementation.Sgemm(tA, tB, min(rows, m-i), min(cols, n-j), k,
				alpha, a[i*aRow:], lda, b[j*bCol:], ldb, beta, c[i*ldc+j:], ldc)
		}
	}
}

// scale sets C to beta*C, and to zero for beta 0 whatever it held.
func scale(beta float32, m, n int, c []float32, ldc int) {
	if beta == 1 {
		return
	}
	for i := range m {
		row := c[i*ldc:][:n]
		if beta == 0 {
			clear(row)
			continue
		}
		for j := range row {
			row[j] *= beta
		}
	}
}
