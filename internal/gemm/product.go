package gemm

import "sync"

// Sizes of the blocks that a product is worked through in. An A of blockM x
// blockK stays in a 1 MiB L2 next to a B of blockKN floats; a packed panel of B
// is blockK x panel.
const (
	blockM  = 256
	blockK  = 384
	blockKN = 64 << 10
	panel   = 32
	line    = 16 // floats in a cache line
)

// product is alpha*A*B, or that plus C, as a Block of one segment.
type product struct {
	Block
	alpha  float32
	aTrans bool // ARow is 1; otherwise AK is
	bTrans bool // B[k,j] is at j*BK+k, which only a packed panel mends
}

// packed holds copies of one block of A and one panel of B.
type packed struct {
	a [blockK * (blockM + 2*line)]float32
	b [blockK * panel]float32
}

// run computes the product block by block, accumulating in C over k so that an
// element stays one chain.
func (p *product) run(kernels Kernels, scratch *sync.Pool) {
	packA, packB := p.wantPacked()
	var buf *packed
	if packA || packB {
		buf = scratch.Get().(*packed)
		defer scratch.Put(buf)
	}
	part := p.Block
	kParts, mParts := parts(p.SegLen, blockK), parts(p.M, blockM)
	for kp := range kParts {
		k, kEnd := split(p.SegLen, kParts, kp)
		part.SegLen = kEnd - k
		cols := panel
		if !packB {
			cols = max(panel, blockKN/part.SegLen/panel*panel)
		}
		for mp := range mParts {
			i, iEnd := split(p.M, mParts, mp)
			part.M = iEnd - i
			part.A = p.A[i*p.ARow+k*p.AK:]
			if packA {
				p.packA(&part, buf.a[:])
			}
			for j := 0; j < p.N; j += cols {
				part.N = min(cols, p.N-j)
				part.C = p.C[i*p.LDC+j:]
				if packB {
					p.packB(&part, buf.b[:], k, j)
				} else {
					part.B = p.B[k*p.BK+j:]
				}
				kernels.Block(&part)
			}
		}
		part.Accumulate = true
	}
}

// wantPacked decides which operands are copied: A to be multiplied by alpha, B
// to be transposed, and either when its rows lie so that they crowd into a few
// cache sets or each into a page of its own, and it is used often enough.
func (p *product) wantPacked() (a, b bool) {
	const kib, page = 256, 1024 // floats
	aStride := max(p.ARow, p.AK)
	a = p.alpha != 1 || p.N > 2*panel && (aStride%kib == 0 || p.aTrans && aStride >= page)
	b = p.bTrans || p.M > 64 && (p.BK%kib == 0 || p.BK >= page)
	return a, b
}

// packA copies the A of part, times alpha, and makes part read the copy.
func (p *product) packA(part *Block, dst []float32) {
	rows, cols, ld := part.M, part.SegLen, p.ARow
	if p.aTrans {
		rows, cols, ld = part.SegLen, part.M, p.AK
	}
	// An odd number of lines a row, so that rows differ in their cache sets.
	ldDst := (parts(cols, line) | 1) * line
	for i := range rows {
		to, from := dst[i*ldDst:][:cols], part.A[i*ld:][:cols]
		if p.alpha == 1 {
			copy(to, from)
			continue
		}
		for j, x := range from {
			to[j] = p.alpha * x
		}
	}
	part.A = dst
	if p.aTrans {
		part.AK = ldDst
	} else {
		part.ARow = ldDst
	}
}

// packB copies the panel of B that starts at k, j and makes part read the copy.
func (p *product) packB(part *Block, dst []float32, k, j int) {
	if p.bTrans {
		transpose(dst, panel, p.B[j*p.BK+k:], p.BK, part.N, part.SegLen)
	} else {
		for i := range part.SegLen {
			copy(dst[i*panel:][:part.N], p.B[(k+i)*p.BK+j:])
		}
	}
	part.B, part.BK = dst, panel
}

// parts is the least number of parts of at most size that make up n.
func parts(n, size int) int { return (n + size - 1) / size }

// split returns the bounds of part i of n things in nearly equal parts.
func split(n, parts, i int) (lo, hi int) {
	return i * n / parts, (i + 1) * n / parts
}

// transposeGeneric sets dst[k*ldDst+j] to src[j*ldSrc+k] for j in 0..rows and k
// in 0..cols.
func transposeGeneric(dst []float32, ldDst int, src []float32, ldSrc int, rows, cols int) {
	for j := range rows {
		for k, x := range src[j*ldSrc:][:cols] {
			dst[k*ldDst+j] = x
		}
	}
}
