package main

import (
	"context"
	"fmt"
	"image"
	"io"
	"math"
	"time"

	"github.com/spf13/pflag"

	"vaectl/grid"
	"vaectl/internal/animation"
	"vaectl/nn"
)

// stripOptions are where a walk through the latent space goes to, and how: a
// picture with a column a step, or an animation with a frame a step.
type stripOptions struct {
	output, format string
	scale          int
	delay          int // milliseconds
}

// stripFormats are the formats of a strip.
func stripFormats() []string { return []string{"png", "gif"} }

// stripFlags adds the flags but --format.
func stripFlags(fs *pflag.FlagSet, o *stripOptions) {
	*o = stripOptions{scale: 1, delay: 100}
	outputFlag(fs, &o.output)
	intFlag(fs, &o.scale, "scale", 1, grid.MaxScale, "enlarge each pixel `N` times")
	intFlag(fs, &o.delay, "delay", 10, math.MaxUint16*10, "milliseconds that a frame of a GIF stays")
}

// write decodes z [n, LatentDim], cols to a row, and writes the strip in the
// format that chooseFormat has found.
func (o stripOptions) write(ctx context.Context, c *console, model *nn.VAE, z []float32, cols int, format string) error {
	sheet, err := decodeSheet(ctx, model, z, cols, o.scale)
	if err != nil {
		return err
	}
	if format == "png" {
		return writePNG(c, o.output, sheet)
	}
	walk := animation.Animation{Delay: time.Duration(o.delay) * time.Millisecond}
	for frame := range cols {
		w := sheet.Rect.Dx() / cols
		if err := walk.Add(sheet.SubImage(image.Rect(frame*w, 0, (frame+1)*w, sheet.Rect.Dy())).(*image.Gray), ""); err != nil {
			return fmt.Errorf("making the animation: %w", err)
		}
	}
	return writeOutput(c, o.output, true, func(w io.Writer) error { return walk.Write(w) })
}

// decodeSheet decodes z [n, LatentDim] into one picture, cols images to a row.
func decodeSheet(ctx context.Context, model *nn.VAE, z []float32, cols, scale int) (*image.Gray, error) {
	sheet, err := grid.NewSheet(len(z)/model.LatentDim, cols, model.Height, model.Width, scale)
	if err != nil {
		return nil, &usageError{err}
	}
	n := 0
	err = decodeRows(ctx, model, &heldRows{dim: model.LatentDim, z: z}, func(_ string, p []float32) error {
		sheet.Set(n, p)
		n++
		return nil
	})
	return sheet.Image(), err
}
