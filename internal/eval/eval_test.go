package eval

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"vaectl/internal/isa"
	"vaectl/internal/parallel"
	"vaectl/mnist"
	"vaectl/nn"
)

// newModel returns a bound model with Glorot's weights times gain, by which the
// pixels depend on z to a degree that is worth measuring.
func newModel(t testing.TB, c nn.Config, gain float32, workers, batch int) (*nn.VAE, *parallel.Pool) {
	t.Helper()
	v, err := nn.New(c)
	if err != nil {
		t.Fatal(err)
	}
	pool := parallel.New(workers)
	t.Cleanup(pool.Close)
	v.Bind(pool, isa.Best(), batch, false)
	v.InitWeights(rand.New(rand.NewPCG(8, 8)))
	for _, p := range v.Params() {
		for i := range p.Data {
			p.Data[i] *= gain
		}
	}
	return v, pool
}

// newImages returns n images of stripes in ten kinds, labelled, with noise.
func newImages(n, rows, cols int, seed uint64) *mnist.Split {
	rng := rand.New(rand.NewPCG(seed, 9))
	s := &mnist.Split{Images: mnist.Images{Rows: rows, Cols: cols}}
	for range n {
		label := rng.IntN(10)
		s.Labels = append(s.Labels, byte(label))
		for p := range rows * cols {
			s.Pix = append(s.Pix, byte(rng.IntN(100)+p*label%7*20))
		}
	}
	return s
}

func TestRunIsTheSameWhateverTheWorkers(t *testing.T) {
	images, references := newImages(61, 8, 6, 1), newImages(90, 8, 6, 2)
	var first *Report
	for _, tt := range []struct{ workers, batch int }{{1, 32}, {2, 7}, {3, 61}} {
		model, pool := newModel(t, nn.Config{Height: 8, Width: 6, LatentDim: 3, Noise: nn.BookNoise, KLWeight: 1, Convolution: nn.Winograd}, 1.5, tt.workers, tt.batch)
		got, err := Run(t.Context(), Options{
			Model: model, Pool: pool, Images: images, References: references, Samples: 3, Seed: 5,
		}, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = got
		}
		if !reflect.DeepEqual(got, first) {
			t.Errorf("%+v: %+v, want %+v", tt, got, first)
		}
	}
	if len(first.Accuracy) != 3 || first.IWAE == nil || len(first.Dimension) != 3 || first.Notes != nil {
		t.Errorf("incomplete: %+v", first)
	}
}

