package vec

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// newGuarded returns memory for at least so many floats between two pages that
// must not be touched.
func newGuarded(t *testing.T, floats int) []float32 {
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
	return unsafe.Slice((*float32)(unsafe.Pointer(&mem[page])), size/4)
}

// TestLoopsStayInside runs every loop with its slices hard against pages that
// cannot be read or written, before them and after them. A kernel that strays
// ends the test with a fault.
func TestLoopsStayInside(t *testing.T) {
	var mem [4][]float32
	for j := range mem {
		mem[j] = newGuarded(t, 3*maxRun)
	}
	forTiers(t, func(t *testing.T, k Kernels) {
		for _, l := range allLoops {
			for _, n := range lengths() {
				front, back := make([][]float32, l.slices), make([][]float32, l.slices)
				for j := range front {
					front[j] = mem[j][:n:n]
					back[j] = mem[j][len(mem[j])-n:]
				}
				l.run(k, front)
				l.run(k, back)
			}
		}
	})
}

// TestWinogradStaysInside does the same with the transforms.
func TestWinogradStaysInside(t *testing.T) {
	var mem [4][]float32
	for j := range mem {
		mem[j] = newGuarded(t, 1<<14)
	}
	forTiers(t, func(t *testing.T, k Kernels) {
		for _, tr := range transforms() {
			front, back := make([][]float32, len(tr.lengths)), make([][]float32, len(tr.lengths))
			for j, n := range tr.lengths {
				front[j] = mem[j][:n:n]
				back[j] = mem[j][len(mem[j])-n:]
			}
			tr.run(k, front)
			tr.run(k, back)
		}
	})
}
