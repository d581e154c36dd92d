package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"vaectl/internal/latent"
	"vaectl/internal/steer"
	"vaectl/nn"
)

type conceptApplyOptions struct {
	splitOptions
	stripOptions
	alphas
	model, vector string
}

func newConceptApplyCommand(c *console) *cobra.Command {
	var o conceptApplyOptions
	cmd := pointCommand(&cobra.Command{
		Use:   "apply --vector FILE [POINT...]",
		Short: "Add a concept to images or to rows of latent vectors",
		Long: `Add a concept to images or to rows of latent vectors.

Decodes z + alpha * concept, where z is each POINT, for each alpha: a strip of images
from left to right with a row a point, or an animation where the output's name ends
in .gif. The default is -2..2.

` + pointHelp + `

Without a point it reads rows of latent vectors from stdin and writes as many with
the concept added, for decode to read; with a range of --alpha, each row becomes
several. The default is 1.`,
		Example: `  vaectl concept apply --vector nine.csv --alpha -2..2 --steps 9 four.png > strip.png
  vaectl concept apply --vector nine.csv @4 @17 -o edit.gif
  vaectl encode four.png | vaectl concept apply --vector nine.csv --alpha 0.7 | vaectl decode > edited.png`,
		RunE: func(cmd *cobra.Command, points []string) error {
			given := cmd.Flags().Changed
			switch {
			case o.vector == "":
				return &hintError{usagef("--vector must name the file of a concept"), `"vaectl concept find" makes one`}
			case o.vector == "-" && len(points) == 0:
				return usagef("--vector -: stdin is where the rows come from")
			case given("steps") && given("alpha") && o.lo == o.hi, given("steps") && !given("alpha") && len(points) == 0:
				return usagef("--steps: needs a range of --alpha, such as -2..2")
			}
			if !given("alpha") {
				o.lo, o.hi = 1, 1
				if len(points) > 0 {
					o.lo, o.hi = -2, 2
				}
			}
			if len(points) > 0 {
				return runConceptStrip(cmd.Context(), c, o, points)
			}
			return runConceptRows(cmd.Context(), c, o)
		},
	})
	f := cmd.Flags()
	modelFlag(f, &o.model, c)
	stripFlags(f, &o.stripOptions)
	choiceFlag(f, &o.format, "format", slices.Concat(stripFormats(), latent.Formats()),
		"format of the strip or of the rows (default by the output's ending, else png or csv)")
	splitFlags(f, &o.splitOptions)
	f.StringVar(&o.vector, "vector", "", "concept, a `FILE` with one row of latent numbers")
	o.steps = 9
	alphaFlags(f, &o.alphas, "how far to go along the concept")
	return cmd
}

// chooseFormat refuses pictures for rows and the other way round.
func (o conceptApplyOptions) chooseFormat(what string, formats []string) (string, error) {
	format, err := chooseFormat(o.format, o.output, formats)
	if err == nil && !slices.Contains(formats, format) {
		return "", usagef("--format %s: %s; must be one of %v", format, what, formats)
	}
	return format, err
}

func runConceptStrip(ctx context.Context, c *console, o conceptApplyOptions, points []string) error {
	format, err := o.chooseFormat("points become images", stripFormats())
	if err != nil {
		return err
	}
	model, pool, err := loadModel(c, o.model, batchSize)
	if err != nil {
		return err
	}
	defer pool.Close()
	v, err := readVector(ctx, c, o.vector, model)
	if err != nil {
		return err
	}
	reader := pointReader{console: c, model: model, options: o.splitOptions}
	starts, err := reader.read(ctx, points...)
	if err != nil {
		return err
	}
	alphas, d := o.values(), model.LatentDim
	z := make([]float32, 0, len(starts)*len(alphas))
	for i := range points {
		for _, alpha := range alphas {
			z = append(z, starts[i*d:][:d]...)
			if err := steer.Add(z[len(z)-d:], z[len(z)-d:], v, alpha); err != nil {
				return fmt.Errorf("applying the concept to %s: %w", points[i], err)
			}
		}
	}
	return o.write(ctx, c, model, z, len(alphas), format)
}

func runConceptRows(ctx context.Context, c *console, o conceptApplyOptions) error {
	format, err := o.chooseFormat("rows stay rows", latent.Formats())
	if err != nil {
		return err
	}
	if isTerminal(c.in) {
		return &hintError{usagef("nothing to apply the concept to: name images, or pipe rows to stdin"), `"vaectl concept apply --help" shows how`}
	}
	model, pool, err := loadModel(c, o.model, batchSize)
	if err != nil {
		return err
	}
	defer pool.Close()
	v, err := readVector(ctx, c, o.vector, model)
	if err != nil {
		return err
	}
	in := &latentFiles{ctx: ctx, c: c, dim: model.LatentDim, files: []string{"-"}}
	return writeRows(c, o.output, latent.Format(format), model.LatentDim, func(out latent.Writer) error {
		return moveRows(ctx, model, in, out, v, o.values())
	})
}

// moveRows writes each row of in with alpha*v added, once for each alpha; where
// there are several, alpha is added to the row's id too.
func moveRows(ctx context.Context, model *nn.VAE, in latent.Reader, out latent.Writer, v []float32, alphas []float64) error {
	moved := make([]float32, model.LatentDim)
	var row latent.Row
	for {
		err := in.Read(&row)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return &interruptedError{"while reading latent vectors from stdin"}
		}
		for _, alpha := range alphas {
			if err := steer.Add(moved, row.Z, v, alpha); err != nil {
				return fmt.Errorf("applying the concept to row %q: %w", row.ID, err)
			}
			id := row.ID
			if len(alphas) > 1 {
				id += " alpha " + strconv.FormatFloat(alpha, 'g', 6, 64)
			}
			if err := out.Write(latent.Row{ID: id, Label: row.Label, Z: moved}); err != nil {
				return fmt.Errorf("writing rows: %w", err)
			}
		}
	}
}
