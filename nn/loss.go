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
