package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/spf13/cobra"

	"vaectl/internal/chart"
	"vaectl/internal/eval"
	"vaectl/internal/parallel"
	"vaectl/internal/steer"
	"vaectl/mnist"
	"vaectl/nn"
)

type conceptMeasureOptions struct {
	splitOptions
	alphas
	model, output, format, vector string
	from, to                      conceptSet
	k, neighbours                 int
}

func newConceptMeasureCommand(c *console) *cobra.Command {
	o := conceptMeasureOptions{k: 5}
	cmd := &cobra.Command{
		Use:   "measure",
		Short: "Measure how often a concept turns one label into another",
		Long: `Measure how often a concept turns one label into another.

Takes the images of the split that have the label --from, adds alpha times the
concept to their z_mean, and looks at the --k nearest training images by z_mean: the
share of images where most of these have the label --to, and where they have --from,
for each alpha. A tied vote goes to the smallest label. With --split train an image
is not its own neighbour.

The concept is the one that --vector names, by default the difference between the
means of the two labels in the training split, so that the validation images have no
part in it. --limit counts images of all labels.

Writes a table for people, or JSON or a chart where --format or the ending of the
output's name (.txt, .json, .png, .svg, .pdf) says so. Its errors are standard errors.`,
		Example: `  vaectl concept measure --from 4 --to 9
  vaectl concept measure --from 4 --to 9 --alpha 0..3 --k 1 -o four-to-nine.svg`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			given := cmd.Flags().Changed
			switch {
			case !given("from") || !given("to"):
				return usagef("--from and --to must both be given: labels from 0 to 255")
			case o.from == o.to:
				return usagef("--from and --to are both %s: must be two labels", o.from)
			case o.neighbours > 0 && o.split == "train":
				return usagef("--neighbours: goes with --split val only")
			case given("steps") && o.lo == o.hi:
				return usagef("--steps: needs a range of --alpha, such as -2..2")
			}
			return runConceptMeasure(cmd.Context(), c, o)
		},
	}
	f := cmd.Flags()
	modelFlag(f, &o.model, c)
	outputFlag(f, &o.output)
	formatFlag(f, &o.format, reachFormats())
	splitFlags(f, &o.splitOptions)
	conceptSetFlag(f, &o.from, "from", false, "label of the images that are changed")
	conceptSetFlag(f, &o.to, "to", false, "label that they should become")
	f.StringVar(&o.vector, "vector", "", "concept, a `FILE` with one row of latent numbers")
	o.alphas = alphas{lo: 0, hi: 2, steps: 9}
	alphaFlags(f, &o.alphas, "how far to go along the concept (default 0..2)")
	intFlag(f, &o.k, "k", 1, 1000, "neighbours that vote")
	intFlag(f, &o.neighbours, "neighbours", 0, math.MaxInt32, "look for them among the first `N` training images; 0 takes all")
	return cmd
}

func reachFormats() []string { return append([]string{"txt", "json"}, chart.Formats()...) }

// reach is what was measured.
type reach struct {
	Data       string       `json:"data"`
	Split      string       `json:"split"`
	From       int          `json:"from"`
	To         int          `json:"to"`
	Images     int          `json:"images"` // with the label From
	K          int          `json:"k"`
	References int          `json:"references"` // training images
	Shares     []reachShare `json:"shares"`
}

type reachShare struct {
	Alpha float64       `json:"alpha"`
	To    eval.Estimate `json:"to"`
	From  eval.Estimate `json:"from"`
}

func runConceptMeasure(ctx context.Context, c *console, o conceptMeasureOptions) error {
	format, err := chooseFormat(o.format, o.output, reachFormats())
	if err != nil {
		return err
	}
	model, pool, err := loadModel(c, o.model, batchSize)
	if err != nil {
		return err
	}
	defer pool.Close()
	data, split, err := o.open(c, model.Height, model.Width)
	if err != nil {
		return err
	}
	references := data.Train
	if o.neighbours > 0 {
		references = references.Head(o.neighbours)
	}
	if split.Labels == nil || references.Labels == nil {
		return errors.New("measuring a concept: it takes labels of the training images and of the measured ones")
	}
	images := withLabel(split, byte(o.from.label))
	if images.Len() == 0 {
		return fmt.Errorf("measuring a concept: none of the %d images of %s has label %d", split.Len(), split.Name, o.from.label)
	}
	own := split.Name == data.Train.Name
	if own {
		references = imagesFirst(images, references, split.Len())
	}
	if choices := references.Len(); o.k > choices || own && o.k == choices {
		return usagef("--k %d: there are %d training images", o.k, choices)
	}
	r := reach{
		Data: data.Name, Split: split.Name, From: o.from.label, To: o.to.label,
		Images: images.Len(), K: o.k, References: references.Len(),
	}
	if r.Shares, err = o.measure(ctx, c, model, pool, images, references, own); err != nil {
		return err
	}
	return r.write(c, o.output, format)
}

