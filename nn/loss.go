package nn

import "math"

// Losses are means over the samples of a batch.
type Losses struct {
	// Loss = Reconstruction + KL.
	Loss float64
	// Reconstruction is the binary cross-entropy in nats, mean over pixels.
	Reconstruction float64
	// KL is the weighted Kullback-Leibler term.
	KL float64
}

// crossEntropy returns the binary cross-entropy between the targets x in [0, 1]
// and sigmoid(logits), in nats summed over the pixels. It is computed from the
// logits l as max(l, 0) - l*x + log(1 + exp(-|l|)), which neither overflows nor
// loses small probabilities. Where grad is not nil it is overwritten with
// scale * (sigmoid(l) - x).
func crossEntropy(logits, x, grad []float32, scale float64) (sum float64) {
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

// sigmoid computes p = 1 / (1 + exp(-logits)).
func sigmoid(p, logits []float32) {
	for i, l := range logits {
		p[i] = float32(1 / (1 + math.Exp(-float64(l))))
	}
}

// divergence returns -(1 + z_log_var - z_mean² - exp(z_log_var)), meaned over
// the latent dimensions of one sample: twice the Kullback-Leibler divergence of
// N(z_mean, exp(z_log_var)) from N(0, 1) in nats a dimension, as the book has
// it. Where dMean and dLogVar are not nil, scale times the gradient is added.
func divergence(mean, logVar, dMean, dLogVar []float32, scale float64) (sum float64) {
	d := float64(len(mean))
	for i := range mean {
		m, lv := float64(mean[i]), float64(logVar[i])
		v := math.Exp(lv)
		sum -= 1 + lv - m*m - v
		if dMean != nil {
			dMean[i] += float32(scale * 2 * m / d)
			dLogVar[i] += float32(scale * (v - 1) / d)
		}
	}
	return sum / d
}
