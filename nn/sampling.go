package nn

import (
	"fmt"
	"math"
)

// Noise is the standard deviation that the sampling step gives to z.
type Noise string

const (
	// BookNoise is the source's exp(z_log_var), although its KL term reads
	// the same tensor as a logarithm of the variance.
	BookNoise Noise = "book"
	// StandardNoise is exp(z_log_var / 2), which agrees with the KL term.
	StandardNoise Noise = "standard"
)

// half is the factor of z_log_var in the exponent.
func (n Noise) half() (float64, error) {
	switch n {
	case BookNoise:
		return 1, nil
	case StandardNoise:
		return 0.5, nil
	}
	return 0, fmt.Errorf("noise %q: must be %q or %q", string(n), BookNoise, StandardNoise)
}

// Reparametrize overwrites z with what the noise eps draws from the posterior
// that Encode gave; all are [n, LatentDim].
func (v *VAE) Reparametrize(z, zMean, zLogVar, eps []float32) {
	reparametrize(z, zMean, zLogVar, eps, v.exponent)
}

// reparametrize computes z = mean + exp(factor * logVar) * eps.
func reparametrize(z, mean, logVar, eps []float32, factor float64) {
	for i := range z {
		z[i] = mean[i] + float32(math.Exp(factor*float64(logVar[i])))*eps[i]
	}
}

// reparametrizeGrad overwrites dMean and dLogVar with the gradient that dz
// induces.
func reparametrizeGrad(dMean, dLogVar, dz, logVar, eps []float32, factor float64) {
	for i, d := range dz {
		dMean[i] = d
		dLogVar[i] = d * eps[i] * float32(factor*math.Exp(factor*float64(logVar[i])))
	}
}
