package main

import (
	"context"
	"slices"

	"vaectl/internal/eval"
	"vaectl/internal/imagefile"
	"vaectl/internal/latent"
	"vaectl/mnist"
	"vaectl/nn"
)

// encodeSplit encodes the images of a split.
func encodeSplit(ctx context.Context, model *nn.VAE, split *mnist.Split) (*eval.Codes, error) {
	codes, err := eval.Encode(ctx, model, split)
	if ctx.Err() != nil {
		return nil, &interruptedError{"while encoding"}
	}
	return codes, err
}

// encodeFiles encodes all images of the files and directories.
func encodeFiles(ctx context.Context, c *console, model *nn.VAE, files []string) ([]latent.Row, error) {
	want := imagefile.Want{Height: model.Height, Width: model.Width}
	var rows rowList
	if err := newEncoder(model, &rows, false, nil).run(ctx, &fileSource{ctx: ctx, c: c, want: want, args: files}); err != nil {
		return nil, err
	}
	return rows, nil
}

// rowList is a latent.Writer that keeps the rows.
type rowList []latent.Row

func (l *rowList) Write(r latent.Row) error {
	r.Z = slices.Clone(r.Z)
	*l = append(*l, r)
	return nil
}

func (l *rowList) Flush() error { return nil }
func (l *rowList) Close() error { return nil }

// column is dimension i, counted from 0, of z [n, dims].
func column(z []float32, dims, i int) []float64 {
	list := make([]float64, 0, len(z)/dims)
	for ; i < len(z); i += dims {
		list = append(list, float64(z[i]))
	}
	return list
}

// withLabel is the images of a split that have the label.
func withLabel(split *mnist.Split, label byte) *mnist.Split {
	chosen := &mnist.Split{Name: split.Name, Images: mnist.Images{Rows: split.Rows, Cols: split.Cols}, Labels: []byte{}}
	for i, l := range split.Labels {
		if l == label {
			chosen.Pix = append(chosen.Pix, split.At(i)...)
			chosen.Labels = append(chosen.Labels, l)
		}
	}
	return chosen
}
