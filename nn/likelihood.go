package nn

// What a measurement of the trained model needs beside Encode and Decode: the
// terms of the loss image by image, for a z that the caller draws.

// LogDeviation is the natural logarithm of the standard deviation of the noise
// in z where the encoder says zLogVar: zLogVar itself for BookNoise, half of it
// for StandardNoise.
func (v *VAE) LogDeviation(zLogVar float32) float64 { return v.exponent * float64(zLogVar) }

// KL is one image's share in Losses.KL: weighted, mean over the latent
// dimensions.
func (v *VAE) KL(zMean, zLogVar []float32) float64 {
	return v.KLWeight * divergence(zMean, zLogVar, nil, nil, 0)
}

// CrossEntropies overwrites dst [n] with the binary cross-entropy between the
// images x [n, Height, Width], values in [0, 1], and what z [n, LatentDim] is
// decoded to, in nats, summed over the pixels. Where all values of an image are
// 0 or 1 that is -log p(x|z). It is computed from the logits.
func (v *VAE) CrossEntropies(dst []float64, x, z []float32) {
	v.x = v.images(x)
	v.out, v.dLogits = v.decoder.forward(Batch{N: v.x.N, Shape: Vector(v.LatentDim), Data: z}), Batch{}
	v.pool.Run(v.x.N, v.lossS)
	for n := range dst {
		dst[n] = v.recon[n] * float64(v.Pixels())
	}
}
