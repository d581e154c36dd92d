package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"vaectl/grid"
	"vaectl/internal/steer"
	"vaectl/nn"
)

type traverseOptions struct {
	splitOptions
	stripOptions
	model, of  string
	dim, steps int
	lo, hi     float64
}

// maxTraverse bounds the numbers of all points of a traverse: 256 MiB.
const maxTraverse = 1 << 26

func newTraverseCommand(c *console) *cobra.Command {
	o := traverseOptions{of: "prior", steps: 11, lo: 0.05, hi: 0.95}
	cmd := pointCommand(&cobra.Command{
		Use:   "traverse [POINT]",
		Short: "Walk along one latent dimension",
		Long: `Walk along one latent dimension.

Decodes POINT, by default the origin, with the dimension --dim at quantiles of
evenly spaced probabilities: a strip of images from left to right, or an animation
where the output's name ends in .gif. Without --dim every dimension gets a row.

The quantiles are those of the prior N(0, I), or, with --of data, those of z_mean
over the images of the split.

` + pointHelp,
		Example: `  vaectl traverse > dimensions.png
  vaectl traverse --dim 2 --of data four.png -o strip.png
  vaectl traverse --dim 1 --steps 40 --scale 4 @17 -o walk.gif`,
		Args: args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, points []string) error {
			return runTraverse(cmd.Context(), c, o, points)
		},
	})
	f := cmd.Flags()
	modelFlag(f, &o.model, c)
	stripFlags(f, &o.stripOptions)
	formatFlag(f, &o.format, stripFormats())
	splitFlags(f, &o.splitOptions)
	intFlag(f, &o.dim, "dim", 0, nn.MaxLatentDim, "latent dimension, counted from 1; 0 takes all, a row each")
	intFlag(f, &o.steps, "steps", 2, grid.MaxN, "quantiles")
	choiceFlag(f, &o.of, "of", []string{"prior", "data"}, "whose quantiles")
	quantileFlags(f, &o.lo, &o.hi)
	return cmd
}

func runTraverse(ctx context.Context, c *console, o traverseOptions, points []string) error {
	format, err := chooseFormat(o.format, o.output, stripFormats())
	if err != nil {
		return err
	}
	if err := checkQuantiles(o.lo, o.hi); err != nil {
		return err
	}
	model, pool, err := loadModel(c, o.model, batchSize)
	if err != nil {
		return err
	}
	defer pool.Close()
	d := model.LatentDim
	if o.dim > d {
		return usagef("--dim %d: the model has %d latent dimensions", o.dim, d)
	}
	first, last := o.dim, o.dim
	if o.dim == 0 {
		first, last = 1, d
	}
	if (last-first+1)*o.steps*d > maxTraverse {
		return usagef("--steps %d for each of %d dimensions: too much for one picture; --dim chooses one", o.steps, d)
	}
	start := make([]float32, d)
	reader := pointReader{console: c, model: model, options: o.splitOptions}
	if len(points) > 0 {
		if start, err = reader.read(ctx, points[0]); err != nil {
			return err
		}
	}
	quantiles, err := o.quantiles(ctx, &reader)
	if err != nil {
		return err
	}
	var z []float32
	for dim := first; dim <= last; dim++ {
		values, err := quantiles(dim - 1)
		if err != nil {
			return err
		}
		for _, v := range values {
			z = append(z, start...)
			z[len(z)-d+dim-1] = float32(v)
		}
	}
	return o.write(ctx, c, model, z, o.steps, format)
}

// quantiles returns a function that gives the quantiles of a dimension, counted
// from 0.
func (o *traverseOptions) quantiles(ctx context.Context, p *pointReader) (func(int) ([]float64, error), error) {
	if o.of == "prior" {
		return func(int) ([]float64, error) { return grid.Quantiles(o.steps, o.lo, o.hi) }, nil
	}
	split, err := p.split()
	if err != nil {
		return nil, err
	}
	codes, err := encodeSplit(ctx, p.model, split)
	if err != nil {
		return nil, fmt.Errorf("encoding the images: %w", err)
	}
	return func(dim int) ([]float64, error) {
		return steer.Quantiles(column(codes.Mean, p.model.LatentDim, dim), o.steps, o.lo, o.hi)
	}, nil
}
