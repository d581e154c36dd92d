package nn

import (
	"math"
	"math/rand/v2"
	"testing"

	"vaectl/internal/isa"
)

// The terms of single images, put together, are the losses of the batch.
func TestTermsOfImagesMakeTheLosses(t *testing.T) {
	for _, noise := range []Noise{BookNoise, StandardNoise} {
		c := Config{Height: 6, Width: 8, LatentDim: 3, Noise: noise, KLWeight: 0.7, Convolution: Winograd}
		const n = 5
		v := newVAE(t, c, isa.Best(), 2, n)
		rng := rand.New(rand.NewPCG(3, 4))
		v.InitWeights(rng)
		x, eps := make([]float32, n*v.Pixels()), make([]float32, n*c.LatentDim)
		for i := range x {
			x[i] = rng.Float32()
		}
		for i := range eps {
			eps[i] = float32(rng.NormFloat64())
		}
		want := v.Losses(x, eps)

		mean, logVar, z := make([]float32, len(eps)), make([]float32, len(eps)), make([]float32, len(eps))
		v.Encode(mean, logVar, x)
		for i := range z {
			z[i] = mean[i] + float32(math.Exp(v.LogDeviation(logVar[i])))*eps[i]
		}
		crossEntropy := make([]float64, n)
		v.CrossEntropies(crossEntropy, x, z)
		var got Losses
		for i := range n {
			got.Reconstruction += crossEntropy[i] / float64(v.Pixels()) / n
			got.KL += v.KL(mean[i*c.LatentDim:][:c.LatentDim], logVar[i*c.LatentDim:][:c.LatentDim]) / n
		}
		if math.Abs(got.Reconstruction-want.Reconstruction) > 1e-12 || math.Abs(got.KL-want.KL) > 1e-12 {
			t.Errorf("noise %s: %+v, want %+v", noise, got, want)
		}
	}
}
