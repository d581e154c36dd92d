package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"vaectl/internal/isa"
)

// fma32 is x*y+z rounded once to float32.
func fma32(x, y, z float32) float32 {
	p, c := float64(x)*float64(y), float64(z) // p is exact
	s := p + c
	if math.IsNaN(s) || math.IsInf(s, 0) {
		return float32(s)
	}
	// Rounding s a second time may go the wrong way only from a tie, which a
	// sum rounded to odd is not if it is inexact.
	t := s - p
	if err := (p - (s - t)) + (c - t); err != 0 && math.Float64bits(s)&1 == 0 {
		s = math.Nextafter(s, math.Inf(int(math.Copysign(1, err))))
	}
	return float32(s)
}

func TestFMA32(t *testing.T) {
	ulp := float32(math.Ldexp(1, -23))
	for _, c := range []struct{ x, y, z, want float32 }{
		{1 + ulp, 1 + ulp, -1, 2*ulp + ulp*ulp},
		// Just above and just below the tie between 1 and 1+ulp: rounding to
		// float64 first would make both the tie.
		{ulp / 2, 1 + ulp*ulp, 1, 1},
		{1 + ulp, (1 + ulp) / 2 * ulp, 1, 1 + ulp},
		{1 - ulp/2, (1 + ulp/2) / 2 * ulp, 1, 1},
		{0x1p-100, 0x1p-30, 0x1p24, 0x1p24},
		{0x1p-75, 0x1p-74, 0, 0x1p-149},
		{0x1p100, 0x1p100, 1, float32(math.Inf(1))},
	} {
		if got := fma32(c.x, c.y, c.z); got != c.want {
			t.Errorf("fma32(%v, %v, %v) = %v, want %v", c.x, c.y, c.z, got, c.want)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		x, y := float32(r.NormFloat64()), float32(r.NormFloat64())
		if got, want := fma32(x, y, 0), x*y; got != want {
			t.Fatalf("fma32(%v, %v, 0) = %v, want %v", x, y, got, want)
		}
	}
}

// reference computes b as its documentation says, every multiply-add rounded
// once.
func reference(b *Block) { referenceWith(b, fma32) }

func referenceWith(b *Block, fma func(x, y, z float32) float32) {
	for i := range b.M {
		for j := range b.N {
			var v float32
			if b.Accumulate {
				v = b.C[i*b.LDC+j]
			}
			for s := range b.Segs {
				for k := range b.SegLen {
					v = fma(b.A[s*b.ASeg+i*b.ARow+k*b.AK], b.B[s*b.BSeg+k*b.BK+j], v)
				}
			}
			if b.Bias != nil {
				v += b.Bias[j]
			}
			if b.ReLU && v < 0 {
				v = 0
			}
			if b.Mask != nil && b.Mask[i*b.LDM+j] <= 0 {
				v = 0
			}
			b.C[i*b.LDC+j] = v
		}
	}
}

// sameBits reports whether x and y are equal bit by bit, any NaN being equal to
// any other.
func sameBits(x, y []float32) bool {
	return slices.EqualFunc(x, y, func(a, b float32) bool {
		return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
	})
}

func integers(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.IntN(9) - 4)
	}
	return x
}

