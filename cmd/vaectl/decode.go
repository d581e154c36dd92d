package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/spf13/cobra"

	"vaectl/grid"
	"vaectl/internal/latent"
	"vaectl/nn"
)

type decodeOptions struct {
	model, output string
	cols, scale   int
}

func newDecodeCommand(c *console) *cobra.Command {
	o := decodeOptions{scale: 1}
	cmd := &cobra.Command{
		Use:   "decode [FILE...]",
		Short: "Map latent vectors to images",
		Long: `Map latent vectors to images.

Reads CSV with a header that names the columns z_1, z_2, ... (as encode writes
it), or bare rows of numbers separated by commas, tabs or spaces; stdin where no
file or "-" is named. Writes one PNG: the image, or a sheet of several in the
order of the rows.`,
		Example: `  echo 0.5,-1 | vaectl decode > digit.png
  vaectl encode digits/*.png | vaectl decode --cols 10 > again.png`,
		RunE: func(cmd *cobra.Command, files []string) error {
			return runDecode(cmd.Context(), c, o, files)
		},
	}
	f := cmd.Flags()
	modelFlag(f, &o.model, c)
	outputFlag(f, &o.output)
	intFlag(f, &o.cols, "cols", 0, math.MaxInt32, "images in a row of the sheet; 0 makes it nearly square")
	intFlag(f, &o.scale, "scale", 1, grid.MaxScale, "enlarge each pixel `N` times")
	return cmd
}

func runDecode(ctx context.Context, c *console, o decodeOptions, files []string) error {
	if len(files) == 0 {
		if isTerminal(c.in) {
			return &hintError{usagef("no latent vectors: name files, or pipe rows to stdin"), `"vaectl decode --help" shows how`}
		}
		files = []string{"-"}
	}
	model, pool, err := loadModel(c, o.model, batchSize)
	if err != nil {
		return err
	}
	defer pool.Close()
	var z []float32
	for _, path := range files {
		if z, err = readLatents(ctx, c, path, model, z); err != nil {
			return err
		}
	}
	n := len(z) / model.LatentDim
	if o.cols == 0 {
		o.cols = int(math.Ceil(math.Sqrt(float64(n))))
	}
	sheet, err := grid.NewSheet(n, min(o.cols, n), model.Height, model.Width, o.scale)
	if err != nil {
		return fmt.Errorf("laying out %d images: %w", n, err)
	}
	p := make([]float32, batchSize*model.Pixels())
	for first := 0; first < n; first += batchSize {
		if ctx.Err() != nil {
			return &interruptedError{"while decoding"}
		}
		batch := z[first*model.LatentDim : min(first+batchSize, n)*model.LatentDim]
		model.Decode(p, batch)
		for i := range len(batch) / model.LatentDim {
			sheet.Set(first+i, p[i*model.Pixels():][:model.Pixels()])
		}
	}
	return writePNG(c, o.output, sheet.Image())
}

// readLatents appends the rows of one file to z [n, LatentDim].
func readLatents(ctx context.Context, c *console, path string, model *nn.VAE, z []float32) ([]float32, error) {
	in, name, err := openInput(c, path)
	if err != nil {
		return nil, fmt.Errorf("reading latent vectors: %w", err)
	}
	defer in.Close()
	rows, err := latent.NewReader(in, "", model.LatentDim)
	if err != nil {
		return nil, fmt.Errorf("reading latent vectors from %s: %w", name, err)
	}
	var row latent.Row
	for {
		err := rows.Read(&row)
		if errors.Is(err, io.EOF) {
			return z, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading latent vectors from %s: %w", name, err)
		}
		if len(z)/model.LatentDim*model.Pixels() > grid.MaxPixels {
			return nil, fmt.Errorf("reading latent vectors from %s: too many for one picture of at most %d pixels", name, grid.MaxPixels)
		}
		z = append(z, row.Z...)
		if ctx.Err() != nil {
			return nil, &interruptedError{"while reading latent vectors from " + name}
		}
	}
}
