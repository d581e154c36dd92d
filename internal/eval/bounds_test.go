package eval

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"vaectl/nn"
)

// logNormal is the logarithm of the normal density.
func logNormal(x, mean, deviation float64) float64 {
	u := (x - mean) / deviation
	return -u*u/2 - math.Log(deviation) - math.Log(2*math.Pi)/2
}

// logLikelihood is log p(x|z), from the probabilities that Decode gives.
func logLikelihood(model *nn.VAE, x []float32, z ...float64) (sum float64) {
	z32, p := make([]float32, len(z)), make([]float32, len(x))
	for j := range z {
		z32[j] = float32(z[j])
	}
	model.Decode(p, z32)
	for i := range x {
		sum += float64(x[i])*math.Log(float64(p[i])) + float64(1-x[i])*math.Log(1-float64(p[i]))
	}
	return sum
}

func deviation(noise nn.Noise, zLogVar float32) float64 {
	if noise == nn.BookNoise {
		return math.Exp(float64(zLogVar))
	}
	return math.Sqrt(math.Exp(float64(zLogVar)))
}

func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol) {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

// All terms and the importance-weighted bound, computed again from their
// definitions with the same draws.
func TestBoundsByDefinition(t *testing.T) {
	for _, noise := range []nn.Noise{nn.BookNoise, nn.StandardNoise} {
		for _, d := range []int{1, 3} {
			const n, seed, samples, height, width = 7, 11, 5, 4, 2
			model, _ := newModel(t, nn.Config{Height: height, Width: width, LatentDim: d, Noise: noise, KLWeight: 0.3, Convolution: nn.Winograd}, 2, 1, 4)
			images := newImages(n, height, width, 3)
			c, err := Encode(t.Context(), model, images)
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.Terms(t.Context(), seed)
			if err != nil {
				t.Fatal(err)
			}
			iwae, err := c.IWAE(t.Context(), samples, seed)
			if err != nil {
				t.Fatal(err)
			}

			terms, weights := rand.New(rand.NewPCG(seed, streamTerms)), rand.New(rand.NewPCG(seed, streamIWAE))
			want := map[string][]float64{}
			add := func(name string, x float64) { want[name] = append(want[name], x) }
			mean, logVar := make([]float32, d), make([]float32, d)
			for i := range n {
				x := make([]float32, height*width)
				images.Fill(x, []int{i})
				model.Encode(mean, logVar, x)
				// draw returns log p(x|z) and log p(x|z) p(z) / q(z|x).
				draw := func(rng *rand.Rand) (likelihood, weight float64) {
					z := make([]float64, d)
					for j := range z {
						s := deviation(noise, logVar[j])
						z[j] = float64(mean[j]) + s*rng.NormFloat64()
						weight += logNormal(z[j], 0, 1) - logNormal(z[j], float64(mean[j]), s)
					}
					likelihood = logLikelihood(model, x, z...)
					return likelihood, likelihood + weight
				}
				likelihood, _ := draw(terms)
				klDrawn, klTrained := 0.0, 0.0
				for j := range d {
					m, lv, s := float64(mean[j]), float64(logVar[j]), deviation(noise, logVar[j])
					klDrawn += -math.Log(s) + (s*s+m*m)/2 - 0.5
					klTrained += -0.5 * (1 + lv - m*m - math.Exp(lv))
				}
				kl := 0.3 * 2 * klTrained / float64(d)
				add("loss", -likelihood/(height*width)+kl)
				add("reconstruction", -likelihood/(height*width))
				add("kl", kl)
				add("reconstruction_nats", -likelihood)
				add("kl_nats", klDrawn)
				add("kl_trained_nats", klTrained)
				add("elbo", likelihood-klDrawn)
				sum := 0.0
				for range samples {
					_, weight := draw(weights)
					sum += math.Exp(weight)
				}
				add("iwae", math.Log(sum/samples))
			}
			for name, e := range map[string]Estimate{
				"loss": got.Loss, "reconstruction": got.Reconstruction, "kl": got.KL,
				"reconstruction_nats": got.ReconstructionNats, "kl_nats": got.KLNats,
				"kl_trained_nats": got.KLTrainedNats, "elbo": got.ELBO, "iwae": iwae,
			} {
				sum, squares := 0.0, 0.0
				for _, x := range want[name] {
					sum += x / n
				}
				for _, x := range want[name] {
					squares += (x - sum) * (x - sum)
				}
				what := fmt.Sprintf("%s noise, %d dimensions: %s", noise, d, name)
				near(t, what, e.Value, sum, 1e-5)
				near(t, what+"'s standard error", e.SE, math.Sqrt(squares/(n-1)/n), 1e-5)
				if e.SE < 1e-4 {
					t.Errorf("%s: all images are alike, %v: the case shows nothing", what, e)
				}
			}
		}
	}
}

// In one latent dimension log p(x) is an integral that sums can do. The ELBO lies
// below it by KL(q || p(z|x)), and the importance-weighted bound comes near it:
// only if q is the density that z is drawn from.
func TestBoundsByQuadrature(t *testing.T) {
	for _, noise := range []nn.Noise{nn.BookNoise, nn.StandardNoise} {
		const n, samples, step, limit = 4, 4000, 0.02, 8.0
		model, _ := newModel(t, nn.Config{Height: 4, Width: 2, LatentDim: 1, Noise: noise, KLWeight: 1, Convolution: nn.Winograd}, 2, 1, 32)
		images := Binarize(newImages(n, 4, 2, 3))
		c, err := Encode(t.Context(), model, images)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Terms(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		iwae, err := c.IWAE(t.Context(), samples, 1)
		if err != nil {
			t.Fatal(err)
		}
		evidence, elbo, divergence := 0.0, 0.0, 0.0
		for i := range n {
			x := make([]float32, model.Pixels())
			images.Fill(x, []int{i})
			m, s := float64(c.Mean[i]), deviation(noise, c.LogVar[i])
			px, bound, kl := 0.0, 0.0, 0.0
			for z := -limit; z <= limit; z += step {
				likelihood, prior, q := logLikelihood(model, x, z), logNormal(z, 0, 1), logNormal(z, m, s)
				px += step * math.Exp(likelihood+prior)
				bound += step * math.Exp(q) * (likelihood + prior - q)
				kl += step * math.Exp(q) * (q - prior)
			}
			evidence += math.Log(px) / n
			elbo += bound / n
			divergence += kl / n
		}
		what := string(noise) + " noise: "
		near(t, what+"divergence", got.KLNats.Value, divergence, 1e-5)
		near(t, what+"importance-weighted bound", iwae.Value, evidence, 0.01)
		if evidence-elbo < 0.05 {
			t.Errorf("%sELBO %v, evidence %v: the case shows nothing", what, elbo, evidence)
		}
		// Draws enough for the mean over them to settle.
		draws, mean := 500, 0.0
		for seed := range draws {
			terms, err := c.Terms(t.Context(), uint64(seed))
			if err != nil {
				t.Fatal(err)
			}
			mean += terms.ELBO.Value / float64(draws)
		}
		near(t, what+"ELBO", mean, elbo, 0.02)
	}
}
