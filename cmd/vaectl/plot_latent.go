package main

import (
	"context"
	"fmt"
	"math"

	"github.com/spf13/cobra"
	"gonum.org/v1/gonum/stat"

	"vaectl/grid"
	"vaectl/internal/chart"
	"vaectl/internal/eval"
	"vaectl/mnist"
	"vaectl/nn"
)

type plotLatentOptions struct {
	splitOptions
	model, output, format string
	ellipses              int
	overGrid              bool
	spec                  grid.Spec
}

func newPlotLatentCommand(c *console) *cobra.Command {
	o := plotLatentOptions{spec: defaultGrid()}
	cmd := &cobra.Command{
		Use:   "latent",
		Short: "Draw where images lie in the latent space",
		Long: `Draw where images lie in the latent space.

A mark for the z_mean of each image, coloured by its label; z_1 grows to the right,
z_2 upwards. With more than two latent dimensions the two are taken in which z_mean
varies most, unless --axes chooses. With one, there is a band for each label.

--ellipses draws, for some of the images, the ellipse one standard deviation of z
around z_mean. --over-grid lays the marks over the picture that grid draws with the
same --n, --lo, --hi, --axes, --at and --y-up: axes are then in its probabilities,
z_2 grows downwards as it does there, and each mark lies on the image that the grid
decodes nearest to it.`,
		Example: `  vaectl plot latent -o latent.png
  vaectl plot latent --ellipses --limit 2000 -o latent.svg
  vaectl plot latent --over-grid --n 20 > over.png`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !o.overGrid {
				for _, name := range []string{"n", "lo", "hi", "at", "y-up"} {
					if cmd.Flags().Changed(name) {
						return usagef("--%s: is for --over-grid", name)
					}
				}
			}
			return runPlotLatent(cmd.Context(), c, o)
		},
	}
	f := cmd.Flags()
	modelFlag(f, &o.model, c)
	outputFlag(f, &o.output)
	formatFlag(f, &o.format, chart.Formats())
	splitFlags(f, &o.splitOptions)
	axesFlag(f, &o.spec.Axes, "axes", "latent dimensions that grow to the right and upwards (default the two that vary most)")
	intFlag(f, &o.ellipses, "ellipses", 0, math.MaxInt32, "draw the posterior's width for as many images as --ellipses=`N` says, 200 if it says none")
	f.Lookup("ellipses").NoOptDefVal = "200"
	f.BoolVar(&o.overGrid, "over-grid", false, "lay the marks over the manifold")
	intFlag(f, &o.spec.N, "n", 2, grid.MaxN, "images along each side of the manifold")
	quantileFlags(f, &o.spec.Lo, &o.spec.Hi)
	floatsFlag(f, &o.spec.At, "at", "point that the manifold runs through: all latent dimensions (default 0,0,...)")
	f.BoolVar(&o.spec.YUp, "y-up", false, "let the manifold's vertical axis grow upwards")
	return cmd
}

func runPlotLatent(ctx context.Context, c *console, o plotLatentOptions) error {
	format, err := chooseFormat(o.format, o.output, chart.Formats())
	if err != nil {
		return err
	}
	if err := checkQuantiles(o.spec.Lo, o.spec.Hi); err != nil {
		return err
	}
	model, pool, err := loadModel(c, o.model, batchSize)
	if err != nil {
		return err
	}
	defer pool.Close()
	if err := o.checkDimensions(model.LatentDim); err != nil {
		return err
	}
	data, split, err := o.open(c, model.Height, model.Width)
	if err != nil {
		return err
	}
	codes, err := encodeSplit(ctx, model, split)
	if err != nil {
		return fmt.Errorf("encoding the images: %w", err)
	}
	if model.LatentDim > 1 && o.spec.Axes == [2]int{} {
		o.spec.Axes = widestAxes(codes.Mean, model.LatentDim)
		if model.LatentDim > 2 {
			fmt.Fprintf(c.err, "drawing z_%d and z_%d, which vary most; --axes chooses others\n", o.spec.Axes[0], o.spec.Axes[1])
		}
	}
	if split.Labels == nil {
		fmt.Fprintln(c.err, "the images have no labels: all marks have one colour")
	}
	s := o.scatter(model, codes, split.Labels)
	s.Title = fmt.Sprintf("z_mean of %s", describe(data, split))
	if o.overGrid {
		manifold, err := decodeGrid(model, o.spec, 1)
		if err != nil {
			return err
		}
		s.Over = &chart.Manifold{Image: manifold, N: o.spec.N, Lo: o.spec.Lo, Hi: o.spec.Hi, YUp: o.spec.YUp}
	}
	figure, err := chart.Latent(s)
	if err != nil {
		return fmt.Errorf("drawing: %w", err)
	}
	return writeFigure(c, o.output, format, figure)
}

// checkDimensions refuses what a model of so many latent dimensions cannot show.
func (o *plotLatentOptions) checkDimensions(dims int) error {
	if dims == 1 {
		switch {
		case o.overGrid:
			return usagef("--over-grid: needs 2 latent dimensions, and the model has 1")
		case o.ellipses > 0:
			return usagef("--ellipses: needs 2 latent dimensions, and the model has 1")
		case o.spec.Axes != [2]int{}:
			return usagef("--axes %d,%d: the model has 1 latent dimension", o.spec.Axes[0], o.spec.Axes[1])
		}
		return nil
	}
	if a := o.spec.Axes; a != [2]int{} && (a[0] == a[1] || max(a[0], a[1]) > dims) {
		return usagef("--axes %d,%d: must be two different numbers from 1 to %d", a[0], a[1], dims)
	}
	return nil
}

// widestAxes returns the two dimensions of z [n, dims], counted from 1 and in
// order, in which it varies most.
func widestAxes(z []float32, dims int) [2]int {
	first, second := -1, -1 // the widest comes first
	widths := make([]float64, dims)
	for i := range widths {
		widths[i] = stat.PopVariance(column(z, dims, i), nil)
		switch {
		case first < 0 || widths[i] > widths[first]:
			first, second = i, first
		case second < 0 || widths[i] > widths[second]:
			second = i
		}
	}
	return [2]int{min(first, second) + 1, max(first, second) + 1}
}

func (o *plotLatentOptions) scatter(model *nn.VAE, codes *eval.Codes, labels []byte) chart.Scatter {
	d := model.LatentDim
	if d == 1 {
		return chart.Scatter{XName: "z_1", X: column(codes.Mean, 1, 0), Labels: labels}
	}
	x, y := o.spec.Axes[0]-1, o.spec.Axes[1]-1
	s := chart.Scatter{
		XName: fmt.Sprintf("z_%d", x+1), YName: fmt.Sprintf("z_%d", y+1),
		X: column(codes.Mean, d, x), Y: column(codes.Mean, d, y),
		Labels: labels, Ellipses: o.ellipses,
	}
	if o.ellipses > 0 {
		deviation := func(i int) []float64 {
			list := column(codes.LogVar, d, i)
			for k, v := range list {
				list[k] = math.Exp(model.LogDeviation(float32(v)))
			}
			return list
		}
		s.SDX, s.SDY = deviation(x), deviation(y)
	}
	return s
}

// describe names the images of a split in a title.
func describe(data *mnist.Dataset, split *mnist.Split) string {
	return fmt.Sprintf("%d images (%s, %s)", split.Len(), data.Name, split.Name)
}
