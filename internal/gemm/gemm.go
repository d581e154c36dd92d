// Package gemm multiplies float32 matrices at the speed of the machine.
//
// What belongs here: products of matrices (and of strided views that act as
// matrices), the vector kernels they are made of, and the choice of the
// instruction set. What the matrices mean is the caller's business.
//
// asm/, a module of its own, generates the assembly; kernels_amd64.go says which
// Go loop each kernel equals.
//
// There are two ways in. [Kernels.Block] is the product itself, with operands
// read in place through strides and an epilogue (bias, ReLU, ReLU mask); a
// convolution uses it on a padded image. [BLAS] puts the same kernels behind
// gonum's interface.
//
// # One chain
//
// Every element of a result is one chain of fused multiply-adds, in the order
// that Block states, starting from zero or from C. No tile or block size shows
// in the bits, and the AVX2 and AVX-512 tiers agree to the last one. The
// generic tier, plain Go, agrees with them to rounding.
package gemm

import "fmt"

//go:generate go -C asm run . ../kernels_amd64.s ../kernels_amd64.go

// Tier is a level of the CPU's vector instructions.
type Tier int

const (
	Generic Tier = iota // plain Go; gonum's own for BLAS
	AVX2                // AVX2 and FMA
	AVX512              // AVX512F, next to AVX2 and FMA
)

// String returns the name that ParseTier reads.
func (t Tier) String() string {
	switch t {
	case Generic:
		return "generic"
	case AVX2:
		return "avx2"
	case AVX512:
		return "avx512"
	}
	return fmt.Sprintf("Tier(%d)", int(t))
}

// Best returns the highest tier that this CPU and operating system offer.
func Best() Tier {
	for t := AVX512; t > Generic; t-- {
		if available(t) {
			return t
		}
	}
	return Generic
}

// ParseTier returns the tier called generic, avx2 or avx512, and an error for
// any other name or for a tier that this CPU lacks.
func ParseTier(name string) (Tier, error) {
	for t := Generic; t <= AVX512; t++ {
		if t.String() != name {
			continue
		}
		if !available(t) {
			return 0, fmt.Errorf("instruction set %q: this CPU has no more than %q", name, Best())
		}
		return t, nil
	}
	return 0, fmt.Errorf("instruction set %q: not one of generic, avx2, avx512", name)
}

// maxSteps bounds the multiply-adds an element of one tile kernel call to some
// tens of microseconds: a goroutine cannot be preempted in assembly.
const maxSteps = 4096

// Kernels are the kernels of one tier. They hold no state and may be used by
// any number of goroutines. The zero value is the generic tier.
type Kernels struct{ tier Tier }

// New returns the kernels of a tier, which must be one that Best or ParseTier
// returned or a lower one.
func New(t Tier) Kernels {
	if t < Generic || t > AVX512 || !available(t) {
		panic("gemm: tier not available on this CPU")
	}
	return Kernels{t}
}

// Tier returns the tier of the kernels.
func (k Kernels) Tier() Tier { return k.tier }
