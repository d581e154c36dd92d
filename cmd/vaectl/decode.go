package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"vaectl/internal/latent"
)

type decodeOptions struct {
	model, from string
	pictures    pictureOptions
}

func newDecodeCommand(c *console) *cobra.Command {
	o := decodeOptions{from: "auto"}
	cmd := &cobra.Command{
		Use:   "decode [FILE...]",
		Short: "Map latent vectors to images",
		Long: `Map latent vectors to images.

Reads the formats that encode writes, and bare rows of numbers between commas,
tabs or spaces; stdin where no file or "-" is named. The first bytes tell which
it is, --from insists. The formats:

  csv, tsv  with a header that names the columns z_1, z_2, ...; id and label may
            be missing, other columns are passed over
  ndjson    objects with the array z, and id and label where they are there; they
            may span lines, as jq prints them
  npy       NumPy's array file, little-endian float32 or float64 in C order,
            [rows][d], or [d], which is one row
  numbers   bare rows

` + pictureHelp,
		Example: `  echo 0.5,-1 | vaectl decode > digit.png
  echo 0.5,-1 | vaectl decode --preview
  vaectl encode digits/*.png | vaectl decode --cols 10 > again.png
  vaectl encode digits/*.png | vaectl decode --out-dir again
  vaectl encode digits/*.png | vaectl decode --format idx | vaectl encode`,
		RunE: func(cmd *cobra.Command, files []string) error {
			return runDecode(cmd.Context(), c, o, files)
		},
	}
	f := cmd.Flags()
	modelFlag(f, &o.model, c)
	choiceFlag(f, &o.from, "from", append([]string{"auto", string(latent.Numbers)}, latent.Formats()...), "format of the rows")
	pictureFlags(f, &o.pictures)
	choiceFlag(f, &o.pictures.format, "format", pictureFormats(), "format of the images")
	return cmd
}

func runDecode(ctx context.Context, c *console, o decodeOptions, files []string) error {
	if err := o.pictures.check(); err != nil {
		return err
	}
	files, err := inputFiles(c, files, "latent vectors", "vaectl decode")
	if err != nil {
		return err
	}
	model, pool, err := loadModel(c, o.model, batchSize)
	if err != nil {
		return err
	}
	defer pool.Close()
	rows := &latentFiles{ctx: ctx, c: c, dim: model.LatentDim, files: files}
	if o.from != "auto" {
		rows.format = latent.Format(o.from)
	}
	return o.pictures.write(ctx, c, model, rows)
}

// latentFiles is a latent.Reader of the rows of files one after another.
type latentFiles struct {
	ctx    context.Context
	c      *console
	format latent.Format // "" if the bytes are to tell
	dim    int
	files  []string // still to be read

	file io.Closer
	name string
	rows latent.Reader // nil between two files
}

func (l *latentFiles) Read(row *latent.Row) error {
	for {
		if l.rows == nil {
			if len(l.files) == 0 {
				return io.EOF
			}
			if err := l.open(l.files[0]); err != nil {
				return err
			}
			l.files = l.files[1:]
		}
		err := l.rows.Read(row)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, io.EOF):
			return readingError("latent vectors", l.name, err)
		}
		l.file.Close()
		l.rows = nil
	}
}

func (l *latentFiles) open(path string) error {
	in, name, err := openInput(l.ctx, l.c, path)
	if err != nil {
		return fmt.Errorf("reading latent vectors: %w", err)
	}
	l.file, l.name = in, name
	if l.rows, err = latent.NewReader(in, l.format, l.dim); err != nil {
		return readingError("latent vectors", name, err)
	}
	return nil
}
