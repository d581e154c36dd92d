// Package gemm multiplies float32 matrices at the speed of the machine.
//
// What belongs here: products of matrices (and of strided views that act as
// matrices) and the vector kernels they are made of. What the matrices mean is
// the caller's business.
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

import "vaectl/internal/isa"

//go:generate go -C asm run . ../kernels_amd64.s ../kernels_amd64.go

// maxSteps bounds the multiply-adds an element of one tile kernel call to some
// tens of microseconds: a goroutine cannot be preempted in assembly.
const maxSteps = 4096

// Kernels are the kernels of one tier. They hold no state and may be used by
// any number of goroutines. The zero value is the generic tier.
type Kernels struct{ tier isa.Tier }

// New returns the kernels of a tier, which must be available.
func New(t isa.Tier) Kernels {
	if !t.Available() {
		panic("gemm: tier not available on this CPU")
	}
	return Kernels{t}
}

// Tier returns the tier of the kernels.
func (k Kernels) Tier() isa.Tier { return k.tier }
