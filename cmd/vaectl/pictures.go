package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/spf13/pflag"

	"vaectl/grid"
	"vaectl/internal/latent"
	"vaectl/internal/npy"
	"vaectl/internal/spool"
	"vaectl/mnist"
	"vaectl/nn"
)

// pictureOptions say what becomes of the images that decode and sample make.
type pictureOptions struct {
	output, outDir, format string
	cols, scale            int
	preview                bool
}

const (
	formatPNG = "png"
	formatIDX = "idx"
	formatNPY = "npy"
)

func pictureFormats() []string { return []string{formatPNG, formatIDX, formatNPY} }

const pictureHelp = `Writes one PNG: the image, or a sheet of several in the order of the rows; with
--out-dir a PNG for each row, named by the last part of its id or else by the
row's number. --format idx writes an IDX file, which encode reads, and npy
NumPy's array file, float32 [rows][height][width] of probabilities.

A sheet, and its latent vectors, are held in memory, within bounds; all else is
in memory that does not grow. IDX and npy files name the number of images first,
so they are held back to the end: beyond 1 MiB in a temporary file.`

// pictureFlags adds all of them but --format.
func pictureFlags(fs *pflag.FlagSet, o *pictureOptions) {
	o.format, o.scale = formatPNG, 1
	outputFlag(fs, &o.output)
	fs.StringVar(&o.outDir, "out-dir", "", "write a PNG for each row into `DIRECTORY`, which is made if need be")
	intFlag(fs, &o.cols, "cols", 0, math.MaxInt32, "images in a row of the sheet; 0 makes it nearly square")
	intFlag(fs, &o.scale, "scale", 1, grid.MaxScale, "enlarge each pixel `N` times")
	previewFlag(fs, &o.preview)
}

// check refuses flags that do not go together.
func (o pictureOptions) check() error {
	switch {
	case o.outDir != "" && o.output != "":
		return usagef("--out-dir and --output: give one of them")
	case o.outDir != "" && o.preview:
		return usagef("--out-dir and --preview: give one of them")
	case o.outDir != "" && o.cols != 0:
		return usagef("--cols is for a sheet, and --out-dir writes none")
	case o.format == formatPNG:
		return checkPreview(o.preview, o.output)
	case o.outDir != "" || o.preview:
		return usagef("--format %s: --out-dir and --preview are for PNG", o.format)
	case o.cols != 0 || o.scale != 1:
		return usagef("--format %s: --cols and --scale are for PNG", o.format)
	}
	return nil
}

// write decodes all rows.
func (o pictureOptions) write(ctx context.Context, c *console, model *nn.VAE, rows latent.Reader) error {
	switch {
	case o.outDir != "":
		return o.writeDir(ctx, model, rows)
	case o.format == formatIDX:
		return writeOutput(c, o.output, true, func(w io.Writer) error { return writeIDX(ctx, w, model, rows) })
	case o.format == formatNPY:
		return writeOutput(c, o.output, true, func(w io.Writer) error { return writeNPY(ctx, w, model, rows) })
	}
	if !o.preview {
		if err := refuseTerminal(c, o.output); err != nil {
			return err
		}
	}
	sheet, err := o.sheet(ctx, model, rows)
	if err != nil {
		return err
	}
	return showPicture(c, o.output, o.preview, sheet.Image())
}

// decodeRows passes the images of all rows to add, as probabilities that are
// valid until it returns.
func decodeRows(ctx context.Context, model *nn.VAE, rows latent.Reader, add func(id string, p []float32) error) error {
	batch := model.BatchSize()
	z := make([]float32, 0, batch*model.LatentDim)
	p := make([]float32, batch*model.Pixels())
	var ids []string
	var row latent.Row
	for more := true; more; {
		z, ids = z[:0], ids[:0]
		for len(ids) < batch {
			err := rows.Read(&row)
			if more = !errors.Is(err, io.EOF); !more {
				break
			}
			if err != nil {
				return err
			}
			z, ids = append(z, row.Z...), append(ids, row.ID)
		}
		if ctx.Err() != nil {
			return &interruptedError{"while decoding"}
		}
		if len(ids) == 0 {
			break
		}
		model.Decode(p, z)
		for i, id := range ids {
			if err := add(id, p[i*model.Pixels():][:model.Pixels()]); err != nil {
				return err
			}
		}
	}
	return nil
}

// maxSheetNumbers bounds the latent vectors that wait until it is known how
// large their sheet is.
const maxSheetNumbers = 1 << 24

// sheet lays all images out in one picture.
func (o pictureOptions) sheet(ctx context.Context, model *nn.VAE, rows latent.Reader) (*grid.Sheet, error) {
	most := min(grid.MaxPixels/(model.Pixels()*o.scale*o.scale), maxSheetNumbers/model.LatentDim)
	held := heldRows{dim: model.LatentDim}
	for row := (latent.Row{}); ; {
		err := rows.Read(&row)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(held.z)/held.dim == most {
			return nil, &hintError{
				fmt.Errorf("row %d is one too many: a sheet of images of %dx%d at scale %d holds %d at most", most+1, model.Height, model.Width, o.scale, most),
				"--out-dir, --format idx and --format npy take any number",
			}
		}
		held.z = append(held.z, row.Z...)
		if ctx.Err() != nil {
			return nil, &interruptedError{"while reading latent vectors"}
		}
	}
	n := len(held.z) / held.dim
	cols := o.cols
	if cols == 0 {
		cols = int(math.Ceil(math.Sqrt(float64(n))))
	}
	sheet, err := grid.NewSheet(n, min(cols, n), model.Height, model.Width, o.scale)
	if err != nil {
		return nil, fmt.Errorf("laying out %d images: %w", n, err)
	}
	i := 0
	return sheet, decodeRows(ctx, model, &held, func(_ string, p []float32) error {
		sheet.Set(i, p)
		i++
		return nil
	})
}

// heldRows are rows in memory, without their ids.
type heldRows struct {
	z   []float32
	dim int
}

func (h *heldRows) Read(row *latent.Row) error {
	if len(h.z) == 0 {
		return io.EOF
	}
	*row = latent.Row{Z: h.z[:h.dim]}
	h.z = h.z[h.dim:]
	return nil
}

func writeNPY(ctx context.Context, w io.Writer, model *nn.VAE, rows latent.Reader) error {
	out := npy.NewWriter(w, model.Height, model.Width)
	defer out.Close()
	if err := decodeRows(ctx, model, rows, func(_ string, p []float32) error { return out.Write(p) }); err != nil {
		return err
	}
	return out.Flush()
}

func writeIDX(ctx context.Context, w io.Writer, model *nn.VAE, rows latent.Reader) error {
	var held spool.Spool
	defer held.Close()
	n, image := 0, make([]byte, model.Pixels())
	err := decodeRows(ctx, model, rows, func(_ string, p []float32) error {
		for i, v := range p {
			image[i] = grid.Gray8(v)
		}
		n++
		_, err := held.Write(image)
		return err
	})
	if err != nil {
		return err
	}
	if err := mnist.WriteImagesHeader(w, n, model.Height, model.Width); err != nil {
		return err
	}
	_, err = held.WriteTo(w)
	return err
}