func normals(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// TestBlockEveryRemainder compares all small sizes with the plain loop: exactly,
// for the numbers are small integers. Nothing outside the block may change.
func TestBlockEveryRemainder(t *testing.T) {
	const maxM, maxN, maxK = 30, 70, 20
	const lda, ldb, ldc = maxK + 3, maxN + 1, maxN + 2
	r := rand.New(rand.NewPCG(3, 4))
	a, b := integers(r, maxM*lda), integers(r, maxK*ldb)
	before := integers(r, (maxM+1)*ldc)
	whole, c := make([]float32, len(before)), make([]float32, len(before))
	for k := range maxK + 1 {
		blk := Block{
			Segs: 1, SegLen: k,
			A: a, ARow: lda, AK: 1, B: b, BK: ldb,
			LDC: ldc, Accumulate: k%2 == 1,
		}
		copy(whole, before)
		blk.M, blk.N, blk.C = maxM, maxN, whole
		reference(&blk)
		forTiers(t, func(t *testing.T, kern Kernels) {
			for m := range maxM + 1 {
				for n := range maxN + 1 {
					copy(c, before[:(m+1)*ldc])
					blk.M, blk.N, blk.C = m, n, c
					kern.Block(&blk)
					for i := range m + 1 {
						inside := n
						if i == m {
							inside = 0
						}
						got, want, old := c[i*ldc:][:ldc], whole[i*ldc:][:ldc], before[i*ldc:][:ldc]
						if !slices.Equal(got[:inside], want[:inside]) || !slices.Equal(got[inside:], old[inside:]) {
							t.Fatalf("%dx%dx%d, row %d:\n%v, want\n%v, then\n%v", m, n, k, i, got, want[:inside], old[inside:])
						}
					}
				}
			}
		})
	}
}

// blockCase is a block with room for its operands to be filled in.
type blockCase struct {
	name           string
	b              Block
	lenA, lenB, ld int // floats of A, of B, leading dimension of C and Mask
}

// blockCases are the ways in which an engine reads its operands.
func blockCases() []blockCase {
	var cases []blockCase
	// Convolutions that read a padded NHWC image of w pixels in place.
	for _, g := range []struct{ w, channels, kernel, stride, n int }{
		{16, 16, 3, 1, 40}, {14, 3, 3, 1, 33}, {15, 5, 5, 2, 16}, {9, 1, 1, 1, 1}, {13, 2, 2, 3, 40}, {30, 1, 3, 1, 32},
	} {
		row := g.w * g.channels
		seg := g.kernel * g.channels
		cases = append(cases, blockCase{
			name: fmt.Sprintf("conv w%d c%d k%d s%d n%d", g.w, g.channels, g.kernel, g.stride, g.n),
			b: Block{
				M: (g.w-g.kernel)/g.stride + 1, N: g.n, Segs: g.kernel, SegLen: seg,
				ARow: g.stride * g.channels, AK: 1, ASeg: row, BK: g.n, BSeg: seg * g.n,
			},
			lenA: g.kernel * row, lenB: g.kernel * seg * g.n, ld: g.n,
		})
		// The weight gradient of the same: A transposed, a segment an output row.
		out := (g.w-g.kernel)/g.stride + 1
		cases = append(cases, blockCase{
			name: fmt.Sprintf("wgrad w%d c%d k%d s%d n%d", g.w, g.channels, g.kernel, g.stride, g.n),
			b: Block{
				M: seg, N: g.n, Segs: out, SegLen: out,
				ARow: 1, AK: g.stride * g.channels, ASeg: g.stride * row, BK: g.n, BSeg: out * g.n,
			},
			lenA: (g.stride*(out-1) + 1) * row, lenB: out * out * g.n, ld: g.n,
		})
	}
	for _, s := range []struct{ m, n, k int }{{14, 32, 100}, {6, 16, 33}, {29, 65, 50}, {1, 1, 300}, {3, 17, 0}} {
		cases = append(cases, blockCase{
			name: fmt.Sprintf("plain %dx%dx%d", s.m, s.n, s.k),
			b:    Block{M: s.m, N: s.n, Segs: 1, SegLen: s.k, ARow: s.k, AK: 1, BK: s.n},
			lenA: s.m * s.k, lenB: s.k * s.n, ld: s.n + 5,
		}, blockCase{
			name: fmt.Sprintf("transposed %dx%dx%d", s.m, s.n, s.k),
			b:    Block{M: s.m, N: s.n, Segs: 1, SegLen: s.k, ARow: 1, AK: s.m + 3, BK: s.n + 1},
			lenA: s.k * (s.m + 3), lenB: s.k * (s.n + 1), ld: s.n + 1,
		})
	}
	return append(cases,
		blockCase{
			name: "one value for all",
			b:    Block{M: 15, N: 20, Segs: 3, SegLen: 4},
			lenA: 1, lenB: 20, ld: 20,
		},
		// More steps than one kernel call takes, cut between and in segments.
		blockCase{
			name: "many segments",
			b:    Block{M: 3, N: 5, Segs: 90, SegLen: 100, ARow: 1, AK: 2, ASeg: 3, BK: 1, BSeg: 7},
			lenA: 500, lenB: 800, ld: 5,
		},
		blockCase{
			name: "long segments",
			b:    Block{M: 2, N: 5, Segs: 2, SegLen: 2*maxSteps + 1, ARow: 1, AK: 2, ASeg: 5, BK: 3, BSeg: 7},
			lenA: 4*maxSteps + 10, lenB: 6*maxSteps + 20, ld: 5,
		},
	)
}

// epilogues calls f with b in every combination of what comes before and after
// the sum.
func epilogues(b Block, bias, mask []float32, f func(name string, b Block)) {
	for bits := range 16 {
		b := b
		b.Accumulate, b.ReLU = bits&1 != 0, bits&2 != 0
		b.Bias, b.Mask = nil, nil
		if bits&4 != 0 {
			b.Bias = bias
		}
		if bits&8 != 0 {
			b.Mask = mask
		}
		f(fmt.Sprintf("accumulate %v relu %v bias %v mask %v", b.Accumulate, b.ReLU, b.Bias != nil, b.Mask != nil), b)
	}
}

// TestBlockMatchesReference compares every kind of view and epilogue with the
// plain loop: the vector tiers to the last bit, the generic one, on integers,
// exactly too. Operands start at every offset from a cache line.
func TestBlockMatchesReference(t *testing.T) {
	forTiers(t, func(t *testing.T, k Kernels) {
		r := rand.New(rand.NewPCG(5, 6))
		fill, mulAdd := normals, fma32
		if k.Tier() == isa.Generic {
			fill, mulAdd = integers, func(x, y, z float32) float32 { return x*y + z }
		}
		for n, c := range blockCases() {
			off := n % 16
			b := c.b
			b.A, b.B = fill(r, off+c.lenA)[off:], fill(r, off+c.lenB)[off:]
			b.LDC, b.LDM = c.ld, c.ld+1
			before := fill(r, off+b.M*b.LDC)[off:]
			bias, mask := fill(r, off+b.N)[off:], integers(r, off+b.M*b.LDM)[off:]
			epilogues(b, bias, mask, func(name string, b Block) {
				b.C = slices.Clone(before)
				referenceWith(&b, mulAdd)
				want := b.C
				b.C = slices.Clone(before)
				k.Block(&b)
				if !sameBits(b.C, want) {
					t.Errorf("%s, %s: C differs from the reference", c.name, name)
				}
			})
		}
	})
}

// TestBlockError holds every tier to the error bound of a sum of K products:
// K+1 roundings of at most 2^-24 each, relative to the sum of magnitudes.
func TestBlockError(t *testing.T) {
	forTiers(t, func(t *testing.T, k Kernels) {
		r := rand.New(rand.NewPCG(7, 8))
		for _, c := range blockCases() {
			b := c.b
			b.A, b.B, b.LDC = normals(r, c.lenA), normals(r, c.lenB), c.ld
			b.C = make([]float32, b.M*b.LDC)
			k.Block(&b)
			for i := range b.M {
				for j := range b.N {
					var sum, size float64
					for s := range b.Segs {
						for k := range b.SegLen {
							p := float64(b.A[s*b.ASeg+i*b.ARow+k*b.AK]) * float64(b.B[s*b.BSeg+k*b.BK+j])
							sum, size = sum+p, size+math.Abs(p)
						}
					}
					bound := float64(b.Segs*b.SegLen+1) * 0x1p-24 * size
					if got := float64(b.C[i*b.LDC+j]); math.Abs(got-sum) > bound {
						t.Fatalf("%s: C[%d,%d] = %v, want %v within %.2g", c.name, i, j, got, sum, bound)
					}
				}
			}
		}
	})
}

// TestBlockSpecialValues sends NaN, infinities, both zeros, denormals and the
// largest numbers through sums and epilogues.
func TestBlockSpecialValues(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	special := []float32{
		nan, inf, -inf, 0, float32(math.Copysign(0, -1)), 1, -1,
		math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32, 0x1p-127, 0x1.8p-63, -0x1.2p-64,
		math.MaxFloat32, -math.MaxFloat32, 3, -0.5,
	}
	n := len(special)
	forTiers(t, func(t *testing.T, k Kernels) {
		for _, steps := range []int{0, 1, 2} {
			b := Block{
				M: n, N: n, Segs: 1, SegLen: steps,
				A: slices.Concat(special, special[5:], special[:5]), ARow: 1, AK: n,
				B: slices.Concat(special, special[3:], special[:3]), BK: n,
				LDC: n, LDM: n,
			}
			before := slices.Repeat(special, n)
			var mask []float32
			for _, x := range special {
				mask = append(mask, slices.Repeat([]float32{x}, n)...)
			}
			epilogues(b, special, mask, func(name string, b Block) {
				b.C = slices.Clone(before)
				reference(&b)
				want, wantTwice := b.C, b.C
				if k.Tier() == isa.Generic {
					// Go may, or may not, round the product first.
					b.C = slices.Clone(before)
					referenceWith(&b, func(x, y, z float32) float32 { return float32(x*y) + z })
					wantTwice = b.C
				}
				b.C = slices.Clone(before)
				k.Block(&b)
				for i := range b.C {
					if got := b.C[i : i+1]; !sameBits(got, want[i:i+1]) && !sameBits(got, wantTwice[i:i+1]) {
						t.Errorf("%d steps, %s: C[%d,%d] = %v, want %v", steps, name, i/n, i%n, got[0], want[i])
					}
				}
			})
		}
	})
}

// TestBlockBounds goes one beyond each limit: no index may be reached that lies
// outside a slice, whatever the sizes and strides.
func TestBlockBounds(t *testing.T) {
	good := Block{
		M: 3, N: 4, Segs: 2, SegLen: 5,
		A: make([]float32, 2*7+4*1+1*50+1), ARow: 7, AK: 1, ASeg: 50,
		B: make([]float32, 3+4*8+1*40+1), BK: 8, BSeg: 40,
		C: make([]float32, 2*6+4), LDC: 6,
		Bias: make([]float32, 4),
		Mask: make([]float32, 2*9+4), LDM: 9,
	}
	const huge = math.MaxInt
	const shortA, shortB, shortC = "gemm: A too short for the block", "gemm: B too short for the block", "gemm: C too short for the block"
	const shortMask, negative = "gemm: mask too short for the block", "gemm: negative block size"
	cases := []struct {
		name, want string
		edit       func(b *Block)
	}{
		{"M", negative, func(b *Block) { b.M = -1 }},
		{"N", negative, func(b *Block) { b.N = -1 }},
		{"Segs", negative, func(b *Block) { b.Segs = -1 }},
		{"SegLen", negative, func(b *Block) { b.SegLen = -1 }},
		{"A", shortA, func(b *Block) { b.A = b.A[1:] }},
		{"A nil", shortA, func(b *Block) { b.A = nil }},
		{"ARow", shortA, func(b *Block) { b.ARow++ }},
		{"AK", shortA, func(b *Block) { b.AK++ }},
		{"ASeg", shortA, func(b *Block) { b.ASeg++ }},
		{"ARow negative", shortA, func(b *Block) { b.ARow = -1 }},
		{"ARow huge", shortA, func(b *Block) { b.ARow = huge/2 + 1 }},
		{"AK huge", shortA, func(b *Block) { b.AK = huge }},
		{"ASeg huge", shortA, func(b *Block) { b.ASeg = huge }},
		{"M huge", shortA, func(b *Block) { b.M = huge }},
		{"Segs huge", shortA, func(b *Block) { b.Segs = huge }},
		{"SegLen huge", shortA, func(b *Block) { b.SegLen = huge }},
		{"B", shortB, func(b *Block) { b.B = b.B[1:] }},
		{"B nil", shortB, func(b *Block) { b.B = nil }},
		{"BK", shortB, func(b *Block) { b.BK++ }},
		{"BK negative", shortB, func(b *Block) { b.BK = -8 }},
		{"BSeg", shortB, func(b *Block) { b.BSeg++ }},
		{"N huge", shortB, func(b *Block) { b.N = huge }},
		{"C", shortC, func(b *Block) { b.C = b.C[1:] }},
		{"C nil", shortC, func(b *Block) { b.C = nil }},
		{"LDC", shortC, func(b *Block) { b.LDC++ }},
		{"LDC below N", "gemm: rows of C overlap", func(b *Block) { b.LDC = 3 }},
		{"bias", "gemm: bias too short for the block", func(b *Block) { b.Bias = b.Bias[1:] }},
		{"mask", shortMask, func(b *Block) { b.Mask = b.Mask[1:] }},
		{"LDM", shortMask, func(b *Block) { b.LDM++ }},
		{"LDM negative", shortMask, func(b *Block) { b.LDM = -1 }},
	}
	forTiers(t, func(t *testing.T, k Kernels) {
		k.Block(&good)
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				b := good
				c.edit(&b)
				mustPanic(t, c.want, func() { k.Block(&b) })
			})
		}
	})
}
