package vec

import "math"

// In the updates, the float32 conversions around products forbid a compiler to
// fuse them with the addition that follows.

func rmspropGeneric(w, g, s []float32, rate, rho, gain, epsilon float32) {
	g, s = g[:len(w)], s[:len(w)]
	for i, gi := range g {
		si := flush(float32(rho*s[i]) + float32(gain*float32(gi*gi)))
		s[i] = si
		w[i] -= float32(rate*gi) / (sqrt(si) + epsilon)
	}
}

func adamGeneric(w, g, m, v []float32, alpha, gain1, gain2, epsilon float32) {
	g, m, v = g[:len(w)], m[:len(w)], v[:len(w)]
	for i, gi := range g {
		mi := flush(m[i] + float32(gain1*(gi-m[i])))
		vi := flush(v[i] + float32(gain2*(float32(gi*gi)-v[i])))
		m[i], v[i] = mi, vi
		w[i] -= float32(alpha*mi) / (sqrt(vi) + epsilon)
	}
}

func sgdGeneric(w, g, v []float32, rate, momentum float32) {
	g, v = g[:len(w)], v[:len(w)]
	for i, gi := range g {
		vi := flush(float32(momentum*v[i]) - float32(rate*gi))
		v[i] = vi
		w[i] += vi
	}
}

// flush turns a subnormal x into +0. The magnitude is compared, not both bounds:
// a branch on the sign of a gradient is mispredicted every other time.
func flush(x float32) float32 {
	const smallestNormal = 0x1p-126
	if math.Abs(float64(x)) < smallestNormal {
		return 0
	}
	return x
}

// sqrt is the exactly rounded square root; compilers make one instruction of it.
func sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }

func crossEntropyGeneric(logits, x, grad []float32, scale float64) (sum float64) {
	for i, l32 := range logits {
		l, target := float64(l32), float64(x[i])
		e := math.Exp(-math.Abs(l))
		sum += max(l, 0) - l*target + math.Log1p(e)
		if grad != nil {
			p := 1 / (1 + e)
			if l < 0 {
				p = e / (1 + e)
			}
			grad[i] = float32(scale * (p - target))
		}
	}
	return sum
}

func sigmoidGeneric(p, logits []float32) {
	for i, l := range logits {
		p[i] = float32(1 / (1 + math.Exp(-float64(l))))
	}
}

func addGeneric(dst, src []float32) {
	for i, x := range src {
		dst[i] += x
	}
}

func reluMaskGeneric(dx, x []float32) {
	for i, xi := range x {
		if xi <= 0 {
			dx[i] = 0
		}
	}
}
