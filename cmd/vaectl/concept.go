package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"gonum.org/v1/gonum/blas/blas32"

	"vaectl/grid"
	"vaectl/internal/latent"
	"vaectl/internal/steer"
	"vaectl/mnist"
	"vaectl/nn"
)

func newConceptCommand(c *console) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "concept",
		Short: "Find, apply and measure directions that mean something",
		Long: `Find, apply and measure directions that mean something.

A concept is the direction in the latent space from the mean of one set of images
to the mean of another. Added to the z of an image, it makes the image more like
the second set.`,
		Example: `  vaectl concept find --from 4 --to 9 > nine.csv
  vaectl concept apply --vector nine.csv four.png > strip.png
  vaectl encode four.png | vaectl concept apply --vector nine.csv --alpha 0.7 | vaectl decode > edited.png
  vaectl concept measure --from 4 --to 9`,
		Args: knownCommand,
		RunE: showHelp,
	}
	cmd.AddCommand(newConceptFindCommand(c), newConceptApplyCommand(c), newConceptMeasureCommand(c))
	return cmd
}

// conceptSet is one of the two sets of images that make a concept: those of a
// label, or those of a folder.
type conceptSet struct {
	label  int // -1 for a folder
	folder string
}

func (s conceptSet) String() string {
	if s.label < 0 {
		return filepath.Base(s.folder)
	}
	return strconv.Itoa(s.label)
}

// conceptSetFlag adds a flag for a label or, where they are allowed, a folder.
func conceptSetFlag(fs *pflag.FlagSet, p *conceptSet, name string, folders bool, usage string) {
	kind, accepted := "LABEL", "a label from 0 to 255"
	if folders {
		kind, accepted = "LABEL|DIR", accepted+", or a folder of images"
	}
	fs.Var(&value{kind, "", func(s string) error {
		label, err := strconv.Atoi(s)
		switch {
		case err == nil && label >= 0 && label <= math.MaxUint8:
			*p = conceptSet{label: label}
			return nil
		case err != nil && s != "" && folders:
			*p = conceptSet{label: -1, folder: s}
			return nil
		}
		return errors.New("must be " + accepted)
	}}, name, usage)
}

type conceptFindOptions struct {
	splitOptions
	model, output, format string
	from, to              conceptSet
}

func newConceptFindCommand(c *console) *cobra.Command {
	var o conceptFindOptions
	cmd := &cobra.Command{
		Use:   "find",
		Short: "Compute the direction from one set of images to another",
		Long: `Compute the direction from one set of images to another.

Each set is a label of the split's images or a folder of image files (./4 for one
that is called 4). The direction is the difference between the means of z_mean. It
is written as one row of a table of latent vectors, which decode reads too.`,
		Example: `  vaectl concept find --from 4 --to 9 -o nine.csv
  vaectl concept find --from plain/ --to smiling/ > smile.csv`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, name := range []string{"from", "to"} {
				if !cmd.Flags().Changed(name) {
					return usagef("--from and --to must both be given: labels, or folders of images")
				}
			}
			return runConceptFind(cmd.Context(), c, o)
		},
	}
	f := cmd.Flags()
	modelFlag(f, &o.model, c)
	outputFlag(f, &o.output)
	formatFlag(f, &o.format, latent.Formats())
	splitFlags(f, &o.splitOptions)
	conceptSetFlag(f, &o.from, "from", true, "images that the direction leads away from")
	conceptSetFlag(f, &o.to, "to", true, "images that the direction leads to")
	return cmd
}

