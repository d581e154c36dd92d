package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"vaectl/internal/isa"
	"vaectl/internal/parallel"
)

func standardConfig() Config {
	return Config{Height: 28, Width: 28, LatentDim: 2, Noise: BookNoise, KLWeight: 5e-4, Convolution: Winograd}
}

// The table of the specification, to the last parameter.
func TestSummary(t *testing.T) {
	v, err := New(standardConfig())
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	total, decoder := 0, 0
	for _, r := range v.Summary() {
		fmt.Fprintf(&got, "%s %s %dx%dx%d %d\n", r.Name, r.Kind, r.Output.H, r.Output.W, r.Output.C, r.Params)
		total += r.Params
		if strings.HasPrefix(r.Name, "decoder.") {
			decoder += r.Params
		}
	}
	want := `encoder.conv1 Conv2D 28x28x32 320
encoder.conv2 Conv2D 14x14x64 18496
encoder.conv3 Conv2D 14x14x64 36928
encoder.conv4 Conv2D 14x14x64 36928
flatten Flatten 1x1x12544 0
encoder.dense Dense 1x1x32 401440
encoder.z_mean Dense 1x1x2 66
encoder.z_log_var Dense 1x1x2 66
sampling Sampling 1x1x2 0
decoder.dense Dense 1x1x12544 37632
reshape Reshape 14x14x64 0
decoder.conv_transpose Conv2DTranspose 28x28x32 18464
decoder.conv_out Conv2D 28x28x1 289
`
	if got.String() != want {
		t.Errorf("summary:\n%swant:\n%s", got.String(), want)
	}
	if total != 550629 || decoder != 56385 {
		t.Errorf("total %d, decoder %d; want 550629, 56385", total, decoder)
	}
}

func TestNewErrors(t *testing.T) {
	tests := []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Height = 27 }, "image size 27x28: height and width must be even"},
		{func(c *Config) { c.Width = 0 }, "image size 28x0: height and width must be even"},
		{func(c *Config) { c.LatentDim = 0 }, "latent dimension 0: must be 1 to 1024"},
		{func(c *Config) { c.LatentDim = 1025 }, "latent dimension 1025: must be 1 to 1024"},
		{func(c *Config) { c.Noise = "pink" }, `noise "pink": must be "book" or "standard"`},
		{func(c *Config) { c.KLWeight = -1 }, "KL weight -1: must be a number from 0 up"},
		{func(c *Config) { c.KLWeight = math.NaN() }, "KL weight NaN: must be a number from 0 up"},
		{func(c *Config) { c.KLWeight = math.Inf(1) }, "KL weight +Inf: must be a number from 0 up"},
	}
	for _, tt := range tests {
		c := standardConfig()
		tt.change(&c)
		if _, err := New(c); err == nil || err.Error() != tt.want {
			t.Errorf("got %v, want %s", err, tt.want)
		}
	}
}

// Kernels fill their Glorot interval, biases are zero.
func TestInitWeights(t *testing.T) {
	v := newVAE(t, standardConfig(), isa.Best(), 1, 1)
	v.InitWeights(rand.New(rand.NewPCG(1, 2)))
	fans := map[string]int{
		"encoder.conv1.kernel": 9 + 288, "encoder.conv2.kernel": 288 + 576,
		"encoder.conv3.kernel": 1152, "encoder.conv4.kernel": 1152,
		"encoder.dense.kernel": 12544 + 32, "encoder.z_mean.kernel": 34, "encoder.z_log_var.kernel": 34,
		"decoder.dense.kernel": 2 + 12544, "decoder.conv_transpose.kernel": 288 + 576, "decoder.conv_out.kernel": 288 + 9,
	}
	for _, p := range v.Params() {
		sum, most := 0.0, 0.0
		for _, w := range p.Data {
			sum += float64(w)
			most = max(most, math.Abs(float64(w)))
		}
		if strings.HasSuffix(p.Name, ".bias") {
			if most != 0 {
				t.Errorf("%s does not start at zero", p.Name)
			}
			continue
		}
		limit := math.Sqrt(6 / float64(fans[p.Name]))
		if most > limit*1.0001 || most < 0.9*limit {
			t.Errorf("%s: largest weight %v, want just below %v", p.Name, most, limit)
		}
		if mean := sum / float64(p.Len()); math.Abs(mean) > 4*limit/math.Sqrt(3*float64(p.Len())) {
			t.Errorf("%s: mean %v", p.Name, mean)
		}
	}
}

