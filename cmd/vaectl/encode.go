package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"

	"github.com/spf13/cobra"

	"vaectl/internal/imagefile"
	"vaectl/internal/latent"
	"vaectl/nn"
)

type encodeOptions struct {
	model, output, format          string
	split                          splitOptions
	logVar, sample, resize, invert bool
	seed                           uint64
}

func newEncodeCommand(c *console) *cobra.Command {
	o := encodeOptions{format: string(latent.CSV), split: splitOptions{data: "auto"}, seed: 1}
	cmd := &cobra.Command{
		Use:   "encode [FILE|DIRECTORY|PATTERN...]",
		Short: "Map images to latent vectors",
		Long: `Map images to latent vectors.

Reads PNG and JPEG pictures, IDX files, plain or gzip'd, and stdin where nothing
or "-" is named; the first bytes tell which. On stdin PNG pictures may follow one
another. A directory stands for the pictures and IDX files in it and below, in
the order of their names, and a pattern in quotes for what the shell would make
of it. With --split the images, and their labels, come from a data set.

Images must have the size that the model was trained on, light strokes on a dark
ground. --resize fits others, keeping their proportions; --invert is for dark
strokes on a light ground.

Writes a row for each image, in the order of the input, with an id, the label
where it is known, and z, the mean of the posterior or, with --sample, a draw
from it. The formats:

  csv, tsv  columns id, label, z_1, z_2, ..., with --log-var log_var_1, ...
  ndjson    an object a line: {"id":"a.png","label":7,"z":[0.5,-1]}, with --log-var
            "log_var":[...]; label is null where it is not known
  npy       NumPy's array file, float32 [rows][d], with --log-var [rows][2d], and
            neither ids nor labels

Rows come as they are made, in memory that does not grow. An npy file names the
number of rows first, so it is held back to the end: beyond 1 MiB in a temporary
file.`,
		Example: `  vaectl encode digit.png
  vaectl encode digits/*.png > latents.csv
  vaectl encode --split val --limit 100 --format ndjson | jq '.label'
  vaectl encode photo.jpg --resize --invert
  vaectl encode t10k-images-idx3-ubyte.gz --format npy -o latents.npy
  vaectl encode < digit.png | vaectl decode > again.png`,
		RunE: func(cmd *cobra.Command, files []string) error {
			if err := o.check(cmd, files); err != nil {
				return err
			}
			return runEncode(cmd.Context(), c, o, files)
		},
	}
	f := cmd.Flags()
	modelFlag(f, &o.model, c)
	outputFlag(f, &o.output)
	o.split.flags(f)
	f.Lookup("split").Usage = "encode this half of the data set that --data names, rather than files"
	choiceFlag(f, &o.format, "format", latent.Formats(), "format of the rows")
	f.BoolVar(&o.logVar, "log-var", false, "add the logarithm of the posterior's variance")
	f.BoolVar(&o.sample, "sample", false, "draw z from the posterior rather than take its mean")
	seedFlag(f, &o.seed, "seed", "seed of the draws of --sample")
	f.BoolVar(&o.resize, "resize", false, "fit images of another size, keeping their proportions")
	f.BoolVar(&o.invert, "invert", false, "swap light and dark")
	return cmd
}

// check refuses flags that do not go together.
func (o *encodeOptions) check(cmd *cobra.Command, files []string) error {
	switch changed := cmd.Flags().Changed; {
	case o.split.split != "" && len(files) > 0:
		return usagef("--split %s and %s: name files or half of a data set, not both", o.split.split, files[0])
	case o.split.split == "" && changed("data"):
		return usagef("--data needs --split train or --split val")
	case changed("seed") && !o.sample:
		return usagef("--seed needs --sample")
	}
	return nil
}

