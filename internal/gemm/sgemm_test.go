package gemm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"gonum.org/v1/gonum/blas/gonum"

	"vaectl/internal/isa"
)

var _ blas.Float32 = BLAS{}

// call is one call of Sgemm.
type call struct {
	tA, tB        blas.Transpose
	m, n, k       int
	alpha, beta   float32
	a, b, c       []float32
	lda, ldb, ldc int
}

func (x call) String() string {
	return fmt.Sprintf("%c%c %dx%dx%d ld %d %d %d alpha %v beta %v",
		x.tA, x.tB, x.m, x.n, x.k, x.lda, x.ldb, x.ldc, x.alpha, x.beta)
}

func (x call) on(impl blas.Float32) {
	impl.Sgemm(x.tA, x.tB, x.m, x.n, x.k, x.alpha, x.a, x.lda, x.b, x.ldb, x.beta, x.c, x.ldc)
}

// newCall returns a call whose operands, of the least length, come from fill,
// and whose rows are followed by a gap.
func newCall(tA, tB blas.Transpose, m, n, k, gap int, fill func(n int) []float32) call {
	x := call{tA: tA, tB: tB, m: m, n: n, k: k, alpha: 1, lda: k + gap, ldb: n + gap, ldc: n + gap}
	aRows, aCols, bRows, bCols := m, k, k, n
	if tA != blas.NoTrans {
		aRows, aCols, x.lda = k, m, m+gap
	}
	if tB != blas.NoTrans {
		bRows, bCols, x.ldb = n, k, k+gap
	}
	x.a = fill((aRows-1)*x.lda + aCols)
	x.b = fill((bRows-1)*x.ldb + bCols)
	x.c = fill((m-1)*x.ldc + n)
	return x
}

// forms calls f with the four forms of a product.
func forms(f func(tA, tB blas.Transpose)) {
	for _, tA := range []blas.Transpose{blas.NoTrans, blas.Trans} {
		for _, tB := range []blas.Transpose{blas.NoTrans, blas.Trans} {
			f(tA, tB)
		}
	}
}

// atA and atB are elements of op(A) and op(B).
func (x call) atA(i, l int) float32 {
	if x.tA != blas.NoTrans {
		return x.a[l*x.lda+i]
	}
	return x.a[i*x.lda+l]
}

func (x call) atB(l, j int) float32 {
	if x.tB != blas.NoTrans {
		return x.b[j*x.ldb+l]
	}
	return x.b[l*x.ldb+j]
}

// sums returns op(A)*op(B), which must be exact in float64, row by row.
func (x call) sums() []float64 {
	sums := make([]float64, x.m*x.n)
	for i := range x.m {
		row := sums[i*x.n:][:x.n]
		for l := range x.k {
			a := float64(x.atA(i, l))
			for j := range row {
				row[j] += a * float64(x.atB(l, j))
			}
		}
	}
	return sums
}

// checkExact makes the call with every alpha and beta on a copy of C and
// compares with the sums by ==. Everything is a small multiple of 1/4.
func checkExact(t *testing.T, impls []BLAS, x call, alphas, betas []float32) {
	t.Helper()
	sums := x.sums()
	before := x.c
	want := slices.Clone(before)
	for _, x.alpha = range alphas {
		for _, x.beta = range betas {
			start := slices.Clone(before)
			for i := range x.m {
				for j := range x.n {
					c := i*x.ldc + j
					want[c] = x.alpha*float32(sums[i*x.n+j]) + x.beta*before[c]
					if x.beta == 0 {
						start[c] = float32(math.NaN())
					}
				}
			}
			for _, impl := range impls {
				x.c = slices.Clone(start)
				x.on(impl)
				if i := firstDifference(x.c, want); i >= 0 {
					t.Fatalf("%v, %v: C[%d,%d] = %v, want %v", impl.kernels.Tier(), x, i/x.ldc, i%x.ldc, x.c[i], want[i])
				}
			}
		}
	}
}

// firstDifference returns the first index at which x and y differ, or -1.
func firstDifference(x, y []float32) int {
	for i := range x {
		if x[i] != y[i] {
			return i
		}
	}
	return -1
}

// allBLAS returns an implementation for each tier from the given one up.
func allBLAS(from isa.Tier) []BLAS {
	var impls []BLAS
	for _, tier := range tiers()[from:] {
		impls = append(impls, NewBLAS(New(tier)))
	}
	return impls
}