func runConceptFind(ctx context.Context, c *console, o conceptFindOptions) error {
	format, err := chooseFormat(o.format, o.output, latent.Formats())
	if err != nil {
		return err
	}
	model, pool, err := loadModel(c, o.model, batchSize)
	if err != nil {
		return err
	}
	defer pool.Close()
	var split *mnist.Split
	if o.from.label >= 0 || o.to.label >= 0 {
		if _, split, err = o.open(c, model.Height, model.Width); err != nil {
			return err
		}
		if split.Labels == nil {
			return &hintError{
				fmt.Errorf("finding a concept: the images of %s have no labels", split.Name),
				"--from and --to take folders of images too",
			}
		}
	}
	var z [2][]float32
	for i, set := range []conceptSet{o.from, o.to} {
		if z[i], err = set.encode(ctx, c, model, split); err != nil {
			return err
		}
	}
	v, err := steer.Concept(z[0], z[1], model.LatentDim)
	if err != nil {
		return fmt.Errorf("finding a concept: %w", err)
	}
	d := model.LatentDim
	fmt.Fprintf(c.err, "from %s (%d images) to %s (%d images): a direction of length %.3g\n",
		o.from, len(z[0])/d, o.to, len(z[1])/d, blas32.Nrm2(blas32.Vector{N: d, Inc: 1, Data: v}))
	row := latent.Row{ID: fmt.Sprintf("%s to %s", o.from, o.to), Z: v}
	return writeRows(c, o.output, latent.Format(format), d, func(rows latent.Writer) error { return rows.Write(row) })
}

// encode returns z_mean of the set's images, [n, LatentDim], of which there are
// some.
func (s conceptSet) encode(ctx context.Context, c *console, model *nn.VAE, split *mnist.Split) ([]float32, error) {
	if s.label >= 0 {
		chosen := withLabel(split, byte(s.label))
		if chosen.Len() == 0 {
			return nil, fmt.Errorf("finding a concept: none of the %d images of %s has label %d", split.Len(), split.Name, s.label)
		}
		codes, err := encodeSplit(ctx, model, chosen)
		if err != nil {
			return nil, fmt.Errorf("encoding the images of label %d: %w", s.label, err)
		}
		return codes.Mean, nil
	}
	rows, err := encodeFiles(ctx, c, model, []string{s.folder})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &hintError{err, "--from and --to take a label or a folder of images"}
	}
	if err != nil {
		return nil, err
	}
	var z []float32
	for _, r := range rows {
		z = append(z, r.Z...)
	}
	return z, nil
}

// writeRows passes fill a writer of rows to the place that -o names.
func writeRows(c *console, output string, format latent.Format, dim int, fill func(latent.Writer) error) error {
	return writeOutput(c, output, format == latent.NPY, func(w io.Writer) error {
		rows, err := latent.NewWriter(w, format, dim, false)
		if err != nil {
			return err
		}
		defer rows.Close()
		if err := fill(rows); err != nil {
			return err
		}
		return rows.Flush()
	})
}

// alphas are how far along a concept to go: a number, or some from lo to hi.
type alphas struct {
	lo, hi float64
	steps  int
}

// alphaFlags adds --alpha and --steps.
func alphaFlags(fs *pflag.FlagSet, a *alphas, usage string) {
	fs.Var(&value{"X|LO..HI", "", func(s string) error {
		lo, hi, isRange := strings.Cut(s, "..")
		x, err1 := strconv.ParseFloat(lo, 64)
		y, err2 := x, err1
		if isRange {
			y, err2 = strconv.ParseFloat(hi, 64)
		}
		if err1 != nil || err2 != nil || math.IsNaN(x) || math.IsNaN(y) || math.IsInf(x, 0) || math.IsInf(y, 0) || isRange && x >= y {
			return errors.New("must be a number, or two such as -2..2, the lower first")
		}
		a.lo, a.hi = x, y
		return nil
	}}, "alpha", usage)
	intFlag(fs, &a.steps, "steps", 2, grid.MaxN, "values of a range of --alpha, both ends included")
}

// values lists the alphas.
func (a alphas) values() []float64 {
	if a.lo == a.hi {
		return []float64{a.lo}
	}
	return steer.Span(a.lo, a.hi, a.steps)
}

// readVector reads the one row of the file that --vector names.
func readVector(ctx context.Context, c *console, path string, model *nn.VAE) ([]float32, error) {
	rows := &latentFiles{ctx: ctx, c: c, dim: model.LatentDim, files: []string{path}}
	var row, second latent.Row
	if err := rows.Read(&row); err != nil {
		return nil, err
	}
	v := slices.Clone(row.Z)
	switch err := rows.Read(&second); {
	case err == nil:
		return nil, fmt.Errorf("reading the concept %s: it has more than one row", path)
	case !errors.Is(err, io.EOF):
		return nil, err
	}
	return v, nil
}
