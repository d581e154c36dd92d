package eval

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/floats"
)

// The draws of z come from random streams of their own, one for the terms of the
// loss and one for the importance-weighted bound, in the order of the images and
// for each in the order of its draws: no batch size or number of workers shows.
const (
	streamTerms uint64 = iota + 1
	streamIWAE
)

// Terms are means over the images, with one draw of z for each as in training.
//
// The first three are in the training's units: the reconstruction is a mean over
// pixels; the KL term is a mean over latent dimensions, weighted and twice the
// divergence (nn.Losses). The others are nats an image: sums over pixels and over
// latent dimensions, at KL weight 1.
type Terms struct {
	Loss           Estimate `json:"loss"`
	Reconstruction Estimate `json:"reconstruction"`
	KL             Estimate `json:"kl"`

	// ReconstructionNats is the cross-entropy between pixels and probabilities.
	ReconstructionNats Estimate `json:"reconstruction_nats"`
	// KLNats is the divergence of q(z|x) from the prior N(0, I), q being the
	// density that z is really drawn from: with book noise its deviation is
	// exp(z_log_var), its log variance 2*z_log_var.
	KLNats Estimate `json:"kl_nats"`
	// KLTrainedNats is the divergence that the training's term stands for,
	// which takes z_log_var for the log variance whatever the noise.
	KLTrainedNats Estimate `json:"kl_trained_nats"`
	// ELBO = -(ReconstructionNats + KLNats), the evidence lower bound
	// E_q[log p(x|z)] - KL(q || N(0, I)) of Kingma and Welling (2014). It bounds
	// log p(x) where pixels are 0 or 1.
	ELBO Estimate `json:"elbo"`
}

// Terms draws one z for each image.
func (c *Codes) Terms(ctx context.Context, seed uint64) (Terms, error) {
	n, pixels := c.images.Len(), float64(c.model.Pixels())
	column := func() []float64 { return make([]float64, n) }
	loss, recon, kl := column(), column(), column()
	reconNats, klNats, klTrained, elbo := column(), column(), column(), column()
	err := c.draw(ctx, 1, seed, streamTerms, func(i, _ int, crossEntropy, _ float64) {
		mean, logVar := c.at(i)
		recon[i], kl[i] = crossEntropy/pixels, c.model.KL(mean, logVar)
		loss[i] = recon[i] + kl[i]
		reconNats[i] = crossEntropy
		for j := range mean {
			klNats[i] += divergence(mean[j], c.model.LogDeviation(logVar[j]))
			klTrained[i] += divergence(mean[j], float64(logVar[j])/2)
		}
		elbo[i] = -(crossEntropy + klNats[i])
	})
	if err != nil {
		return Terms{}, err
	}
	for i := range loss {
		if !finite(loss[i]) || !finite(elbo[i]) {
			return Terms{}, fmt.Errorf("image %d has loss %v, ELBO %v: %w", i, loss[i], elbo[i], errNotFinite)
		}
	}
	return Terms{
		Loss: estimate(loss), Reconstruction: estimate(recon), KL: estimate(kl),
		ReconstructionNats: estimate(reconNats), KLNats: estimate(klNats), KLTrainedNats: estimate(klTrained),
		ELBO: estimate(elbo),
	}, nil
}

// divergence is that of N(mean, deviation²) from N(0, 1), in nats.
func divergence(mean float32, logDeviation float64) float64 {
	m := float64(mean)
	return (m*m+math.Exp(2*logDeviation)-1)/2 - logDeviation
}

// IWAE is the importance-weighted bound of Burda, Grosse and Salakhutdinov
// (2016), in nats an image: the mean over the images of
//
//	log 1/K sum_k p(x|z_k) p(z_k) / q(z_k|x),  z_k ~ q(z|x)
//
// with K samples. It grows with K from the ELBO towards log p(x).
func (c *Codes) IWAE(ctx context.Context, samples int, seed uint64) (Estimate, error) {
	bound := make([]float64, c.images.Len())
	logWeights := make([]float64, samples)
	err := c.draw(ctx, samples, seed, streamIWAE, func(i, k int, crossEntropy, logRatio float64) {
		logWeights[k] = logRatio - crossEntropy
		if k == samples-1 {
			bound[i] = floats.LogSumExp(logWeights) - math.Log(float64(samples))
		}
	})
	if err != nil {
		return Estimate{}, err
	}
	for i, b := range bound {
		if !finite(b) {
			return Estimate{}, fmt.Errorf("image %d has importance-weighted bound %v: %w", i, b, errNotFinite)
		}
	}
	return estimate(bound), nil
}

// draw decodes the given number of draws of z for each image, and calls visit for
// draw k of image i, in order, with -log p(x|z) and log p(z)/q(z|x).
func (c *Codes) draw(ctx context.Context, samples int, seed, stream uint64, visit func(i, k int, crossEntropy, logRatio float64)) error {
	rng := rand.New(rand.NewPCG(seed, stream))
	d, size := c.model.LatentDim, c.model.BatchSize()
	b := newBatch(c.model, c.images)
	z := make([]float32, size*d)
	logRatio, crossEntropy := make([]float64, size), make([]float64, size)
	total := c.images.Len() * samples
	for first := 0; first < total; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := 0
		for ; !b.full() && first+n < total; n++ {
			i := (first + n) / samples
			b.add(i)
			mean, logVar := c.at(i)
			logRatio[n] = 0
			for j := range mean {
				eps, s := rng.NormFloat64(), c.model.LogDeviation(logVar[j])
				zj := float64(mean[j]) + math.Exp(s)*eps
				z[n*d+j] = float32(zj)
				// The two densities' factors 1/sqrt(2 pi) cancel.
				logRatio[n] += (eps*eps-zj*zj)/2 + s
			}
		}
		c.model.CrossEntropies(crossEntropy[:n], b.take(), z[:n*d])
		for r := range n {
			visit((first+r)/samples, (first+r)%samples, crossEntropy[r], logRatio[r])
		}
		first += n
	}
	return nil
}
