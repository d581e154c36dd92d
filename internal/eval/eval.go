// Package eval measures a trained model on a set of images: how well it
// reconstructs, the bounds on the likelihood, how its latent dimensions are used,
// and whether neighbours in the latent space are of one kind.
//
// What belongs here is the mathematics over images, latent vectors and labels.
// Where the images come from, and how a report is shown or judged, is the
// caller's business.
package eval

import (
	"context"
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat"

	"vaectl/internal/parallel"
	"vaectl/mnist"
	"vaectl/nn"
)

// Options say what to measure.
type Options struct {
	Model *nn.VAE        // bound; its batch size is the step of the work
	Pool  *parallel.Pool // the model's, used between its calls

	Images *mnist.Split // at least 2, of the model's size
	// References are the images among which neighbours are looked for; nil
	// leaves the accuracies out.
	References *mnist.Split
	// Own says that the References are the first of the Images, which then
	// are not their own neighbours.
	Own bool

	Samples int    // of the importance-weighted bound; 0 leaves it out
	Seed    uint64 // of the draws of z
}

// Report is what was measured. What was left out is nil.
type Report struct {
	Terms
	IWAE      *Estimate   `json:"iwae,omitempty"`
	Accuracy  []Accuracy  `json:"accuracy,omitempty"`
	Active    int         `json:"active_units"`
	Collapse  Collapse    `json:"collapse"`
	Dimension []Dimension `json:"dimensions"`
	// Notes say what was left out although it was asked for, and why.
	Notes []string `json:"notes,omitempty"`
}

// Estimate is a mean over the images and its standard error: the images'
// standard deviation over the square root of their number. It tells how far
// another draw of as many images might differ.
type Estimate struct {
	Value float64 `json:"value"`
	SE    float64 `json:"se"`
}

func estimate(values []float64) Estimate {
	mean, deviation := stat.MeanStdDev(values, nil)
	return Estimate{mean, stat.StdErr(deviation, float64(len(values)))}
}

// Run measures the model. It calls phase as each part of the work begins, and
// returns ctx's error soon after ctx ends. The report depends on the images, the
// model and the seed, and on nothing else.
func Run(ctx context.Context, o Options, phase func(string)) (*Report, error) {
	if n := o.Images.Len(); n < 2 {
		return nil, fmt.Errorf("%d image: a standard error takes at least 2", n)
	}
	phase(fmt.Sprintf("encoding %d images", o.Images.Len()))
	codes, err := Encode(ctx, o.Model, o.Images)
	if err != nil {
		return nil, err
	}
	r := new(Report)
	phase("decoding a draw of each")
	if r.Terms, err = codes.Terms(ctx, o.Seed); err != nil {
		return nil, err
	}
	r.Dimension = codes.Dimensions()
	for _, d := range r.Dimension {
		if d.Active {
			r.Active++
		}
	}
	r.Collapse = collapse(r.Active, o.Model.LatentDim)
	if o.Samples > 0 {
		phase(fmt.Sprintf("decoding %d draws of each", o.Samples))
		iwae, err := codes.IWAE(ctx, o.Samples, o.Seed)
		if err != nil {
			return nil, err
		}
		r.IWAE = &iwae
	}
	if o.References == nil {
		return r, nil
	}
	if o.Images.Labels == nil || o.References.Labels == nil {
		r.Notes = append(r.Notes, "no accuracy of neighbours: it takes labels of both the training and the measured images")
		return r, nil
	}
	return r, o.accuracy(ctx, r, codes, phase)
}

// Codes are images and what the encoder makes of them.
type Codes struct {
	model        *nn.VAE
	images       *mnist.Split
	Mean, LogVar []float32 // z_mean and z_log_var, [n, LatentDim]
}

// Encode encodes all images. What comes out must be finite.
func Encode(ctx context.Context, model *nn.VAE, images *mnist.Split) (*Codes, error) {
	n, d := images.Len(), model.LatentDim
	c := &Codes{model: model, images: images, Mean: make([]float32, n*d), LogVar: make([]float32, n*d)}
	b := newBatch(model, images)
	for lo := 0; lo < n; lo += model.BatchSize() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		hi := min(lo+model.BatchSize(), n)
		for i := lo; i < hi; i++ {
			b.add(i)
		}
		model.Encode(c.Mean[lo*d:hi*d], c.LogVar[lo*d:hi*d], b.take())
	}
	for i := range c.Mean {
		if !finite(float64(c.Mean[i])) || !finite(float64(c.LogVar[i])) {
			return nil, fmt.Errorf("image %d is encoded as z_mean %v, z_log_var %v: %w", i/d, c.Mean[i], c.LogVar[i], errNotFinite)
		}
	}
	return c, nil
}

var errNotFinite = errors.New("must be finite: the training has diverged")

// at is what image i is encoded as.
func (c *Codes) at(i int) (mean, logVar []float32) {
	d := c.model.LatentDim
	return c.Mean[i*d:][:d], c.LogVar[i*d:][:d]
}

// batch gathers images for the model.
type batch struct {
	images *mnist.Split
	index  []int
	x      []float32
	pixels int
}

func newBatch(model *nn.VAE, images *mnist.Split) *batch {
	n := model.BatchSize()
	return &batch{images: images, index: make([]int, 0, n), x: make([]float32, n*model.Pixels()), pixels: model.Pixels()}
}

func (b *batch) add(i int)  { b.index = append(b.index, i) }
func (b *batch) full() bool { return len(b.index) == cap(b.index) }

// take returns the pixels of the images that were added, and begins anew.
func (b *batch) take() []float32 {
	x := b.x[:len(b.index)*b.pixels]
	b.images.Fill(x, b.index)
	b.index = b.index[:0]
	return x
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