// TestSgemmExact compares all forms and factors with the plain loop by ==, on
// small integers, in sizes around those of tiles, panels and blocks.
func TestSgemmExact(t *testing.T) {
	sizes := []struct{ m, n, k, gap int }{
		{1, 1, 1, 0}, {14, 32, 64, 0}, {15, 33, 65, 3}, {13, 31, 63, 1}, {29, 70, 20, 5},
		{1, 200, 3, 0}, {200, 1, 3, 0}, {3, 4, 800, 2},
		{blockM, panel, blockK, 0}, {blockM + 1, panel + 1, blockK + 1, 1},
		// Rows so far apart that operands are packed where that is no need of
		// the form: a page, and a multiple of 1 KiB.
		{70, 80, 30, 1000}, {65, 256, blockK + 10, 0}, {256, 70, 10, 0}, {20, 70, 256, 0},
		// A B wider than what is multiplied at a time.
		{5, blockKN/128 + 10, 129, 0},
	}
	factors := []float32{0, 1, -1, 0.5}
	r := rand.New(rand.NewPCG(9, 10))
	fill := func(n int) []float32 { return integers(r, n) }
	for _, s := range sizes {
		forms(func(tA, tB blas.Transpose) {
			checkExact(t, allBLAS(isa.Generic), newCall(tA, tB, s.m, s.n, s.k, s.gap, fill), factors, factors)
		})
	}
}

// TestSgemmEveryRemainder covers the edges of the packing of B.
func TestSgemmEveryRemainder(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	fill := func(n int) []float32 { return integers(r, n) }
	for n := 1; n <= 35; n++ {
		for k := 1; k <= 18; k++ {
			forms(func(tA, tB blas.Transpose) {
				checkExact(t, allBLAS(isa.Generic), newCall(tA, tB, 3, n, k, n%3, fill), []float32{1, -1}, []float32{0, 1})
			})
		}
	}
}

// TestSgemmIsOneChain holds the vector tiers to the documented chain, bit by
// bit, across blocks of every dimension.
func TestSgemmIsOneChain(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	fill := func(n int) []float32 { return normals(r, n) }
	for _, s := range []struct{ m, n, k int }{{5, 33, blockK + 20}, {blockM + 1, 17, 20}, {17, 65, 256}} {
		forms(func(tA, tB blas.Transpose) {
			x := newCall(tA, tB, s.m, s.n, s.k, 1, fill)
			before := x.c
			for _, f := range [][2]float32{{1, 0}, {0.7, 1}, {-1.3, 0.3}} {
				x.alpha, x.beta = f[0], f[1]
				want := slices.Clone(before)
				for i := range x.m {
					for j := range x.n {
						c := x.beta * before[i*x.ldc+j]
						if x.beta == 0 {
							c = 0
						}
						for l := range x.k {
							c = fma32(x.alpha*x.atA(i, l), x.atB(l, j), c)
						}
						want[i*x.ldc+j] = c
					}
				}
				for _, impl := range allBLAS(isa.AVX2) {
					x.c = slices.Clone(before)
					x.on(impl)
					if !sameBits(x.c, want) {
						t.Errorf("%v, %v: C is not the documented chain", impl.kernels.Tier(), x)
					}
				}
			}
		})
	}
}

// TestSgemmNaN shows that on the vector tiers no NaN is lost to a zero factor,
// and that an operand is not read where BLAS says so.
func TestSgemmNaN(t *testing.T) {
	nan := float32(math.NaN())
	forTiers(t, func(t *testing.T, k Kernels) {
		impl := NewBLAS(k)
		c := []float32{nan}
		impl.Sgemm(blas.NoTrans, blas.NoTrans, 1, 1, 2, 0, []float32{nan, nan}, 2, []float32{nan, nan}, 1, 0, c, 1)
		if c[0] != 0 {
			t.Errorf("alpha 0, beta 0: %v, want 0", c[0])
		}
		c = []float32{nan}
		impl.Sgemm(blas.NoTrans, blas.NoTrans, 1, 1, 0, 1, nil, 1, nil, 1, 0, c, 1)
		if c[0] != 0 {
			t.Errorf("k 0, beta 0: %v, want 0", c[0])
		}
		if k.Tier() == isa.Generic {
			return
		}
		impl.Sgemm(blas.NoTrans, blas.NoTrans, 1, 1, 2, 1, []float32{0, 1}, 2, []float32{nan, 1}, 1, 0, c, 1)
		if c[0] == c[0] {
			t.Errorf("0*NaN+1 = %v, want NaN", c[0])
		}
	})
}

