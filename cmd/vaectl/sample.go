package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"vaectl/internal/latent"
)

// Random streams of their own for what a model is asked for, far from the numbers
// of those that a training draws from.
const (
	streamPosterior uint64 = iota + 1<<32 // encode --sample
	streamPrior                           // sample
)

type sampleOptions struct {
	model, format string
	count         int
	seed          uint64
	latents       bool
	pictures      pictureOptions
}

func newSampleCommand(c *console) *cobra.Command {
	o := sampleOptions{count: 64, seed: 1}
	cmd := &cobra.Command{
		Use:   "sample",
		Short: "Draw images from the model",
		Long: `Draw images from the model.

Draws z from the standard normal distribution, and decodes it. With --latents it
prints the rows rather than their images, so that "vaectl sample --latents |
vaectl decode" gives the same bytes as "vaectl sample". The same seed gives the
same images.

` + pictureHelp,
		Example: `  vaectl sample > samples.png
  vaectl sample --count 8 --cols 8 --seed 3 --preview
  vaectl sample --count 1000 --format idx | vaectl encode > round.csv
  vaectl sample --latents --format ndjson | jq -c 'select(.z[0] > 1)' | vaectl decode -o right.png`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runSample(cmd.Context(), c, o)
		},
	}
	f := cmd.Flags()
	modelFlag(f, &o.model, c)
	intFlag(f, &o.count, "count", 1, math.MaxInt32, "number of images")
	seedFlag(f, &o.seed, "seed", "seed of the draws")
	f.BoolVar(&o.latents, "latents", false, "print the latent vectors, as encode does, rather than their images")
	pictureFlags(f, &o.pictures)
	choiceFlag(f, &o.format, "format", append(pictureFormats(), string(latent.CSV), string(latent.TSV), string(latent.NDJSON)),
		"format of the images (default png) or, with --latents, of the rows (default csv)")
	return cmd
}

func runSample(ctx context.Context, c *console, o sampleOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	model, pool, err := loadModel(c, o.model, batchSize)
	if err != nil {
		return err
	}
	defer pool.Close()
	draws := &prior{rng: rand.New(rand.NewPCG(o.seed, streamPrior)), dim: model.LatentDim, count: o.count}
	if !o.latents {
		return o.pictures.write(ctx, c, model, draws)
	}
	format := latent.Format(o.format)
	return writeOutput(c, o.pictures.output, format == latent.NPY, func(w io.Writer) error {
		out, err := latent.NewWriter(w, format, model.LatentDim, false)
		if err != nil {
			return err
		}
		defer out.Close()
		return copyRows(ctx, out, draws)
	})
}

// check fills in the format, and refuses flags that do not go together.
func (o *sampleOptions) check() error {
	formats, what := pictureFormats(), "images"
	if o.latents {
		formats, what = latent.Formats(), "rows"
	}
	if o.format == "" {
		o.format = formats[0]
	}
	if !slices.Contains(formats, o.format) {
		return usagef("--format %s: %s come as %s", o.format, what, strings.Join(formats, ", "))
	}
	p := &o.pictures
	if !o.latents {
		p.format = o.format
		return p.check()
	}
	if p.outDir != "" || p.cols != 0 || p.scale != 1 || p.preview {
		return usagef("--latents: --out-dir, --cols, --scale and --preview are for images")
	}
	return nil
}

// copyRows writes all rows and flushes.
func copyRows(ctx context.Context, out latent.Writer, in latent.Reader) error {
	var row latent.Row
	for {
		err := in.Read(&row)
		if errors.Is(err, io.EOF) {
			return out.Flush()
		}
		if err != nil {
			return err
		}
		if err := out.Write(row); err != nil {
			return fmt.Errorf("writing rows: %w", err)
		}
		if ctx.Err() != nil {
			return &interruptedError{"while writing rows"}
		}
	}
}

// prior is a latent.Reader of draws from the standard normal distribution.
type prior struct {
	rng              *rand.Rand
	dim, count, done int
}

func (p *prior) Read(row *latent.Row) error {
	if p.done == p.count {
		return io.EOF
	}
	*row = latent.Row{ID: fmt.Sprintf("sample:%d", p.done), Z: row.Z[:0]}
	for range p.dim {
		row.Z = append(row.Z, float32(p.rng.NormFloat64()))
	}
	p.done++
	return nil
}
