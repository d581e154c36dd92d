package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gonum.org/v1/gonum/blas"

	"vaectl/internal/isa"
	"vaectl/internal/modelfile"
	"vaectl/mnist"
	"vaectl/nn"
)

// tiny returns options to measure everything as briefly as can be.
func tiny(t *testing.T) Options {
	t.Helper()
	pix := make([]byte, 40*28*28)
	for i := range pix {
		pix[i] = byte(i)
	}
	return Options{
		Tier: isa.Best(), Workers: 2, Samples: 20, Batch: 8,
		Config: modelfile.Config{
			LatentDim: 2, Noise: "book", KLWeight: 5e-4, Convolution: "winograd",
			Optimizer: "rmsprop", LearningRate: 0.001, BatchSize: 16, Epochs: 1, Seed: 1,
		},
		Data: &mnist.Dataset{Name: "idx", Train: &mnist.Split{Name: "train", Images: mnist.Images{Rows: 28, Cols: 28, Pix: pix}}},
	}
}

func tinyStages(t *testing.T) []nn.Stage {
	t.Helper()
	b := newBench(tiny(t))
	t.Cleanup(b.pool.Close)
	stages, err := b.stages()
	if err != nil {
		t.Fatal(err)
	}
	return stages
}

func TestRunMeasuresEverything(t *testing.T) {
	var sections []string
	r, err := Run(t.Context(), tiny(t), func(s string) { sections = append(sections, s) })
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{Products, Layers, Training, Throughput}; !slices.Equal(sections, want) {
		t.Errorf("began %v, want %v", sections, want)
	}
	var names []string
	for _, row := range r.Results {
		names = append(names, fmt.Sprintf("%s %d %s", row.Section, row.Workers, row.Name))
		if row.Repeats < 1 || row.Seconds < 0 || row.Seconds == 0 && !strings.HasSuffix(row.Name, "data gradient") {
			t.Errorf("%s: %v s in %d repeats", row.Name, row.Seconds, row.Repeats)
		}
	}
	for _, want := range []string{
		"ceiling 1 multiply-adds in registers",
		"ceiling 2 multiply-adds in registers",
		"products 1 A·B 196x64x576 encoder.conv3 forward",
		"products 1 A·Bᵀ 196x576x64 encoder.conv3 data gradient",
		"products 1 Aᵀ·B 576x64x196 encoder.conv3 weight gradient",
		"layers 2 encoder.conv1 forward",
		"layers 2 encoder.conv1 weight gradient",
		"layers 2 decoder.conv_out data gradient",
		"training 2 loss",
		"training 2 optimizer rmsprop",
		"training 2 step of 16",
		"training 2 epoch of 60,000",
		"throughput 2 encode 10,000",
		"throughput 2 decode 10,000",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("no row %q in %q", want, names)
		}
	}
	// conv4's products are conv3's; the first layer has no data gradient.
	for _, wrong := range []string{"products 1 A·B 196x64x576 encoder.conv4 forward", "layers 2 encoder.conv1 data gradient"} {
		if slices.Contains(names, wrong) {
			t.Errorf("there is a row %q", wrong)
		}
	}
}

func TestSectionsByThemselves(t *testing.T) {
	for _, section := range []string{Ceiling, Products, Layers, Training, Throughput} {
		o := tiny(t)
		o.Section, o.Workers = section, 1
		r, err := Run(t.Context(), o, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range r.Results {
			if row.Section != section && row.Section != Ceiling || row.Workers != 1 {
				t.Errorf("%s has a row %+v", section, row)
			}
			if row.Section == Ceiling != (i == 0) {
				t.Errorf("%s: row %d is of the %s", section, i, row.Section)
			}
		}
	}
}

func TestRunStops(t *testing.T) {
	for _, section := range []string{Products, Layers, Training, Throughput} {
		o := tiny(t)
		o.Section, o.Time, o.Samples = section, time.Hour, 0
		ctx, cancel := context.WithCancel(t.Context())
		_, err := Run(ctx, o, func(string) { cancel() })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v, want %v", section, err, context.Canceled)
		}
	}
}

// The figures are worked out by hand from the layers' sizes: multiply-adds are
// output pixels times taps times input and output channels.
func TestCount(t *testing.T) {
	stages := tinyStages(t)
	macs := []int{
		28 * 28 * 9 * 32, 14 * 14 * 9 * 32 * 64, 14 * 14 * 9 * 64 * 64, 14 * 14 * 9 * 64 * 64,
		12544 * 32, 32 * 2, 32 * 2,
		2 * 12544, 14 * 14 * 9 * 64 * 32, 28 * 28 * 9 * 32,
	}
	for i, want := range macs {
		if got := flops(stages[i]); got != 2*want {
			t.Errorf("%s: %d operations, want %d", stages[i].Name, got, 2*want)
		}
	}
	encode, decode, step := count(stages)
	if encode != 37_381_376 || decode != 7_727_104 || step != 134_873_856 {
		t.Errorf("%d to encode, %d to decode, %d a step", encode, decode, step)
	}
}

func TestProductsOf(t *testing.T) {
	const no, yes = blas.NoTrans, blas.Trans
	want := map[string][3]product{
		"encoder.conv2":          {{no, no, 196, 64, 288}, {no, yes, 196, 288, 64}, {yes, no, 288, 64, 196}},
		"decoder.conv_transpose": {{no, yes, 196, 288, 64}, {no, no, 196, 64, 288}, {yes, no, 288, 64, 196}},
		"decoder.conv_out":       {{no, no, 784, 1, 288}, {no, yes, 784, 288, 1}, {yes, no, 288, 1, 784}},
		"encoder.dense":          {{no, no, 16, 32, 12544}, {no, yes, 16, 12544, 32}, {yes, no, 12544, 32, 16}},
	}
	for _, s := range tinyStages(t) {
		w, ok := want[s.Name]
		if !ok {
			continue
		}
		forward, dataGrad, weightGrad := productsOf(s, 16)
		if got := [3]product{forward, dataGrad, weightGrad}; got != w {
			t.Errorf("%s: %v, want %v", s.Name, got, w)
		}
		delete(want, s.Name)
	}
	if len(want) > 0 {
		t.Errorf("no stages %v", want)
	}
}