// imagesFirst is the training split with the images in front: those of one label
// among the first of the split. An image and its own place among the references
// then have the same number, by which the search leaves it out.
func imagesFirst(images, train *mnist.Split, first int) *mnist.Split {
	all := *train
	all.Pix, all.Labels = slices.Clone(images.Pix), slices.Clone(images.Labels)
	for i, l := range train.Labels {
		if i >= first || l != images.Labels[0] {
			all.Pix = append(all.Pix, train.At(i)...)
			all.Labels = append(all.Labels, l)
		}
	}
	return &all
}

// measure finds the share for each alpha. The vector comes from the references
// unless a file has it.
func (o *conceptMeasureOptions) measure(ctx context.Context, c *console, model *nn.VAE, pool *parallel.Pool, images, references *mnist.Split, own bool) ([]reachShare, error) {
	d := model.LatentDim
	var v []float32
	var err error
	if o.vector != "" { // before the long part of the work
		if v, err = readVector(ctx, c, o.vector, model); err != nil {
			return nil, err
		}
	}
	z, err := encodeSplit(ctx, model, images)
	if err != nil {
		return nil, fmt.Errorf("encoding the images of label %d: %w", o.from.label, err)
	}
	fmt.Fprintf(c.err, "encoding %d training images\n", references.Len())
	points, err := encodeSplit(ctx, model, references)
	if err != nil {
		return nil, fmt.Errorf("encoding the training images: %w", err)
	}
	if v == nil {
		of := func(label int) (z []float32) {
			for i, l := range references.Labels {
				if int(l) == label {
					z = append(z, points.Mean[i*d:][:d]...)
				}
			}
			return z
		}
		if v, err = steer.Concept(of(o.from.label), of(o.to.label), d); err != nil {
			return nil, fmt.Errorf("finding the concept in the training images: %w", err)
		}
	}
	search := eval.NewNeighbours(points.Mean, d)
	shares, err := steer.Reach(z.Mean, v, o.values(), byte(o.from.label), byte(o.to.label), func(z []float32) ([]byte, error) {
		return search.Labels(ctx, pool, z, references.Labels, o.k, own)
	})
	if ctx.Err() != nil {
		return nil, &interruptedError{"while looking for neighbours"}
	}
	if err != nil {
		return nil, fmt.Errorf("measuring a concept: %w", err)
	}
	var list []reachShare
	for _, s := range shares {
		list = append(list, reachShare{s.Alpha, proportion(s.To, images.Len()), proportion(s.From, images.Len())})
	}
	return list, nil
}

// proportion is a share of n with its standard error, that of a binomial.
func proportion(p float64, n int) eval.Estimate {
	return eval.Estimate{Value: p, SE: math.Sqrt(max(p*(1-p), 0) / float64(n))}
}

func (r *reach) write(c *console, output, format string) error {
	switch format {
	case "txt":
		return writeOutput(c, output, false, r.table)
	case "json":
		return writeOutput(c, output, false, func(w io.Writer) error {
			return writeJSON(w, r)
		})
	}
	to, from := chart.Curve{Name: fmt.Sprintf("label %d", r.To)}, chart.Curve{Name: fmt.Sprintf("label %d", r.From)}
	for _, s := range r.Shares {
		for curve, share := range map[*chart.Curve]eval.Estimate{&to: s.To, &from: s.From} {
			curve.X = append(curve.X, s.Alpha)
			curve.Y = append(curve.Y, share.Value)
			curve.SE = append(curve.SE, share.SE)
		}
	}
	title := fmt.Sprintf("From %d to %d: %d images (%s, %s)", r.From, r.To, r.Images, r.Data, r.Split)
	figure, err := chart.Shares(title, "alpha", fmt.Sprintf("share by %d nearest neighbours", r.K), []chart.Curve{to, from})
	if err != nil {
		return fmt.Errorf("drawing: %w", err)
	}
	return writeFigure(c, output, format, figure)
}

func (r *reach) table(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%d images of label %d (%s, %s), %d nearest of %d training images\n%8s  %16s  %16s\n",
		r.Images, r.From, r.Data, r.Split, r.K, r.References, "alpha", fmt.Sprintf("share of label %d", r.To), fmt.Sprintf("share of label %d", r.From))
	for _, s := range r.Shares {
		if err != nil {
			break
		}
		_, err = fmt.Fprintf(w, "%8.3g  %7.3f +- %.3f  %7.3f +- %.3f\n", s.Alpha, s.To.Value, s.To.SE, s.From.Value, s.From.SE)
	}
	return err
}
