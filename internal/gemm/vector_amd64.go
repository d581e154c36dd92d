package gemm

import (
	"unsafe"

	"vaectl/internal/isa"
)

// tileSize returns the rows and columns of the largest tile of a vector tier:
// what fills its registers with accumulators.
func tileSize(tier isa.Tier) (rows, cols int) {
	if tier == isa.AVX512 {
		return 14, 32
	}
	return 6, 16
}

// tile is what a tile kernel is given: a Block of few enough rows and columns
// to be held in registers. Strides count bytes.
type tile struct {
	a, b, c    unsafe.Pointer
	bias, mask unsafe.Pointer // nil for none
	rows, cols int

	segs, segLen int // segLen at least 1
	aRow, aK     int
	bK           int
	aSkip, bSkip int // from the end of a segment to the start of the next
	ldc, ldm     int

	accumulate, relu bool
}

// blockVector computes a checked block of a vector tier in tiles.
func blockVector(tier isa.Tier, b *Block) {
	if b.SegLen > 0 && b.Segs > maxSteps/b.SegLen {
		blockInParts(tier, b)
		return
	}
	const size = int(unsafe.Sizeof(float32(0)))
	t := tile{
		segs: b.Segs, segLen: b.SegLen,
		aRow: b.ARow * size, aK: b.AK * size,
		bK:    b.BK * size,
		aSkip: (b.ASeg - b.SegLen*b.AK) * size,
		bSkip: (b.BSeg - b.SegLen*b.BK) * size,
		ldc:   b.LDC * size, ldm: b.LDM * size,
		accumulate: b.Accumulate, relu: b.ReLU,
	}
	if t.segLen == 0 {
		t.segs = 0
	}
	maxRows, maxCols := tileSize(tier)
	baseA := unsafe.Pointer(unsafe.SliceData(b.A))
	baseB := unsafe.Pointer(unsafe.SliceData(b.B))
	baseC := unsafe.Pointer(unsafe.SliceData(b.C))
	// Strips of nearly equal height: a low tile keeps the FMA units less busy.
	strips := parts(b.M, maxRows)
	for n := range strips {
		i, end := split(b.M, strips, n)
		t.rows = end - i
		if t.segs > 0 {
			t.a = unsafe.Add(baseA, i*t.aRow)
		}
		for j := 0; j < b.N; j += maxCols {
			t.cols = min(maxCols, b.N-j)
			t.c = unsafe.Add(baseC, i*t.ldc+j*size)
			if t.segs > 0 {
				t.b = unsafe.Add(baseB, j*size)
			}
			if b.Bias != nil {
				t.bias = unsafe.Pointer(&b.Bias[j])
			}
			if b.Mask != nil {
				t.mask = unsafe.Pointer(&b.Mask[i*b.LDM+j])
			}
			if tier == isa.AVX512 {
				tileAVX512(&t)
			} else {
				tileAVX2(&t)
			}
		}
	}
}

// blockInParts computes a block with more than maxSteps steps as several that
// accumulate in C. The epilogue belongs to the last.
func blockInParts(tier isa.Tier, b *Block) {
	part := *b
	part.Bias, part.ReLU, part.Mask = nil, false, nil
	segs := max(1, maxSteps/b.SegLen)
	for s := 0; s < b.Segs; s += segs {
		part.Segs = min(segs, b.Segs-s)
		for k := 0; k < b.SegLen; k += maxSteps {
			part.SegLen = min(maxSteps, b.SegLen-k)
			part.A = b.A[s*b.ASeg+k*b.AK:]
			part.B = b.B[s*b.BSeg+k*b.BK:]
			if s+part.Segs == b.Segs && k+part.SegLen == b.SegLen {
				part.Bias, part.ReLU, part.Mask = b.Bias, b.ReLU, b.Mask
			}
			blockVector(tier, &part)
			part.Accumulate = true
		}
	}
}

// peakVector runs the ceiling loop of a vector tier, which has as many chains as
// a tile.
func peakVector(tier isa.Tier, steps int) (flops int) {
	if tier == isa.AVX512 {
		peakAVX512(steps)
	} else {
		peakAVX2(steps)
	}
	rows, cols := tileSize(tier)
	return steps * rows * cols * 2
}

// transpose equals transposeGeneric.
func transpose(dst []float32, ldDst int, src []float32, ldSrc int, rows, cols int) {
	rows8, cols8 := rows&^7, cols&^7
	if rows8 == 0 || cols8 == 0 {
		transposeGeneric(dst, ldDst, src, ldSrc, rows, cols)
		return
	}
	if !fits(len(dst), cols8, ldDst, rows8, 1, 1, 0) || !fits(len(src), rows8, ldSrc, cols8, 1, 1, 0) {
		panic("gemm: matrix too short for its transpose")
	}
	for j := 0; j < rows8; j += 8 {
		transpose8AVX2(&dst[j], &src[j*ldSrc], ldDst, ldSrc, cols8/8)
	}
	if cols8 < cols {
		transposeGeneric(dst[cols8*ldDst:], ldDst, src[cols8:], ldSrc, rows8, cols-cols8)
	}
	if rows8 < rows {
		transposeGeneric(dst[rows8:], ldDst, src[rows8*ldSrc:], ldSrc, rows-rows8, cols)
	}
}
