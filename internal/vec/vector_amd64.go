package vec

import (
	"unsafe"

	"vaectl/internal/isa"
)

func rmspropVector(tier isa.Tier, w, g, s []float32, rate, rho, gain, epsilon float32) {
	for len(w) > 0 {
		n := min(len(w), maxRun)
		if tier == isa.AVX512 {
			rmspropAVX512(&w[0], &g[0], &s[0], n, rate, rho, gain, epsilon)
		} else {
			rmspropAVX2(&w[0], &g[0], &s[0], n, rate, rho, gain, epsilon)
		}
		w, g, s = w[n:], g[n:], s[n:]
	}
}

func adamVector(tier isa.Tier, w, g, m, v []float32, alpha, gain1, gain2, epsilon float32) {
	for len(w) > 0 {
		n := min(len(w), maxRun)
		if tier == isa.AVX512 {
			adamAVX512(&w[0], &g[0], &m[0], &v[0], n, alpha, gain1, gain2, epsilon)
		} else {
			adamAVX2(&w[0], &g[0], &m[0], &v[0], n, alpha, gain1, gain2, epsilon)
		}
		w, g, m, v = w[n:], g[n:], m[n:], v[n:]
	}
}

func sgdVector(tier isa.Tier, w, g, v []float32, rate, momentum float32) {
	for len(w) > 0 {
		n := min(len(w), maxRun)
		if tier == isa.AVX512 {
			sgdAVX512(&w[0], &g[0], &v[0], n, rate, momentum)
		} else {
			sgdAVX2(&w[0], &g[0], &v[0], n, rate, momentum)
		}
		w, g, v = w[n:], g[n:], v[n:]
	}
}

// crossEntropyVector sums in eight lanes, which are added up in their order.
func crossEntropyVector(tier isa.Tier, logits, x, grad []float32, scale float32) (sum float64) {
	var sums [8]float64
	for len(logits) > 0 {
		n := min(len(logits), maxRun)
		if tier == isa.AVX512 {
			crossEntropyAVX512(&sums, &logits[0], &x[0], unsafe.SliceData(grad), n, scale)
		} else {
			crossEntropyAVX2(&sums, &logits[0], &x[0], unsafe.SliceData(grad), n, scale)
		}
		logits, x = logits[n:], x[n:]
		if grad != nil {
			grad = grad[n:]
		}
	}
	for _, s := range sums {
		sum += s
	}
	return sum
}

func sigmoidVector(tier isa.Tier, p, logits []float32) {
	for len(p) > 0 {
		n := min(len(p), maxRun)
		if tier == isa.AVX512 {
			sigmoidAVX512(&p[0], &logits[0], n)
		} else {
			sigmoidAVX2(&p[0], &logits[0], n)
		}
		p, logits = p[n:], logits[n:]
	}
}

func addVector(tier isa.Tier, dst, src []float32) {
	for len(dst) > 0 {
		n := min(len(dst), maxRun)
		if tier == isa.AVX512 {
			addAVX512(&dst[0], &src[0], n)
		} else {
			addAVX2(&dst[0], &src[0], n)
		}
		dst, src = dst[n:], src[n:]
	}
}

func reluMaskVector(tier isa.Tier, dx, x []float32) {
	for len(dx) > 0 {
		n := min(len(dx), maxRun)
		if tier == isa.AVX512 {
			reluMaskAVX512(&dx[0], &x[0], n)
		} else {
			reluMaskAVX2(&dx[0], &x[0], n)
		}
		dx, x = dx[n:], x[n:]
	}
}

// The strides of the kernels of Winograd's convolution count bytes.
const floatSize = int(unsafe.Sizeof(float32(0)))

func winogradInputVector(tier isa.Tier, t *WinogradTiles) {
	if tier == isa.AVX512 {
		winogradInputAVX512(&t.Dst[0], &t.P[0], &t.Q[0], t.Sign, t.Tiles, t.Channels, t.Plane*floatSize, t.Pixel*floatSize)
	} else {
		winogradInputAVX2(&t.Dst[0], &t.P[0], &t.Q[0], t.Sign, t.Tiles, t.Channels, t.Plane*floatSize, t.Pixel*floatSize)
	}
}

func winogradGradVector(tier isa.Tier, t *WinogradTiles) {
	if tier == isa.AVX512 {
		winogradGradAVX512(&t.Dst[0], &t.P[0], &t.Q[0], t.Sign, t.Tiles, t.Channels, t.Plane*floatSize, t.Pixel*floatSize)
	} else {
		winogradGradAVX2(&t.Dst[0], &t.P[0], &t.Q[0], t.Sign, t.Tiles, t.Channels, t.Plane*floatSize, t.Pixel*floatSize)
	}
}

func winogradOutputVector(tier isa.Tier, o *WinogradOutput, floor float32) {
	bias, mask := unsafe.SliceData(o.Bias), unsafe.SliceData(o.Mask)
	if tier == isa.AVX512 {
		winogradOutputAVX512(&o.Y[0], &o.M[0], bias, mask, floor, o.Tiles, o.Channels,
			o.Plane*floatSize, o.Pixel*floatSize, o.Row*floatSize, o.MaskRow*floatSize)
	} else {
		winogradOutputAVX2(&o.Y[0], &o.M[0], bias, mask, floor, o.Tiles, o.Channels,
			o.Plane*floatSize, o.Pixel*floatSize, o.Row*floatSize, o.MaskRow*floatSize)
	}
}

func winogradKernelVector(tier isa.Tier, u []float32, uPlane int, g []float32, gPlane, n int) {
	if tier == isa.AVX512 {
		winogradKernelAVX512(&u[0], &g[0], n, uPlane*floatSize, gPlane*floatSize)
	} else {
		winogradKernelAVX2(&u[0], &g[0], n, uPlane*floatSize, gPlane*floatSize)
	}
}

func winogradKernelGradVector(tier isa.Tier, dg []float32, gPlane int, du []float32, uPlane, n int) {
	if tier == isa.AVX512 {
		winogradKernelGradAVX512(&dg[0], &du[0], n, gPlane*floatSize, uPlane*floatSize)
	} else {
		winogradKernelGradAVX2(&dg[0], &du[0], n, gPlane*floatSize, uPlane*floatSize)
	}
}
