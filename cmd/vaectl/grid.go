package main

import (
	"image"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"vaectl/grid"
	"vaectl/nn"
)

type gridOptions struct {
	model, output string
	spec          grid.Spec
	scale         int
	preview       bool
}

// batchSize is the number of images that encode, decode and grid pass through
// the model at a time, at most.
const batchSize = 32

// defaultGrid is the manifold as it is drawn unless flags say otherwise.
func defaultGrid() grid.Spec { return grid.Spec{N: 15, Lo: 0.05, Hi: 0.95} }

func newGridCommand(c *console) *cobra.Command {
	o := gridOptions{spec: defaultGrid(), scale: 1}
	cmd := &cobra.Command{
		Use:     "sample-grid",
		Aliases: []string{"grid"},
		Short:   "Draw the latent manifold as a PNG",
		Long: `Draw the latent manifold as a PNG.

Column j and row i show what the model decodes from z = (q[j], q[i]), where q
are the normal distribution's quantiles of n probabilities spaced evenly from
--lo to --hi: z_1 grows to the right, z_2 grows downwards.`,
		Example: `  vaectl grid --n 15 > manifold.png
  vaectl grid --n 30 --lo 0.01 --hi 0.99 --y-up -o wide.png
  vaectl grid --preview                # in the terminal
  vaectl grid -m five.safetensors --axes 2,5 --at 0,0,1.5,0,0 > slice.png`,
		Args: args(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error { return runGrid(c, o) },
	}
	f := cmd.Flags()
	modelFlag(f, &o.model, c)
	outputFlag(f, &o.output, "png")
	intFlag(f, &o.spec.N, "n", 1, grid.MaxN, "images along each side")
	quantileFlags(f, &o.spec.Lo, &o.spec.Hi)
	f.BoolVar(&o.spec.YUp, "y-up", false, "let z_2 grow upwards")
	intFlag(f, &o.scale, "scale", 1, grid.MaxScale, "enlarge each pixel `N` times")
	previewFlag(f, &o.preview)
	axesFlag(f, &o.spec.Axes, "axes", "latent dimensions that grow to the right and down (default 1,2)")
	floatsFlag(f, &o.spec.At, "at", "point that the grid runs through: all latent dimensions (default 0,0,...)")
	return cmd
}

// quantileFlags adds --lo and --hi, with the defaults that they hold.
func quantileFlags(fs *pflag.FlagSet, lo, hi *float64) {
	probability := func(x float64) bool { return 0 < x && x < 1 }
	floatFlag(fs, lo, "lo", probability, "a probability between 0 and 1", "probability of the first quantile")
	floatFlag(fs, hi, "hi", probability, "a probability between 0 and 1", "probability of the last quantile")
}

// checkQuantiles tells whether --lo and --hi go together.
func checkQuantiles(lo, hi float64) error {
	if !(lo < hi) {
		return usagef("--lo %v and --hi %v: --lo must be below --hi", lo, hi)
	}
	return nil
}

func runGrid(c *console, o gridOptions) error {
	if err := checkQuantiles(o.spec.Lo, o.spec.Hi); err != nil {
		return err
	}
	if err := checkPreview(o.preview, o.output); err != nil {
		return err
	}
	if !o.preview {
		if err := refuseTerminal(c, o.output); err != nil {
			return err
		}
	}
	model, pool, err := loadModel(c, o.model, batchSize)
	if err != nil {
		return err
	}
	defer pool.Close()
	sheet, err := decodeGrid(model, o.spec, o.scale)
	if err != nil {
		return err
	}
	return showPicture(c, o.output, o.preview, sheet)
}

// decodeGrid draws the manifold that spec describes, whatever it says of the
// model's latent dimensions.
func decodeGrid(model *nn.VAE, spec grid.Spec, scale int) (*image.Gray, error) {
	spec.Latent = model.LatentDim
	g, err := grid.New(spec)
	if err != nil {
		return nil, &usageError{err}
	}
	sheet, err := grid.NewSheet(g.Len(), g.Cols(), model.Height, model.Width, scale)
	if err != nil {
		return nil, &usageError{err}
	}
	batch := min(batchSize, model.BatchSize())
	z := make([]float32, batch*model.LatentDim)
	p := make([]float32, batch*model.Pixels())
	for first := 0; first < g.Len(); {
		n := g.Fill(z, first)
		model.Decode(p, z[:n*model.LatentDim])
		for i := range n {
			sheet.Set(first+i, p[i*model.Pixels():][:model.Pixels()])
		}
		first += n
	}
	return sheet.Image(), nil
}
