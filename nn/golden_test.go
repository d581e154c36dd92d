package nn

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"gonum.org/v1/gonum/blas/blas32"

	"vaectl/internal/gemm"
	"vaectl/internal/isa"
	"vaectl/optim"
)

// The golden holds what PyTorch computes in float64 for the model of the book,
// all 550,629 parameters: testdata/golden/golden.py made it, and its header says
// how the inputs, which both sides derive from integers, come about.
type golden struct {
	Batch        int
	LearningRate float64 `json:"learning_rate"`
	Cases        []goldenCase
}

type goldenCase struct {
	Noise    string
	KLWeight float64 `json:"kl_weight"`
	goldenLosses
	ZMean              [][]float64 `json:"z_mean"`
	ZLogVar            [][]float64 `json:"z_log_var"`
	Z                  [][]float64
	Logits             goldenTensor
	Gradients, Weights []goldenTensor
	Steps              []goldenLosses
}

type goldenLosses struct{ Loss, Reconstruction, KL float64 }

type goldenTensor struct {
	Name        string
	Shape       []int
	Sum, L2     float64
	Projections []float64
	Samples     []struct {
		Index   int
		Value   float64
		MinGrad float64 `json:"min_grad"`
	}
}

// uniform is the number i of a stream: 24 bits of splitmix64, in [0, 1).
func uniform(stream, i uint64) float64 {
	z := stream<<32 + i + 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z ^= z >> 31
	return float64(z>>40) / (1 << 24)
}

func goldenImages(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		if b := int(256 * uniform(100, uint64(i))); b%2 == 1 {
			x[i] = float32(b) / 255
		}
	}
	return x
}

// goldenNoise returns the draws of one step; each is a sum of twelve uniforms.
func goldenNoise(step, n int) []float32 {
	eps := make([]float32, n)
	for i := range eps {
		sum := -6.0
		for q := range 12 {
			sum += uniform(101, uint64(12*(step*n+i)+q))
		}
		eps[i] = float32(sum)
	}
	return eps
}

func goldenWeights(params []*Param) {
	for stream, p := range params {
		limit := 0.1
		if p.FanIn > 0 {
			limit = math.Sqrt(6 / float64(p.FanIn+p.FanOut))
		}
		for i := range p.Data {
			p.Data[i] = float32((2*uniform(uint64(stream+1), uint64(i)) - 1) * limit)
		}
	}
}

func TestGolden(t *testing.T) {
	data, err := os.ReadFile("testdata/golden/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(data, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Cases) != 2 {
		t.Fatalf("%d cases, want one for each noise", len(g.Cases))
	}
	defer blas32.Use(blas32.Implementation())
	for tier := isa.Generic; tier <= isa.Best(); tier++ {
		blas32.Use(gemm.NewBLAS(gemm.New(tier)))
		for _, c := range g.Cases {
			for _, convolution := range []Convolution{Direct, Winograd} {
				if tier == isa.Generic && convolution != Direct {
					break // the reference sums directly, whatever it is told
				}
				name := fmt.Sprintf("%v %v %v", tier, convolution, c.Noise)
				t.Run(name, func(t *testing.T) { g.check(t, tier, convolution, c) })
			}
		}
	}
}