// TestSgemmPanics compares with gonum's own panics.
func TestSgemmPanics(t *testing.T) {
	edits := map[string]func(x *call){
		"tA":      func(x *call) { x.tA = 'X' },
		"tB":      func(x *call) { x.tB = 0 },
		"m":       func(x *call) { x.m = -1 },
		"n":       func(x *call) { x.n = -1 },
		"k":       func(x *call) { x.k = -1 },
		"lda":     func(x *call) { x.lda = 2 },
		"ldb":     func(x *call) { x.ldb = 2 },
		"ldc":     func(x *call) { x.ldc = 2 },
		"short a": func(x *call) { x.a = x.a[1:] },
		"short b": func(x *call) { x.b = x.b[1:] },
		"short c": func(x *call) { x.c = x.c[1:] },
	}
	panicOf := func(x call, impl blas.Float32) (p any) {
		defer func() { p = recover() }()
		x.on(impl)
		return nil
	}
	forTiers(t, func(t *testing.T, k Kernels) {
		impl := NewBLAS(k)
		for name, edit := range edits {
			forms(func(tA, tB blas.Transpose) {
				x := newCall(tA, tB, 3, 4, 5, 0, func(n int) []float32 { return make([]float32, n) })
				edit(&x)
				want := panicOf(x, gonum.Implementation{})
				if got := panicOf(x, impl); want == nil || got != want {
					t.Errorf("%s, %v: panic %v, want %v", name, x, got, want)
				}
			})
		}
	})
}

// TestUnderLoad multiplies in many goroutines while others allocate and collect
// garbage, and expects the same bits as on a quiet heap.
func TestUnderLoad(t *testing.T) {
	forTiers(t, func(t *testing.T, k Kernels) {
		impl := NewBLAS(k)
		r := rand.New(rand.NewPCG(15, 16))
		x := newCall(blas.Trans, blas.Trans, 50, 70, 200, 0, func(n int) []float32 { return normals(r, n) })
		x.alpha = 0.5
		want := x
		want.c = slices.Clone(x.c)
		want.on(impl)

		done := make(chan struct{})
		var litter, work sync.WaitGroup
		litter.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					runtime.KeepAlive(make([]*int, 1<<12))
					runtime.GC()
				}
			}
		})
		for range 8 {
			work.Go(func() {
				for range 20 {
					// Fresh operands, so that the collector has something to free.
					y := x
					y.a, y.b, y.c = slices.Clone(x.a), slices.Clone(x.b), slices.Clone(x.c)
					y.on(impl)
					if !sameBits(y.c, want.c) {
						t.Error("a product differs under load")
						return
					}
				}
			})
		}
		work.Wait()
		close(done)
		litter.Wait()
	})
}

func TestNoAllocation(t *testing.T) {
	forTiers(t, func(t *testing.T, k Kernels) {
		var impl blas.Float32 = NewBLAS(k)
		zeros := func(n int) []float32 { return make([]float32, n) }
		// Large enough for gonum to start goroutines if called at once.
		forms(func(tA, tB blas.Transpose) {
			x := newCall(tA, tB, 130, 200, 30, 0, zeros)
			for _, x.alpha = range []float32{1, 0.5} {
				if n := testing.AllocsPerRun(20, func() { x.on(impl) }); n != 0 {
					t.Errorf("%v: %v allocations", x, n)
				}
			}
		})
		a, b, c := zeros(50*60), zeros(60*70), zeros(50*70)
		if n := testing.AllocsPerRun(20, func() {
			k.Block(&Block{
				M: 50, N: 70, Segs: 3, SegLen: 20, A: a, ARow: 60, AK: 1, ASeg: 20,
				B: b, BK: 70, BSeg: 20 * 70, C: c, LDC: 70, Bias: b[:70], ReLU: true, Mask: c, LDM: 70,
			})
		}); n != 0 {
			t.Errorf("Block: %v allocations", n)
		}
	})
}

func TestInstalledInBLAS32(t *testing.T) {
	defer blas32.Use(blas32.Implementation())
	forTiers(t, func(t *testing.T, k Kernels) {
		blas32.Use(NewBLAS(k))
		a := blas32.General{Rows: 2, Cols: 3, Stride: 3, Data: []float32{1, 2, 3, 4, 5, 6}}
		c := blas32.General{Rows: 2, Cols: 2, Stride: 2, Data: make([]float32, 4)}
		blas32.Gemm(blas.NoTrans, blas.Trans, 1, a, a, 0, c)
		if want := []float32{14, 32, 32, 77}; !slices.Equal(c.Data, want) {
			t.Errorf("A*A' = %v, want %v", c.Data, want)
		}
	})
}
