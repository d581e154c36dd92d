package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/spf13/cobra"

	"vaectl/internal/atomicfile"
	"vaectl/internal/modelfile"
	"vaectl/internal/train"
	"vaectl/mnist"
	"vaectl/nn"
	"vaectl/optim"
)

type trainOptions struct {
	model, data      string
	config           modelfile.Config
	workers          int
	quiet, noSummary bool
}

// defaultConfig is the recipe, without an image size.
func defaultConfig() modelfile.Config {
	return modelfile.Config{
		LatentDim: 2, Noise: string(nn.BookNoise), KLWeight: 5e-4,
		Convolution: string(nn.Winograd), Optimizer: optim.Names()[0], LearningRate: 0.001, BatchSize: 16, Epochs: 10, Seed: 1,
	}
}

func newTrainCommand(c *console) *cobra.Command {
	o := trainOptions{config: defaultConfig()}
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Train a model and save it",
		Long: `Train a model and save it.

The model file is written after every epoch, whole or not at all. The same seed,
data, settings and kind of CPU give the same file, byte for byte, whatever the
number of workers.

Without --data the full MNIST is used where it is found: in $VAECTL_DATA, or in
the user's cache directory. Otherwise the 10,000 digits in the program serve.`,
		Example: `  vaectl train
  vaectl train --data ~/mnist --epochs 20 --seed 7 -m seven.safetensors
  vaectl train --data sample --limit-train 2000 --epochs 2 --quiet`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runTrain(cmd.Context(), c, o)
		},
	}
	f := cmd.Flags()
	modelFlag(f, &o.model, c)
	f.StringVar(&o.data, "data", "auto", "`auto`, sample, or a directory of IDX files")
	intFlag(f, &o.config.Epochs, "epochs", 1, modelfile.MaxEpochs, "passes over the training set")
	intFlag(f, &o.config.BatchSize, "batch-size", 1, 4096, "samples a step")
	choiceFlag(f, &o.config.Optimizer, "optimizer", optim.Names(), "update rule, as Keras defines it; sgd has momentum 0.9")
	floatFlag(f, &o.config.LearningRate, "learning-rate", func(x float64) bool { return x > 0 && x <= 1000 },
		"a number above 0, at most 1000", "step size of the optimizer")
	intFlag(f, &o.config.LatentDim, "latent-dim", 1, nn.MaxLatentDim, "latent dimensions")
	floatFlag(f, &o.config.KLWeight, "kl-weight", func(x float64) bool { return x >= 0 && x <= 1e6 },
		"a number from 0 to 1e6", "factor of the KL term in the loss")
	choiceFlag(f, &o.config.Noise, "noise", []string{string(nn.BookNoise), string(nn.StandardNoise)},
		"deviation of z: exp(z_log_var) as in the book, or exp(z_log_var/2)")
	convolutionFlag(f, &o.config.Convolution)
	seedFlag(f, &o.config.Seed, "seed", "seed of all random numbers")
	intFlag(f, &o.workers, "workers", 0, 1024, "parallel workers; 0 takes every processor")
	intFlag(f, &o.config.LimitTrain, "limit-train", 0, math.MaxInt32, "use the first `N` training images; 0 takes all")
	intFlag(f, &o.config.LimitVal, "limit-val", 0, math.MaxInt32, "use the first `N` validation images; 0 takes all")
	f.BoolVar(&o.quiet, "quiet", false, "print nothing but errors")
	f.BoolVar(&o.noSummary, "no-summary", false, "leave out the table of layers")
	return cmd
}

// jumpedLoss is a batch's loss that deserves a word. At first it is log 2; this
// recipe's first steps, 3.2 times the learning rate for every weight, send the
// loss of many a seed far beyond that before it comes down.
const jumpedLoss = 100

func runTrain(ctx context.Context, c *console, o trainOptions) error {
	if err := atomicfile.Probe(o.model); err != nil {
		return fmt.Errorf("saving the model will fail: %w", err)
	}
	var notes io.Writer = c.err
	if o.quiet {
		notes = io.Discard
	}
	data, err := openData(o.data, notes)
	if err != nil {
		return err
	}
	o.config.Height, o.config.Width = data.Train.Rows, data.Train.Cols
	run, err := train.New(o.config, data, c.tier, o.workers)
	if err != nil {
		return fmt.Errorf("preparing the training: %w", err)
	}
	defer run.Close()
	if !o.noSummary {
		printSummary(notes, run.Summary())
	}

	saved := "no model was saved"
	for !run.Done() {
		start := time.Now()
		bar := newEpochBar(c, o.quiet)
		var worst train.Progress
		row, err := run.Epoch(ctx, func(p train.Progress) {
			if p.Batch.Loss > worst.Batch.Loss {
				worst = p
			}
			bar.update(p)
		})
		bar.clear()
		if errors.Is(err, context.Canceled) {
			return &hintError{&interruptedError{fmt.Sprintf("in epoch %d", row.Epoch)}, saved}
		}
		if err != nil {
			return &hintError{fmt.Errorf("training: %w", err), saved + "; a smaller --learning-rate may help"}
		}
		if err := atomicfile.Write(o.model, func(w io.Writer) error { return modelfile.Write(w, run.Model()) }); err != nil {
			return fmt.Errorf("saving the model: %w", err)
		}
		saved = fmt.Sprintf("%s holds the model after epoch %d", o.model, row.Epoch)
		fmt.Fprintln(notes, epochLine(row, o.config.Epochs, time.Since(start)))
		if worst.Batch.Loss > jumpedLoss {
			fmt.Fprintf(notes, "note: the loss jumped to %.3g at step %d; it recovers, but weighs on the epoch's mean (another --seed or a smaller --learning-rate avoids it)\n",
				worst.Batch.Loss, worst.Step)
		}
	}
	fmt.Fprintf(notes, "saved %s\n", o.model)
	return nil
}

// openData opens the data that --data names and tells where the sample stands in.
func openData(spec string, notes io.Writer) (*mnist.Dataset, error) {
	data, fellBack, err := mnist.Open(spec, mnist.SystemEnv())
	if err != nil {
		return nil, fmt.Errorf("opening the data: %w", err)
	}
	if fellBack {
		fmt.Fprintln(notes, "training on the built-in sample of 10,000 digits; for all 70,000, \"vaectl data fetch\" or name a directory of MNIST's four files with --data or $VAECTL_DATA")
	}
	return data, nil
}

// epochLine is an epoch in one line, as Keras prints it.
func epochLine(e modelfile.Epoch, epochs int, took time.Duration) string {
	line := fmt.Sprintf("Epoch %d/%d - %.1fs - loss: %.4f - reconstruction: %.4f - kl: %.4f",
		e.Epoch, epochs, took.Seconds(), e.Loss, e.Reconstruction, e.KL)
	if e.ValLoss != nil {
		line += fmt.Sprintf(" - val_loss: %.4f - val_reconstruction: %.4f - val_kl: %.4f",
			*e.ValLoss, *e.ValReconstruction, *e.ValKL)
	}
	return line
}