func newVAE(t testing.TB, c Config, tier isa.Tier, workers, batch int) *VAE {
	t.Helper()
	v, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	pool := parallel.New(workers)
	t.Cleanup(pool.Close)
	v.Bind(pool, tier, batch, true)
	return v
}

// Directional derivatives of the whole model against central differences of its
// own loss: the wiring between the parts, which no layer's test sees.
func TestGradientsFollowTheLoss(t *testing.T) {
	for _, noise := range []Noise{BookNoise, StandardNoise} {
		for _, latent := range []int{1, 3} {
			c := Config{Height: 12, Width: 10, LatentDim: latent, Noise: noise, KLWeight: 0.5, Convolution: Winograd}
			const n = 16
			v := newVAE(t, c, isa.Best(), 2, n)
			rng := rand.New(rand.NewPCG(3, uint64(latent)))
			v.InitWeights(rng)
			x, eps := make([]float32, n*v.Pixels()), make([]float32, n*latent)
			for i := range x {
				x[i] = rng.Float32()
			}
			fill(rng, eps)
			losses := v.Gradients(x, eps)
			if again := v.Losses(x, eps); again != losses {
				t.Errorf("Losses gives %v, Gradients %v", again, losses)
			}
			for _, p := range v.Params() {
				dir := make([]float32, p.Len())
				fill(rng, dir)
				want := inner(wide(p.Grad), wide(dir))
				w := append([]float32(nil), p.Data...)
				const h = 1e-4
				at := func(step float32) float64 {
					for i := range w {
						p.Data[i] = w[i] + step*dir[i]
					}
					defer copy(p.Data, w)
					return v.Losses(x, eps).Loss
				}
				got := (at(h) - at(-h)) / (2 * h)
				if math.Abs(got-want) > 0.02*math.Abs(want)+3e-4 {
					t.Errorf("%s noise, %d latent, %s: slope %v, gradient says %v", noise, latent, p.Name, got, want)
				}
			}
		}
	}
}

func TestDecodeIsTheSigmoidOfTheLogits(t *testing.T) {
	v := newVAE(t, standardConfig(), isa.Best(), 2, 3)
	v.InitWeights(rand.New(rand.NewPCG(4, 4)))
	z := []float32{0, 0, 1, -1, 0.5, 2}
	p := make([]float32, 3*v.Pixels())
	v.Decode(p, z)
	logits := v.decoder.outs[2]
	for i, l := range logits.Data {
		want := 1 / (1 + math.Exp(-float64(l)))
		if math.Abs(float64(p[i])-want) > 1e-7 {
			t.Fatalf("pixel %d: %v, want %v", i, p[i], want)
		}
	}
	one := make([]float32, v.Pixels())
	v.Decode(one, z[2:4])
	for i := range one {
		if one[i] != p[v.Pixels()+i] {
			t.Fatal("an image depends on its place in the batch")
		}
	}
}

// For N(m, v) against N(0, 1) the divergence is (m² + v - 1 - log v)/2; the
// loss counts twice that, averaged over the dimensions.
func TestDivergence(t *testing.T) {
	mean, logVar := []float32{0.5, -1}, []float32{0.25, -2}
	got := divergence(mean, logVar, nil, nil, 0)
	want := ((0.25 + math.Exp(0.25) - 1 - 0.25) + (1 + math.Exp(-2) - 1 + 2)) / 2
	if math.Abs(got-want) > 1e-12 {
		t.Errorf("divergence %v, want %v", got, want)
	}
	if got := divergence([]float32{0}, []float32{0}, nil, nil, 0); got != 0 {
		t.Errorf("divergence of the prior from itself: %v", got)
	}
}