func (g golden) check(t *testing.T, tier isa.Tier, convolution Convolution, c goldenCase) {
	v := newVAE(t, Config{Height: 28, Width: 28, LatentDim: 2, Noise: Noise(c.Noise), KLWeight: c.KLWeight, Convolution: convolution}, tier, 2, g.Batch)
	goldenWeights(v.Params())
	x := goldenImages(g.Batch * v.Pixels())

	losses := v.Gradients(x, goldenNoise(0, g.Batch*2))
	sameLosses(t, "first pass", losses, c.goldenLosses, 1e-5)
	near(t, "z_mean", v.mean.outs[0].Data, slices.Concat(c.ZMean...), 2e-6)
	near(t, "z_log_var", v.logVar.outs[0].Data, slices.Concat(c.ZLogVar...), 2e-6)
	near(t, "z", v.z.Data, slices.Concat(c.Z...), 2e-6)
	c.Logits.check(t, "logits", v.decoder.outs[2].Data, 1e-5, 1e-5)
	if len(c.Gradients) != len(v.Params()) {
		t.Fatalf("%d gradients, want %d", len(c.Gradients), len(v.Params()))
	}
	for i, p := range v.Params() {
		c.Gradients[i].check(t, "gradient of "+p.Name, p.Grad, 2e-5, 1e-5)
	}

	opt, err := optim.New("rmsprop", g.LearningRate, len(v.Weights()), tier)
	if err != nil {
		t.Fatal(err)
	}
	for step, want := range c.Steps {
		losses := v.Gradients(x, goldenNoise(step, g.Batch*2))
		sameLosses(t, "RMSprop", losses, want, 1e-3)
		opt.Advance()
		opt.Update(v.Weights(), v.Grads(), 0, len(v.Weights()))
	}
	for i, p := range v.Params() {
		w := c.Weights[i]
		w.checkNorms(t, p.Name+" after five steps", p.Data, 1e-3)
		grad := c.Gradients[i]
		rms := grad.L2 / math.Sqrt(float64(p.Len()))
		for _, s := range w.Samples {
			// RMSprop's first steps hardly depend on a gradient's size, so
			// where one is lost in rounding, its weight is not compared.
			tol := 2e-4
			switch {
			case s.MinGrad == 0:
				tol = 0 // the gradient was exactly zero: the weight stays
			case s.MinGrad < 1e-3*rms:
				continue
			}
			if d := math.Abs(float64(p.Data[s.Index]) - float64(float32(s.Value))); !(d <= tol) {
				t.Errorf("%s after five steps: value %d is %v, want %v", p.Name, s.Index, p.Data[s.Index], s.Value)
			}
		}
	}
}

func sameLosses(t *testing.T, what string, got Losses, want goldenLosses, tol float64) {
	t.Helper()
	for _, l := range []struct {
		name      string
		got, want float64
	}{{"loss", got.Loss, want.Loss}, {"reconstruction", got.Reconstruction, want.Reconstruction}, {"kl", got.KL, want.KL}} {
		if !(math.Abs(l.got-l.want) <= tol*math.Abs(l.want)) {
			t.Errorf("%s: %s %v, want %v", what, l.name, l.got, l.want)
		}
	}
}

// check compares samples relative to the tensor's root mean square and the
// projections relative to its norm.
func (g goldenTensor) check(t *testing.T, what string, got []float32, sampleTol, normTol float64) {
	t.Helper()
	rms := g.L2 / math.Sqrt(float64(len(got)))
	for _, s := range g.Samples {
		if d := math.Abs(float64(got[s.Index]) - s.Value); !(d <= sampleTol*rms) {
			t.Errorf("%s: value %d is %v, want %v", what, s.Index, got[s.Index], s.Value)
		}
	}
	g.checkNorms(t, what, got, normTol)
}

func (g goldenTensor) checkNorms(t *testing.T, what string, got []float32, tol float64) {
	t.Helper()
	squares := 0.0
	for _, v := range got {
		squares += float64(v) * float64(v)
	}
	if l2 := math.Sqrt(squares); !(math.Abs(l2-g.L2) <= tol*g.L2) {
		t.Errorf("%s: norm %v, want %v", what, l2, g.L2)
	}
	for p, want := range g.Projections {
		sum := 0.0
		for i, v := range got {
			sum += float64(v) * (2*uniform(uint64(200+p), uint64(i)) - 1)
		}
		if !(math.Abs(sum-want) <= tol*g.L2) {
			t.Errorf("%s: projection %d is %v, want %v", what, p, sum, want)
		}
	}
}
