package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"vaectl/internal/atomicfile"
	"vaectl/mnist"
)

type dataExportOptions struct {
	png, data, split string
	limit            int
	quiet            bool
}

func newDataExportCommand(c *console) *cobra.Command {
	o := dataExportOptions{data: "auto", split: "val", limit: 100}
	cmd := &cobra.Command{
		Use:   "export --png DIR",
		Short: "Write images of a data set as PNG files",
		Long: `Write images of a data set as PNG files.

The names hold the half, the image's number from 0 and its label, such as
val-0042-7.png, so that they sort in the order of the data set. Files of the same
name are replaced; after an error or an interrupt the files that were added are
removed.`,
		Example: `  vaectl data export --png digits && vaectl encode digits/*.png
  vaectl data export --png sevens --split train --limit 1000 && rm sevens/*-[!7].png
  vaectl data export --png shirts --data fashion --limit 0`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return runDataExport(cmd.Context(), c, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.png, "png", "", "write PNG files into `DIR`, which is made if need be")
	dataFlag(f, &o.data)
	choiceFlag(f, &o.split, "split", []string{"train", "val"}, "the half to export")
	intFlag(f, &o.limit, "limit", 0, math.MaxInt32, "export the first `N` images; 0 takes all")
	f.BoolVar(&o.quiet, "quiet", false, "print nothing but errors")
	return cmd
}

func runDataExport(ctx context.Context, c *console, o dataExportOptions) error {
	if o.png == "" {
		return &hintError{usagef("nothing to write: --png DIR is missing"), `"vaectl data export --help" shows how`}
	}
	data, _, err := mnist.Open(o.data, mnist.SystemEnv())
	if err != nil {
		return fmt.Errorf("opening the data: %w", err)
	}
	split := data.Train
	if o.split == "val" {
		split = data.Val
	}
	if split == nil {
		return &hintError{errors.New("exporting: the data set has no validation images"), "--split train takes the training images"}
	}
	names := exportNames(split)
	if o.limit > 0 {
		split = split.Head(o.limit)
	}
	added, err := exportPNG(ctx, o.png, split, names)
	if err != nil {
		for _, path := range added {
			_ = os.Remove(path) // the first error is the one to report
		}
		return err
	}
	if !o.quiet {
		fmt.Fprintf(c.err, "wrote %s of the %s images of %s (%s) to %s\n",
			thousands(split.Len()), thousands(len(names)), data.Name, o.split, o.png)
	}
	return nil
}

// exportNames names the images of a half: its name, the number of the image, and
// the label if it is known.
func exportNames(s *mnist.Split) []string {
	width := len(strconv.Itoa(s.Len() - 1))
	names := make([]string, s.Len())
	for i := range names {
		names[i] = fmt.Sprintf("%s-%0*d", s.Name, width, i)
		if s.Labels != nil {
			names[i] += fmt.Sprintf("-%d", s.Labels[i])
		}
		names[i] += ".png"
	}
	return names
}

// exportPNG writes every image to a file of its own and returns, also after an
// error, what was added: the directory last, if it is new.
func exportPNG(ctx context.Context, dir string, s *mnist.Split, names []string) (added []string, err error) {
	_, errStat := os.Stat(dir)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("exporting: %w", err)
	}
	if errors.Is(errStat, fs.ErrNotExist) {
		defer func() { added = append(added, dir) }()
	}
	for i := range s.Len() {
		if ctx.Err() != nil {
			return added, &interruptedError{fmt.Sprintf("after %d of %d images", i, s.Len())}
		}
		path := filepath.Join(dir, names[i])
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			added = append(added, path)
		}
		img := &image.Gray{Pix: s.At(i), Stride: s.Cols, Rect: image.Rect(0, 0, s.Cols, s.Rows)}
		if err := atomicfile.Write(path, func(w io.Writer) error { return png.Encode(w, img) }); err != nil {
			return added, fmt.Errorf("exporting: %w", err)
		}
	}
	return added, nil
}