func runEncode(ctx context.Context, c *console, o encodeOptions, files []string) error {
	var err error
	if o.split.split == "" {
		if files, err = inputFiles(c, files, "images", "vaectl encode"); err != nil {
			return err
		}
	}
	model, pool, err := loadModel(c, o.model, batchSize)
	if err != nil {
		return err
	}
	defer pool.Close()
	want := imagefile.Want{Height: model.Height, Width: model.Width, Resize: o.resize, Invert: o.invert}
	var images imageSource
	if o.split.split != "" {
		_, split, err := o.split.choose(c)
		if err != nil {
			return err
		}
		if images, err = newSplitSource(split, want); err != nil {
			return err
		}
	} else {
		images = &fileSource{ctx: ctx, c: c, want: want, args: files}
		if o.split.limit > 0 {
			images = &headSource{images, o.split.limit}
		}
	}
	format := latent.Format(o.format)
	return writeOutput(c, o.output, format == latent.NPY, func(w io.Writer) error {
		rows, err := latent.NewWriter(w, format, model.LatentDim, o.logVar)
		if err != nil {
			return err
		}
		defer rows.Close()
		var noise *rand.Rand
		if o.sample {
			noise = rand.New(rand.NewPCG(o.seed, streamPosterior))
		}
		if err := newEncoder(model, rows, o.logVar, noise).run(ctx, images); err != nil {
			return err
		}
		return rows.Flush()
	})
}

// imageBatch is some images on their way to the encoder.
type imageBatch struct {
	rows []latent.Row // ids and labels
	x    []float32
	err  error // that ended the images, io.EOF after the last
}

// fill reads images until the batch is full.
func (b *imageBatch) fill(images imageSource, pixels []byte) {
	b.rows = b.rows[:0]
	for b.err == nil && len(b.rows)*len(pixels) < len(b.x) {
		var row latent.Row
		if row.ID, row.Label, b.err = images.next(pixels); b.err != nil {
			return
		}
		x := b.x[len(b.rows)*len(pixels):]
		for i, p := range pixels {
			x[i] = float32(p) / 255
		}
		b.rows = append(b.rows, row)
	}
}

// encoder turns images into rows.
type encoder struct {
	model   *nn.VAE
	rows    latent.Writer
	logVars bool
	noise   *rand.Rand // nil where z is the mean

	mean, logVar, z, eps []float32 // [BatchSize, LatentDim]
}

func newEncoder(model *nn.VAE, rows latent.Writer, logVars bool, noise *rand.Rand) *encoder {
	vectors := func() []float32 { return make([]float32, model.BatchSize()*model.LatentDim) }
	return &encoder{
		model: model, rows: rows, logVars: logVars, noise: noise,
		mean: vectors(), logVar: vectors(), z: vectors(), eps: vectors(),
	}
}

// run encodes all images. While the model is at work on a batch, the next one is
// read: with many cores, decoding pictures on one takes as long as the model.
func (e *encoder) run(ctx context.Context, images imageSource) error {
	pixels := e.model.Pixels()
	free, full := make(chan *imageBatch, 2), make(chan *imageBatch)
	for range cap(free) {
		free <- &imageBatch{x: make([]float32, e.model.BatchSize()*pixels)}
	}
	done := make(chan struct{})
	defer close(done)
	go func() {
		buf := make([]byte, pixels)
		for {
			select {
			case <-done:
				return
			case b := <-free:
				b.fill(images, buf)
				last := b.err != nil
				select {
				case <-done:
					return
				case full <- b:
				}
				if last {
					return
				}
			}
		}
	}()

	for {
		select {
		case <-ctx.Done():
			return &interruptedError{"while encoding"}
		case b := <-full:
			if err := e.encode(b); err != nil {
				return err
			}
			if errors.Is(b.err, io.EOF) {
				return nil
			}
			if b.err != nil {
				return b.err
			}
			free <- b
		}
	}
}

// encode writes a batch's rows.
func (e *encoder) encode(b *imageBatch) error {
	d := e.model.LatentDim
	n := len(b.rows) * d
	if n == 0 {
		return nil
	}
	e.model.Encode(e.mean[:n], e.logVar[:n], b.x[:len(b.rows)*e.model.Pixels()])
	z := e.mean[:n]
	if e.noise != nil {
		z = e.z[:n]
		for i := range z {
			e.eps[i] = float32(e.noise.NormFloat64())
		}
		e.model.Reparametrize(z, e.mean[:n], e.logVar[:n], e.eps[:n])
	}
	for i, row := range b.rows {
		row.Z = z[i*d:][:d]
		if e.logVars {
			row.LogVar = e.logVar[i*d:][:d]
		}
		for _, x := range row.Z { // an exponential may have overflown
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
				return fmt.Errorf("encoding %s: z has %v in it, which is not finite", row.ID, x)
			}
		}
		if err := e.rows.Write(row); err != nil {
			return fmt.Errorf("writing rows: %w", err)
		}
	}
	return nil
}
