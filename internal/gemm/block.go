package gemm

import (
	"math/bits"

	"vaectl/internal/isa"
)

// Block is a product of two strided operands with an epilogue:
//
//	for i in 0..M, j in 0..N:
//		v = 0, or C[i*LDC+j] if Accumulate
//		for s in 0..Segs, k in 0..SegLen:
//			v = A[s*ASeg+i*ARow+k*AK] * B[s*BSeg+k*BK+j] + v
//		v = v + Bias[j]            if Bias != nil
//		v = 0 if v < 0             if ReLU
//		v = 0 if Mask[i*LDM+j]<=0  if Mask != nil
//		C[i*LDC+j] = v
//
// All strides count floats and are not negative. A plain product has one
// segment and K = SegLen; A transposed is ARow = 1, AK = its leading dimension.
//
// Segments let a convolution read a zero-padded NHWC image in place: a segment
// is one row of the kernel, SegLen = KW*Channels, which are neighbours in the
// image; ASeg is an image row, ARow a pixel times the horizontal stride, AK 1.
// No column matrix is needed.
//
// ReLU keeps a NaN and the sign of a zero, so that a divergence stays visible.
// C must not overlap the operands. It pays to have N a multiple of 32 (a tile is
// 14 x 32 on AVX-512, 6 x 16 on AVX2), B's rows aligned to cache lines and no
// stride a multiple of 1 KiB.
type Block struct {
	M, N         int
	Segs, SegLen int

	A              []float32
	ARow, AK, ASeg int

	B        []float32
	BK, BSeg int

	C          []float32
	LDC        int
	Accumulate bool

	Bias []float32
	ReLU bool
	Mask []float32
	LDM  int
}

// Block computes b. It panics if an index that b implies lies outside its
// slice. It neither allocates nor starts goroutines.
func (k Kernels) Block(b *Block) {
	b.check()
	if b.M == 0 || b.N == 0 {
		return
	}
	if k.tier == isa.Generic {
		blockGeneric(b)
		return
	}
	blockVector(k.tier, b)
}

// check panics unless every index that b implies lies within its slice.
func (b *Block) check() {
	if b.M < 0 || b.N < 0 || b.Segs < 0 || b.SegLen < 0 {
		panic("gemm: negative block size")
	}
	if b.M == 0 || b.N == 0 {
		return
	}
	if b.Segs > 0 && b.SegLen > 0 {
		if !fits(len(b.A), b.M, b.ARow, b.SegLen, b.AK, b.Segs, b.ASeg) {
			panic("gemm: A too short for the block")
		}
		if !fits(len(b.B), b.N, 1, b.SegLen, b.BK, b.Segs, b.BSeg) {
			panic("gemm: B too short for the block")
		}
	}
	if b.LDC < b.N && b.M > 1 {
		panic("gemm: rows of C overlap")
	}
	if !fits(len(b.C), b.M, b.LDC, b.N, 1, 1, 0) {
		panic("gemm: C too short for the block")
	}
	if b.Bias != nil && len(b.Bias) < b.N {
		panic("gemm: bias too short for the block")
	}
	if b.Mask != nil && !fits(len(b.Mask), b.M, b.LDM, b.N, 1, 1, 0) {
		panic("gemm: mask too short for the block")
	}
}

// fits reports whether a slice of length n holds every index of a view with
// three extents (at least 1) and strides.
func fits(n, extent0, stride0, extent1, stride1, extent2, stride2 int) bool {
	// A negative stride becomes a huge one: it fits only if no step is taken.
	over0, last0 := bits.Mul64(uint64(extent0-1), uint64(stride0))
	over1, last1 := bits.Mul64(uint64(extent1-1), uint64(stride1))
	over2, last2 := bits.Mul64(uint64(extent2-1), uint64(stride2))
	limit := uint64(n)
	return over0|over1|over2 == 0 && last0 < limit && last1 < limit && last2 < limit &&
		last0+last1+last2 < limit
}

// genericCols is the number of columns that the generic tier sums at a time.
const genericCols = 32

// blockGeneric is the loop in the comment on Block, a strip of columns at a
// time so that B is read along its rows.
func blockGeneric(b *Block) {
	var strip [genericCols]float32
	for i := range b.M {
		for j := 0; j < b.N; j += genericCols {
			cols := min(genericCols, b.N-j)
			c := b.C[i*b.LDC+j:][:cols]
			v := strip[:cols]
			clear(v)
			if b.Accumulate {
				copy(v, c)
			}
			for s := range b.Segs {
				for k := range b.SegLen {
					a := b.A[s*b.ASeg+i*b.ARow+k*b.AK]
					row := b.B[s*b.BSeg+k*b.BK+j:][:len(v)]
					for j, x := range row {
						v[j] += a * x
					}
				}
			}
			if b.Bias != nil {
				for j, x := range b.Bias[j:][:cols] {
					v[j] += x
				}
			}
			if b.ReLU {
				for j, x := range v {
					if x < 0 {
						v[j] = 0
					}
				}
			}
			if b.Mask != nil {
				for j, m := range b.Mask[i*b.LDM+j:][:cols] {
					if m <= 0 {
						v[j] = 0
					}
				}
			}
			copy(c, v)
		}
	}
}
