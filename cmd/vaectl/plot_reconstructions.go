package main

import (
	"cmp"
	"context"
	"fmt"
	"image"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"vaectl/internal/chart"
	"vaectl/mnist"
	"vaectl/nn"
)

type plotReconstructionsOptions struct {
	splitOptions
	model, output, format string
	count, worst          int
}

// maxPairs bounds the images of a figure, which is 10 wide.
const maxPairs = 500

func newPlotReconstructionsCommand(c *console) *cobra.Command {
	o := plotReconstructionsOptions{count: 10}
	cmd := &cobra.Command{
		Use:   "reconstructions",
		Short: "Draw images above what the model makes of them",
		Long: `Draw images above what the model makes of them.

Below each original is its reconstruction, decoded from z_mean, and the number of
the image in the split, counted from 0, its label, and the binary cross-entropy
between the two, mean over pixels. --worst takes the images where it is largest.`,
		Example: `  vaectl plot reconstructions -o reconstructions.png
  vaectl plot reconstructions --worst 20 --split train > worst.png`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("count") && o.worst > 0 {
				return usagef("--count and --worst: only one of them can be given")
			}
			return runPlotReconstructions(cmd.Context(), c, o)
		},
	}
	f := cmd.Flags()
	modelFlag(f, &o.model, c)
	outputFlag(f, &o.output)
	formatFlag(f, &o.format, chart.Formats())
	splitFlags(f, &o.splitOptions)
	intFlag(f, &o.count, "count", 1, maxPairs, "draw the first `N` images")
	intFlag(f, &o.worst, "worst", 0, maxPairs, "draw the `K` images that are reconstructed worst, the worst first")
	return cmd
}

// reconstruction is an image of a split and the cross-entropy between it and what
// the model makes of it.
type reconstruction struct {
	index int
	loss  float64 // nats, mean over pixels
}

func runPlotReconstructions(ctx context.Context, c *console, o plotReconstructionsOptions) error {
	format, err := chooseFormat(o.format, o.output, chart.Formats())
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
	title := "Reconstructions of the first %d of " + describe(data, split)
	consider := split
	if o.worst == 0 {
		consider = split.Head(o.count)
	} else {
		title = "The %d worst reconstructions of " + describe(data, split)
	}
	list, err := reconstruct(ctx, model, consider)
	if err != nil {
		return err
	}
	if o.worst > 0 {
		slices.SortStableFunc(list, func(a, b reconstruction) int { return cmp.Compare(b.loss, a.loss) })
		list = list[:min(o.worst, len(list))]
	}
	pairs, err := drawPairs(ctx, model, split, list)
	if err != nil {
		return err
	}
	figure, err := chart.Pairs(fmt.Sprintf(title, len(pairs)), pairs)
	if err != nil {
		return fmt.Errorf("drawing: %w", err)
	}
	return writeFigure(c, o.output, format, figure)
}

// reconstruct finds the cross-entropy of every image of the split.
func reconstruct(ctx context.Context, model *nn.VAE, split *mnist.Split) ([]reconstruction, error) {
	codes, err := encodeSplit(ctx, model, split)
	if err != nil {
		return nil, fmt.Errorf("encoding the images: %w", err)
	}
	list := make([]reconstruction, split.Len())
	size, d := model.BatchSize(), model.LatentDim
	x, nats, index := make([]float32, size*model.Pixels()), make([]float64, size), make([]int, size)
	for lo := 0; lo < len(list); lo += size {
		if ctx.Err() != nil {
			return nil, &interruptedError{"while decoding"}
		}
		n := min(size, len(list)-lo)
		for k := range n {
			index[k] = lo + k
		}
		split.Fill(x[:n*model.Pixels()], index[:n])
		model.CrossEntropies(nats[:n], x[:n*model.Pixels()], codes.Mean[lo*d:(lo+n)*d])
		for k := range n {
			list[lo+k] = reconstruction{lo + k, nats[k] / float64(model.Pixels())}
		}
	}
	return list, nil
}

// drawPairs makes the pictures of the images in the list.
func drawPairs(ctx context.Context, model *nn.VAE, split *mnist.Split, list []reconstruction) ([]chart.Pair, error) {
	chosen := &mnist.Split{Name: split.Name, Images: mnist.Images{Rows: split.Rows, Cols: split.Cols}}
	for _, r := range list {
		chosen.Pix = append(chosen.Pix, split.At(r.index)...)
	}
	codes, err := encodeSplit(ctx, model, chosen)
	if err != nil {
		return nil, fmt.Errorf("encoding the images: %w", err)
	}
	sheet, err := decodeSheet(ctx, model, codes.Mean, len(list), 1)
	if err != nil {
		return nil, err
	}
	pairs := make([]chart.Pair, len(list))
	for k, r := range list {
		tile := image.Rect(k*model.Width, 0, (k+1)*model.Width, model.Height)
		pairs[k] = chart.Pair{
			Original:       &image.Gray{Pix: split.At(r.index), Stride: split.Cols, Rect: image.Rect(0, 0, split.Cols, split.Rows)},
			Reconstruction: sheet.SubImage(tile).(*image.Gray),
			Caption:        "@" + strconv.Itoa(r.index),
		}
		if split.Labels != nil {
			pairs[k].Caption += fmt.Sprintf(" (%d)", split.Labels[r.index])
		}
		pairs[k].Caption += fmt.Sprintf(" %.3f", r.loss)
	}
	return pairs, nil
}