// A model that ignores its input: q is the prior and every pixel has probability
// one half, so all bounds are known exactly. exp(-1109) is zero in float64.
func TestZeroWeights(t *testing.T) {
	model, pool := newModel(t, nn.Config{Height: 40, Width: 40, LatentDim: 2, Noise: nn.BookNoise, KLWeight: 1, Convolution: nn.Winograd}, 0, 2, 4)
	r, err := Run(t.Context(), Options{Model: model, Pool: pool, Images: newImages(6, 40, 40, 1), Samples: 50}, func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	want := 1600 * math.Log(2)
	for what, got := range map[string]Estimate{"ELBO": r.ELBO, "IWAE": *r.IWAE, "-cross-entropy": {-r.ReconstructionNats.Value, r.ReconstructionNats.SE}} {
		if math.Abs(got.Value+want) > 1e-3 || got.SE > 1e-9 {
			t.Errorf("%s %+v, want %v", what, got, -want)
		}
	}
	if r.KLNats.Value != 0 || r.KLTrainedNats.Value != 0 || r.KL.Value != 0 {
		t.Errorf("divergences %v, %v, %v of the prior from itself", r.KLNats, r.KLTrainedNats, r.KL)
	}
	if r.Active != 0 || r.Collapse != FullCollapse {
		t.Errorf("%d active dimensions, collapse %q", r.Active, r.Collapse)
	}
	if r.Accuracy != nil || r.Notes != nil {
		t.Errorf("accuracies %v, notes %v without references", r.Accuracy, r.Notes)
	}
}

func TestCollapse(t *testing.T) {
	tests := []struct {
		active, dims int
		want         Collapse
	}{
		{0, 1, FullCollapse}, {1, 1, NoCollapse}, {0, 2, FullCollapse}, {1, 2, PartialCollapse}, {2, 2, NoCollapse},
		{1, 3, PartialCollapse}, {2, 3, NoCollapse}, {8, 16, PartialCollapse}, {9, 16, NoCollapse},
	}
	for _, tt := range tests {
		if got := collapse(tt.active, tt.dims); got != tt.want {
			t.Errorf("%d of %d active: %q, want %q", tt.active, tt.dims, got, tt.want)
		}
	}
}

func TestDimensions(t *testing.T) {
	model, _ := newModel(t, nn.Config{Height: 2, Width: 2, LatentDim: 2, Noise: nn.BookNoise, Convolution: nn.Winograd}, 1, 1, 1)
	c := &Codes{model: model, images: newImages(101, 2, 2, 1)}
	for i := range 101 {
		c.Mean = append(c.Mean, float32((i*37)%101)/100, 0.5) // 0, 0.01 ... 1 in some order
		c.LogVar = append(c.LogVar, -1, 0)
	}
	got := c.Dimensions()
	// The variance of 0 ... 100 is 101*102/12; means of squares 0.335 and 0.25.
	want := []Dimension{
		{Variance: 0.08585, Active: true, KLNats: (0.335+math.Exp(-2)-1)/2 + 1, Quantiles: [5]float64{0.05, 0.25, 0.5, 0.75, 0.95}},
		{Variance: 0, KLNats: 0.125, Quantiles: [5]float64{0.5, 0.5, 0.5, 0.5, 0.5}},
	}
	for j, w := range want {
		g := got[j]
		if math.Abs(g.Variance-w.Variance) > 1e-7 || g.Active != w.Active || math.Abs(g.KLNats-w.KLNats) > 1e-7 {
			t.Errorf("dimension %d: %+v, want %+v", j, g, w)
		}
		for q := range w.Quantiles {
			if math.Abs(g.Quantiles[q]-w.Quantiles[q]) > 0.0101 {
				t.Errorf("dimension %d: quantiles %v, want %v", j, g.Quantiles, w.Quantiles)
			}
		}
	}
}

func TestRunErrors(t *testing.T) {
	config := nn.Config{Height: 4, Width: 4, LatentDim: 2, Noise: nn.BookNoise, KLWeight: 1, Convolution: nn.Winograd}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	tests := []struct {
		name   string
		ctx    context.Context
		gain   float32
		images int
		want   string
	}{
		{"one image", t.Context(), 1, 1, "1 image: a standard error takes at least 2"},
		{"infinite codes", t.Context(), 1e30, 3, "image 0 is encoded as z_mean"},
		{"infinite losses", t.Context(), 40, 3, "must be finite: the training has diverged"},
		{"cancelled", cancelled, 1, 3, context.Canceled.Error()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			model, pool := newModel(t, config, tt.gain, 1, 2)
			r, err := Run(tt.ctx, Options{Model: model, Pool: pool, Images: newImages(tt.images, 4, 4, 1), Samples: 2}, func(string) {})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%+v, %v; want %s", r, err, tt.want)
			}
		})
	}
	// Between the parts too.
	for stop := range 5 {
		ctx, cancel := context.WithCancel(t.Context())
		model, pool := newModel(t, config, 1, 1, 2)
		phases := 0
		_, err := Run(ctx, Options{Model: model, Pool: pool, Images: newImages(9, 4, 4, 1), References: newImages(9, 4, 4, 2), Samples: 2}, func(string) {
			if phases == stop {
				cancel()
			}
			phases++
		})
		if !errors.Is(err, context.Canceled) || phases != stop+1 {
			t.Errorf("cancelled in part %d: %v after %d", stop, err, phases)
		}
		cancel()
	}
}

func TestBinarize(t *testing.T) {
	s := &mnist.Split{Images: mnist.Images{Rows: 1, Cols: 4, Pix: []byte{0, 127, 128, 255}}, Labels: []byte{3}}
	b := Binarize(s)
	if string(b.Pix) != "\x00\x00\xff\xff" || string(s.Pix) != "\x00\x7f\x80\xff" || b.Labels[0] != 3 {
		t.Errorf("%v of %v", b, s)
	}
}
