package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"vaectl/grid"
	"vaectl/internal/steer"
)

type interpolateOptions struct {
	splitOptions
	stripOptions
	model, path string
	steps       int
}

func newInterpolateCommand(c *console) *cobra.Command {
	o := interpolateOptions{path: "lerp", steps: 10}
	cmd := pointCommand(&cobra.Command{
		Use:   "interpolate A B",
		Short: "Walk from one point of the latent space to another",
		Long: `Walk from one point of the latent space to another.

Decodes points spaced evenly from A to B, both included, into a strip of images
from left to right, or an animation where the output's name ends in .gif.

` + pointHelp + `

--path lerp goes straight; slerp goes along the arc around the origin, and so keeps
the distance from it that samples have.`,
		Example: `  vaectl interpolate four.png nine.png > strip.png
  vaectl interpolate @4 @9 --steps 30 --scale 4 -o walk.gif
  vaectl interpolate --path slerp -o arc.png -- -1,0.5 1,1`,
		Args: args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, points []string) error {
			return runInterpolate(cmd.Context(), c, o, points)
		},
	})
	f := cmd.Flags()
	modelFlag(f, &o.model, c)
	stripFlags(f, &o.stripOptions)
	formatFlag(f, &o.format, stripFormats())
	splitFlags(f, &o.splitOptions)
	intFlag(f, &o.steps, "steps", 2, grid.MaxN, "points, both ends included")
	choiceFlag(f, &o.path, "path", []string{"lerp", "slerp"}, "way from A to B")
	return cmd
}

func runInterpolate(ctx context.Context, c *console, o interpolateOptions, points []string) error {
	format, err := chooseFormat(o.format, o.output, stripFormats())
	if err != nil {
		return err
	}
	model, pool, err := loadModel(c, o.model, batchSize)
	if err != nil {
		return err
	}
	defer pool.Close()
	reader := pointReader{console: c, model: model, options: o.splitOptions}
	ends, err := reader.read(ctx, points...)
	if err != nil {
		return err
	}
	a, b := ends[:model.LatentDim], ends[model.LatentDim:]
	z := steer.Lerp(a, b, o.steps)
	if o.path == "slerp" {
		if z, err = steer.Slerp(a, b, o.steps); err != nil {
			return &hintError{fmt.Errorf("from %s to %s: %w", points[0], points[1], err), "--path lerp goes straight"}
		}
	}
	return o.write(ctx, c, model, z, o.steps, format)
}
