package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"vaectl/internal/imagefile"
	"vaectl/internal/latent"
	"vaectl/nn"
)

type encodeOptions struct {
	model, output string
	logVar        bool
}

func newEncodeCommand(c *console) *cobra.Command {
	var o encodeOptions
	cmd := &cobra.Command{
		Use:   "encode [FILE...]",
		Short: "Map images to latent vectors",
		Long: `Map images to latent vectors.

Reads PNG images and IDX files, plain or gzip'd, and stdin where no file or "-"
is named. Images must have the size that the model was trained on, light strokes
on a dark ground. Writes CSV with the columns id, label, z_1, z_2, ..., in the
order of the input; z is the mean of the posterior.`,
		Example: `  vaectl encode digit.png
  vaectl encode digits/*.png > latents.csv
  vaectl encode t10k-images-idx3-ubyte.gz | head
  vaectl encode < digit.png | vaectl decode > again.png`,
		RunE: func(cmd *cobra.Command, files []string) error {
			return runEncode(cmd.Context(), c, o, files)
		},
	}
	f := cmd.Flags()
	modelFlag(f, &o.model, c)
	outputFlag(f, &o.output)
	f.BoolVar(&o.logVar, "log-var", false, "add the columns log_var_1, log_var_2, ...")
	return cmd
}

func runEncode(ctx context.Context, c *console, o encodeOptions, files []string) error {
	if len(files) == 0 {
		if isTerminal(c.in) {
			return &hintError{usagef("no images: name files, or pipe an image to stdin"), `"vaectl encode --help" shows how`}
		}
		files = []string{"-"}
	}
	model, pool, err := loadModel(c, o.model, batchSize)
	if err != nil {
		return err
	}
	defer pool.Close()
	return writeOutput(c, o.output, false, func(w io.Writer) error {
		rows, err := latent.NewWriter(w, latent.CSV, model.LatentDim, o.logVar)
		if err != nil {
			return err
		}
		e := newEncoder(model, rows, o.logVar)
		for _, path := range files {
			if err := e.file(ctx, c, path); err != nil {
				return err
			}
		}
		if err := e.flush(); err != nil {
			return err
		}
		return rows.Flush()
	})
}

// encoder gathers images into batches and writes a row for each.
type encoder struct {
	model        *nn.VAE
	rows         latent.Writer
	logVars      bool
	ids          []string
	pixels       []byte
	x            []float32
	mean, logVar []float32
}

func newEncoder(model *nn.VAE, rows latent.Writer, logVars bool) *encoder {
	n := model.BatchSize()
	return &encoder{
		model: model, rows: rows, logVars: logVars,
		pixels: make([]byte, model.Pixels()),
		x:      make([]float32, n*model.Pixels()),
		mean:   make([]float32, n*model.LatentDim),
		logVar: make([]float32, n*model.LatentDim),
	}
}

// file encodes the images of one file. Ids are the file's name, with the image's
// number after a colon where the file holds many.
func (e *encoder) file(ctx context.Context, c *console, path string) error {
	in, name, err := openInput(c, path)
	if err != nil {
		return fmt.Errorf("reading images: %w", err)
	}
	defer in.Close()
	images, err := imagefile.NewReader(in, e.model.Height, e.model.Width)
	if err != nil {
		return fmt.Errorf("reading images from %s: %w", name, err)
	}
	for i := 0; ; i++ {
		err := images.Next(e.pixels)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading images from %s: %w", name, err)
		}
		id := name
		if images.Many() {
			id = fmt.Sprintf("%s:%d", name, i)
		}
		if err := e.add(id); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return &interruptedError{"while encoding " + name}
		}
	}
}

// add queues the image in e.pixels.
func (e *encoder) add(id string) error {
	x := e.x[len(e.ids)*e.model.Pixels():]
	for i, p := range e.pixels {
		x[i] = float32(p) / 255
	}
	e.ids = append(e.ids, id)
	if len(e.ids) == e.model.BatchSize() {
		return e.flush()
	}
	return nil
}

// flush encodes what is queued.
func (e *encoder) flush() error {
	n, d := len(e.ids), e.model.LatentDim
	e.model.Encode(e.mean[:n*d], e.logVar[:n*d], e.x[:n*e.model.Pixels()])
	for i, id := range e.ids {
		row := latent.Row{ID: id, Z: e.mean[i*d:][:d]}
		if e.logVars {
			row.LogVar = e.logVar[i*d:][:d]
		}
		if err := e.rows.Write(row); err != nil {
			return fmt.Errorf("writing rows: %w", err)
		}
	}
	e.ids = e.ids[:0]
	return nil
}
