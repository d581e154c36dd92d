// Package isa names the levels of vector instructions that kernels are written
// for, and tells which of them this CPU has.
//
// What belongs here: the tiers and their detection. The kernels themselves live
// with what they compute.
package isa

import "fmt"

// Tier is a level of the CPU's vector instructions. A CPU that has one has all
// the lower ones.
type Tier int

const (
	Generic Tier = iota // plain Go, or a library's own choice
	AVX2                // AVX2 and FMA
	AVX512              // AVX512F, next to AVX2 and FMA
)

// String returns the name that Parse reads.
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

// Available reports whether t is a tier that this CPU and operating system
// offer.
func (t Tier) Available() bool { return t == Generic || availableVector(t) }

// Best returns the highest tier that this CPU and operating system offer.
func Best() Tier {
	for t := AVX512; t > Generic; t-- {
		if t.Available() {
			return t
		}
	}
	return Generic
}

// Parse returns the tier called generic, avx2 or avx512, and an error for any
// other name or for a tier that this CPU lacks.
func Parse(name string) (Tier, error) {
	for t := Generic; t <= AVX512; t++ {
		if t.String() != name {
			continue
		}
		if !t.Available() {
			return 0, fmt.Errorf("instruction set %q: this CPU has no more than %q", name, Best())
		}
		return t, nil
	}
	return 0, fmt.Errorf("instruction set %q: not one of generic, avx2, avx512", name)
}
