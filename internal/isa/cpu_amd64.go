package isa

import "golang.org/x/sys/cpu"

func availableVector(t Tier) bool {
	avx2 := cpu.X86.HasAVX2 && cpu.X86.HasFMA
	switch t {
	case AVX2:
		return avx2
	case AVX512:
		return avx2 && cpu.X86.HasAVX512F
	}
	return false
}
