package main

import (
	"fmt"
	"math"

	"github.com/spf13/pflag"

	"vaectl/mnist"
)

// splitOptions name the images that a command looks at: one half of a data set,
// or its beginning.
type splitOptions struct {
	data, split string
	limit       int
}

// splitFlags adds --data, --split and --limit for a command that always looks at
// a data set.
func splitFlags(fs *pflag.FlagSet, o *splitOptions) {
	*o = splitOptions{data: "auto", split: "val"}
	o.flags(fs)
}

// flags adds them with o's values as defaults.
func (o *splitOptions) flags(fs *pflag.FlagSet) {
	dataFlag(fs, &o.data)
	choiceFlag(fs, &o.split, "split", []string{"train", "val"}, "half of the data set")
	intFlag(fs, &o.limit, "limit", 0, math.MaxInt32, "use the first `N` images; 0 takes all")
}

// open returns the chosen images, and the data set that they are part of. They
// must have the size that the model takes.
func (o splitOptions) open(c *console, height, width int) (*mnist.Dataset, *mnist.Split, error) {
	data, split, err := o.choose(c)
	if err != nil {
		return nil, nil, err
	}
	if split.Rows != height || split.Cols != width {
		return nil, nil, fmt.Errorf("opening the data: images are %dx%d (height x width): the model takes %dx%d",
			split.Rows, split.Cols, height, width)
	}
	return data, split, nil
}

// choose does the same for images of any size.
func (o splitOptions) choose(c *console) (*mnist.Dataset, *mnist.Split, error) {
	data, fellBack, err := mnist.Open(o.data, mnist.SystemEnv())
	if err != nil {
		return nil, nil, fmt.Errorf("opening the data: %w", err)
	}
	if fellBack {
		fmt.Fprintln(c.err, "using the built-in sample of 10,000 digits; for all 70,000 name a directory of MNIST's four files with --data or $VAECTL_DATA")
	}
	split := data.Train
	if o.split == "val" {
		if split = data.Val; split == nil {
			return nil, nil, &hintError{fmt.Errorf("opening the data: %s has no validation images", o.data), "--split train takes its training images"}
		}
	}
	if o.limit > 0 {
		split = split.Head(o.limit)
	}
	return data, split, nil
}
