package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"vaectl/mnist"
	"vaectl/nn"
)

// pointHelp tells how an argument names a point of the latent space.
const pointHelp = `A point is the numbers of z with commas between them (behind -- where the first
is negative), @N for image N of the split, counted from 0, or the name of an image
file; images stand for their z_mean.`

// pointCommand gives a hint to those who begin an argument with a minus.
func pointCommand(cmd *cobra.Command) *cobra.Command {
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		var unknown *pflag.NotExistError
		if errors.As(err, &unknown) && strings.Trim(unknown.GetSpecifiedName(), "0123456789.") == "" {
			return &hintError{&usageError{err}, "numbers that begin with a minus go behind --, as in -- -1,0.5 1,1"}
		}
		return cmd.Parent().FlagErrorFunc()(cmd, err)
	})
	return cmd
}

// pointReader finds the points that arguments name.
type pointReader struct {
	console *console
	model   *nn.VAE
	options splitOptions
	images  *mnist.Split // once they were needed
}

// split opens the data set the first time that it is needed.
func (p *pointReader) split() (*mnist.Split, error) {
	if p.images != nil {
		return p.images, nil
	}
	var err error
	_, p.images, err = p.options.open(p.console, p.model.Height, p.model.Width)
	return p.images, err
}

// read returns the z of the points, [len(args), LatentDim].
func (p *pointReader) read(ctx context.Context, args ...string) ([]float32, error) {
	var all []float32
	for _, arg := range args {
		z, err := p.one(ctx, arg)
		if err != nil {
			return nil, err
		}
		all = append(all, z...)
	}
	return all, nil
}

func (p *pointReader) one(ctx context.Context, arg string) ([]float32, error) {
	if number, found := strings.CutPrefix(arg, "@"); found {
		return p.image(ctx, number)
	}
	if z, ok := numbers(arg); ok {
		switch {
		case len(z) != p.model.LatentDim:
			return nil, usagef("point %s has %d numbers: the model has %d latent dimensions (./%s names a file)", arg, len(z), p.model.LatentDim, arg)
		case slices.ContainsFunc(z, func(x float32) bool { return math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) }):
			return nil, usagef("point %s: its numbers must be finite", arg)
		}
		return z, nil
	}
	rows, err := encodeFiles(ctx, p.console, p.model, []string{arg})
	if err != nil {
		return nil, err
	}
	if len(rows) != 1 {
		return nil, fmt.Errorf("reading images from %s: it holds %d: a point is one image", arg, len(rows))
	}
	return rows[0].Z, nil
}

// numbers parses numbers with commas between them. Those out of float32's range
// are infinite.
func numbers(arg string) (z []float32, ok bool) {
	for _, f := range strings.Split(arg, ",") {
		x, err := strconv.ParseFloat(strings.TrimSpace(f), 32)
		if err != nil && !errors.Is(err, strconv.ErrRange) {
			return nil, false
		}
		z = append(z, float32(x))
	}
	return z, true
}

// image encodes one image of the split.
func (p *pointReader) image(ctx context.Context, number string) ([]float32, error) {
	i, err := strconv.Atoi(number)
	if err != nil || i < 0 {
		return nil, usagef("point @%s: must be @ and the number of an image, counted from 0", number)
	}
	split, err := p.split()
	if err != nil {
		return nil, err
	}
	if i >= split.Len() {
		return nil, usagef("point @%d: the split %s has images 0 to %d", i, split.Name, split.Len()-1)
	}
	one := *split
	one.Pix, one.Labels = split.At(i), nil
	codes, err := encodeSplit(ctx, p.model, &one)
	if err != nil {
		return nil, fmt.Errorf("encoding image %d: %w", i, err)
	}
	return codes.Mean, nil
}
