package gemm

import (
	"runtime"

	"vaectl/internal/isa"
)

// Peak runs independent chains of fused multiply-adds, steps on each, touching
// no memory, and returns how many floating-point operations that were: timed,
// the ceiling of one core. The generic tier makes scalar multiply-adds, which
// gonum's own SSE code may well exceed.
func (k Kernels) Peak(steps int) (flops int) {
	for left := steps; left > 0; left -= maxSteps {
		n := min(left, maxSteps)
		if k.tier == isa.Generic {
			flops += peakGeneric(n)
		} else {
			flops += peakVector(k.tier, n)
		}
	}
	return flops
}

func peakGeneric(steps int) (flops int) {
	const x, y = 0.5, 1
	var v0, v1, v2, v3, v4, v5, v6, v7 float32
	for range steps {
		v0 = v0*x + y
		v1 = v1*x + y
		v2 = v2*x + y
		v3 = v3*x + y
		v4 = v4*x + y
		v5 = v5*x + y
		v6 = v6*x + y
		v7 = v7*x + y
	}
	runtime.KeepAlive(v0 + v1 + v2 + v3 + v4 + v5 + v6 + v7)
	return steps * 8 * 2
}
