package gemm

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
	"gonum.org/v1/gonum/blas"
)

// guarded is memory between two pages that must not be touched.
type guarded struct {
	data []float32
	next bool // whether the next slice is to start at the front
}

func newGuarded(t *testing.T, floats int) *guarded {
	page := unix.Getpagesize()
	size := (4*floats + page - 1) / page * page
	mem, err := unix.Mmap(-1, 0, size+2*page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatalf("map guarded memory: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(mem); err != nil {
			t.Errorf("unmap guarded memory: %v", err)
		}
	})
	for _, guard := range [][]byte{mem[:page], mem[page+size:]} {
		if err := unix.Mprotect(guard, unix.PROT_NONE); err != nil {
			t.Fatalf("protect guard page: %v", err)
		}
	}
	return &guarded{data: unsafe.Slice((*float32)(unsafe.Pointer(&mem[page])), size/4)}
}

// slice returns n floats, in turn at the end of the memory and at its front.
func (g *guarded) slice(n int) []float32 {
	g.next = !g.next
	if g.next {
		return g.data[len(g.data)-n:]
	}
	return g.data[:n:n]
}

// TestBlockStaysInside runs every tile size, and the views of an engine, with
// each operand hard against a page that cannot be read or written. A kernel that
// strays ends the test with a fault.
func TestBlockStaysInside(t *testing.T) {
	const room = 1 << 17
	a, b, c := newGuarded(t, room), newGuarded(t, room), newGuarded(t, room)
	bias, mask := newGuarded(t, room), newGuarded(t, room)
	forTiers(t, func(t *testing.T, k Kernels) {
		run := func(blk Block, lenA, lenB int) {
			for range 2 {
				blk.A, blk.B, blk.C = a.slice(lenA), b.slice(lenB), c.slice((blk.M-1)*blk.LDC+blk.N)
				blk.LDM = blk.LDC
				epilogues(blk, bias.slice(blk.N), mask.slice((blk.M-1)*blk.LDM+blk.N), func(_ string, blk Block) {
					k.Block(&blk)
				})
			}
		}
		for m := 1; m <= 15; m++ {
			for n := 1; n <= 33; n++ {
				for _, steps := range []int{0, 1, 3} {
					blk := Block{M: m, N: n, Segs: 1, SegLen: steps, ARow: steps, AK: 1, BK: n, LDC: n}
					run(blk, m*steps, n*steps)
				}
			}
		}
		for _, c := range blockCases() {
			c.b.LDC = c.ld
			lenA := (c.b.M-1)*c.b.ARow + (c.b.SegLen-1)*c.b.AK + (c.b.Segs-1)*c.b.ASeg + 1
			lenB := (c.b.SegLen-1)*c.b.BK + (c.b.Segs-1)*c.b.BSeg + c.b.N
			run(c.b, max(lenA, 0), max(lenB, 0))
		}
	})
}

// TestSgemmStaysInside does the same for the forms of Sgemm, whose results must
// not depend on where the operands lie either.
func TestSgemmStaysInside(t *testing.T) {
	const room = 1 << 16
	mem := [3]*guarded{newGuarded(t, room), newGuarded(t, room), newGuarded(t, room)}
	forTiers(t, func(t *testing.T, kern Kernels) {
		impl := NewBLAS(kern)
		r := rand.New(rand.NewPCG(17, 18))
		for _, s := range []struct{ m, n, k int }{{1, 1, 1}, {7, 9, 8}, {15, 33, 17}, {70, 256, 40}, {20, 130, 256}} {
			for place := range 8 {
				forms(func(tA, tB blas.Transpose) {
					operand := 0
					x := newCall(tA, tB, s.m, s.n, s.k, 0, func(n int) []float32 {
						g := mem[operand]
						g.next = place>>operand&1 != 0
						operand++
						data := g.slice(n)
						copy(data, integers(r, n))
						return data
					})
					want := newCall(tA, tB, s.m, s.n, s.k, 0, func(n int) []float32 { return make([]float32, n) })
					copy(want.a, x.a)
					copy(want.b, x.b)
					sums := want.sums()
					x.on(impl)
					for i, got := range x.c {
						if got != float32(sums[i]) {
							t.Fatalf("%v: C[%d] = %v, want %v", x, i, got, sums[i])
						}
					}
				})
			}
		}
	})
}
