// Package bench measures what this machine makes of the model: the ceiling of
// its CPU, matrix products, layers, a training step, encoding and decoding, all
// in one run.
//
// What belongs here is timing, and the counting of operations that makes rates
// of times. The work that is timed is that of the packages below, called as the
// commands call it; how the figures are shown is the command's business.
//
// # Operations
//
// Floating-point operations are counted from the geometry: two for every
// multiply-add of a layer's product, taps that fall on the padding included.
// Each gradient has as many as the forward pass, and the first layer has no data
// gradient. Biases, activations, the loss and the optimizer count nothing. An
// algorithm that saves multiplications may therefore exceed the ceiling.
package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"vaectl/internal/gemm"
	"vaectl/internal/isa"
	"vaectl/internal/modelfile"
	"vaectl/internal/parallel"
	"vaectl/internal/train"
	"vaectl/mnist"
	"vaectl/nn"
)

// The sections of a report, in order. The ceiling is always measured.
const (
	Ceiling    = "ceiling"
	Products   = "products"
	Layers     = "layers"
	Training   = "training"
	Throughput = "throughput"
)

// The names of the results that are scaled to a number of images.
const (
	Epoch  = "epoch of 60,000"
	Encode = "encode 10,000"
	Decode = "decode 10,000"
)

// Options says what is measured, and on what.
type Options struct {
	Tier    isa.Tier
	Workers int // below 1: one for every processor
	// Section is the only one to measure besides the ceiling; "" takes all.
	Section string
	// Time is about how long the whole takes. However short it is, everything
	// is measured three times.
	Time time.Duration
	// Samples is the number of images to train on, to encode and to decode;
	// 0 takes what Time allows.
	Samples int
	// Batch is the number of images that are encoded and decoded at a time.
	Batch int
	// Config is the training's, its Height and Width aside.
	Config modelfile.Config
	Data   *mnist.Dataset
}

// Result is one figure of a report. Rates are 0 where they do not apply.
type Result struct {
	Section string `json:"section"`
	Name    string `json:"name"`
	Workers int    `json:"workers"`
	// Seconds is the median of the repeats; for the ceiling the best of them, and
	// for Epoch, Encode and Decode all of them together, scaled to so many images.
	Seconds float64 `json:"seconds"`
	Repeats int     `json:"repeats"`

	GFLOPS          float64 `json:"gflops"`          // 1e9 operations a second
	CeilingPercent  float64 `json:"ceiling_percent"` // of the ceiling of as many cores
	ImagesPerSecond float64 `json:"images_per_second"`

	flops  float64
	images int
}

// Report holds the figures of one run.
type Report struct {
	ISA     string   `json:"isa"`
	Workers int      `json:"workers"`
	Batch   int      `json:"batch"` // of a training step
	Results []Result `json:"results"`
}

// Run measures. It calls note with the name of each section that it begins, and
// returns ctx's error soon after ctx ends.
func Run(ctx context.Context, o Options, note func(section string)) (*Report, error) {
	b := newBench(o)
	defer b.pool.Close()
	sections := []struct {
		name  string
		share int // of the time, in percent
		run   func(context.Context, time.Duration) error
	}{
		{Products, 20, b.products},
		{Layers, 35, b.layers},
		{Training, 30, b.training},
		{Throughput, 15, b.throughput},
	}
	all := 0
	for _, s := range sections {
		if o.Section == "" || o.Section == s.name {
			all += s.share
		}
	}
	for _, s := range sections {
		if o.Section != "" && o.Section != s.name {
			continue
		}
		note(s.name)
		b.ceilings.measure()
		if err := s.run(ctx, o.Time*time.Duration(s.share)/time.Duration(all)); err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	b.ceilings.measure()

	r := &Report{ISA: o.Tier.String(), Workers: b.pool.Workers(), Batch: o.Config.BatchSize}
	r.Results = append(b.ceilings.results(), b.results...)
	for i := range r.Results {
		b.ceilings.rate(&r.Results[i])
	}
	return r, nil
}

// bench is a run in progress.
type bench struct {
	Options
	pool     *parallel.Pool
	rng      *rand.Rand
	ceilings ceilings
	results  []Result
}

func newBench(o Options) *bench {
	o.Config.Height, o.Config.Width = o.Data.Train.Rows, o.Data.Train.Cols
	pool := parallel.New(o.Workers)
	return &bench{
		Options: o, pool: pool, rng: rand.New(rand.NewPCG(1, 1)),
		ceilings: ceilings{kernels: gemm.New(o.Tier), pool: pool},
	}
}

// vae returns a model with fresh weights for batches of the given size.
func (b *bench) vae(batch int, training bool) (*nn.VAE, error) {
	model, err := nn.New(train.ModelConfig(b.Config))
	if err != nil {
		return nil, err
	}
	model.Bind(b.pool, b.Tier, batch, training)
	model.InitWeights(b.rng)
	return model, nil
}

// stages returns the parts of a training step on a batch of the data.
func (b *bench) stages() ([]nn.Stage, error) {
	n := b.Config.BatchSize
	model, err := b.vae(n, true)
	if err != nil {
		return nil, err
	}
	x := make([]float32, n*model.Pixels())
	b.Data.Train.Fill(x, b.indices(0, n))
	return model.Stages(x, b.normals(n*model.LatentDim)), nil
}

// indices are those of n images of the training set from the first on, round
// and round.
func (b *bench) indices(first, n int) []int {
	index := make([]int, n)
	for i := range index {
		index[i] = (first + i) % b.Data.Train.Len()
	}
	return index
}

// normals are n draws from N(0, 1).
func (b *bench) normals(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(b.rng.NormFloat64())
	}
	return x
}

func (b *bench) add(r Result) { b.results = append(b.results, r) }
