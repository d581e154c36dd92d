package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"vaectl/internal/isa"
	"vaectl/internal/lockfile"
	"vaectl/internal/modelfile"
	"vaectl/internal/train"
	"vaectl/mnist"
	"vaectl/nn"
	"vaectl/optim"
)

type trainOptions struct {
	model, data       string
	config            modelfile.Config
	reduce            bool // on a plateau, as config says
	resume, overwrite bool
	every             interval // of checkpoints
	stopAfter         time.Duration
	film              filmOptions
	workers           int
	log               logOptions
	quiet, noSummary  bool
}

// defaultConfig is the recipe, without an image size.
func defaultConfig() modelfile.Config {
	return modelfile.Config{
		LatentDim: 2, Noise: string(nn.BookNoise), KLWeight: 5e-4,
		Convolution: string(nn.Winograd), Optimizer: optim.Names()[0], LearningRate: 0.001, BatchSize: 16, Epochs: 10, Seed: 1,
		Keep: modelfile.KeepBest,
	}
}

func newTrainCommand(c *console) *cobra.Command {
	// Writing a state takes some 30 ms, which is nothing in 30 s.
	o := trainOptions{data: "auto", config: defaultConfig(), every: interval{time: 30 * time.Second}}
	o.config.PlateauPatience, o.config.PlateauFactor = 3, 0.1
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Train a model and save it",
		Long: `Train a model and save it.

The model file is written after every epoch, whole or not at all. The same seed,
data, settings and kind of CPU give the same file, byte for byte, whatever the
number of workers, and whether or not the training was interrupted.

Beside it, in FILE.state, the training itself is kept. After an interrupt, a kill
or a power failure --resume goes on from there, with the settings and the data it
began with. Of those only --epochs, which is always the total, may be given anew;
so may what does not change the result. A training that is not finished is never
replaced, unless with --overwrite. The first SIGINT or SIGTERM saves the training
and stops it, a second one stops it at once.

With --keep best the file holds the weights of the epoch with the lowest val_loss.
--patience and --reduce-on-plateau go by val_loss too, and by the loss where there
is no validation set; then the last weights are kept.

--film draws what "vaectl grid" would, with the weights of that moment: PNGs named by
epoch and step in a directory, or an animated GIF. With --resume it goes on. A frame
takes as long as two steps of 16 images, and no bit of the model depends on it.

Without --data the full MNIST is used where it is found: in $VAECTL_DATA, or in
the user's cache directory. Otherwise the 10,000 digits in the program serve.`,
		Example: `  vaectl train
  vaectl train --data ~/mnist --epochs 3 --seed 7 -m seven.safetensors
  vaectl train --resume --epochs 4 -m seven.safetensors
  vaectl train --epochs 6 --patience 2 --reduce-on-plateau --stop-after 8h
  vaectl train --film manifold.gif --film-every 10 --overwrite
  vaectl train --data sample --limit-train 300 --limit-val 100 --epochs 1 --quiet`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runTrain(cmd.Context(), c, o, cmd.Flags().Changed)
		},
	}
	f := cmd.Flags()
	modelFlag(f, &o.model, c)
	dataFlag(f, &o.data)
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
	f.BoolVar(&o.resume, "resume", false, "go on with the training in FILE.state")
	f.BoolVar(&o.overwrite, "overwrite", false, "begin anew, whatever FILE.state holds")
	intervalFlag(f, &o.every, "checkpoint-every", "write FILE.state so often, next to after each epoch; 0: no oftener")
	durationFlag(f, &o.stopAfter, "stop-after", "save the training after so much time, and stop")
	filmFlags(f, &o.film)
	choiceFlag(f, &o.config.Keep, "keep", []string{modelfile.KeepBest, modelfile.KeepLast}, "weights to save: the best epoch's by val_loss, or the last")
	intFlag(f, &o.config.Patience, "patience", 0, modelfile.MaxEpochs, "stop after `N` epochs in a row without improvement; 0: never")
	floatFlag(f, &o.config.MinDelta, "min-delta", func(x float64) bool { return x >= 0 }, "a number from 0 up",
		"an improvement is more than this below the lowest val_loss so far")
	f.BoolVar(&o.reduce, "reduce-on-plateau", false, "reduce the learning rate, to 1e-8 at least, when nothing improves")
	intFlag(f, &o.config.PlateauPatience, "plateau-patience", 1, modelfile.MaxEpochs, "reduce after `N` epochs in a row without improvement")
	floatFlag(f, &o.config.PlateauFactor, "plateau-factor", func(x float64) bool { return x > 0 && x < 1 }, "a number between 0 and 1",
		"multiply the learning rate by this when reducing it")
	logFlags(f, &o.log)
	f.BoolVar(&o.quiet, "quiet", false, "print nothing but errors")
	f.BoolVar(&o.noSummary, "no-summary", false, "leave out the table of layers")
	return cmd
}

func runTrain(ctx context.Context, c *console, o trainOptions, given func(flag string) bool) error {
	// A log that went away must not end a training: writing to it now fails,
	// and nobody minds.
	signal.Ignore(syscall.SIGPIPE)
	var notes io.Writer = c.err
	if o.quiet {
		notes = io.Discard
	}
	if err := o.check(given); err != nil {
		return err
	}
	files, err := newTrainFiles(c, o.model, o.every)
	if err != nil {
		return err
	}
	lock, err := lockfile.Acquire(o.model)
	if err != nil {
		return &hintError{fmt.Errorf("saving the model: %w", err), "-m names another file"}
	}
	defer lock.Release()
	var earlier *modelfile.State // to resume
	switch {
	case o.resume:
		earlier, err = o.toResume(files, given)
	case !o.overwrite:
		err = files.checkReplaceable()
	}
	if err != nil {
		return err
	}
	if files.film, err = newFilm(c.files, o.film, o.resume, notes); err != nil {
		return err
	}
	data, err := openData(o.data, notes)
	if err != nil {
		return err
	}
	if files.source, err = o.source(data); err != nil {
		return fmt.Errorf("opening the data: %w", err)
	}
	run, err := o.prepare(earlier, data, c.tier, given)
	if err != nil {
		return err
	}
	defer run.Close()
	log, err := openTrainLog(c, o.log, earlier != nil)
	if err != nil {
		return err
	}
	defer log.close()

	if run.Done() {
		return o.finished(files, run, notes)
	}
	if err := files.film.begin(run); err != nil {
		return err
	}
	if earlier != nil {
		epoch, step, steps := run.At()
		fmt.Fprintf(notes, "going on %s\n", place(epoch, step, steps))
	} else {
		if !o.noSummary {
			printSummary(notes, run.Summary())
		}
		// From here on --resume has what it needs, however soon a kill comes.
		if err := files.saveState(run); err != nil {
			return err
		}
	}
	s := &session{
		c: c, run: run, files: files, notes: notes, quiet: o.quiet, log: log,
		limit: o.stopAfter, again: o.resumeCommand(given),
	}
	return s.train(ctx)
}

// check refuses flags that have no meaning together, and settles what flags that
// were not given mean.
func (o *trainOptions) check(given func(flag string) bool) error {
	if o.resume && o.overwrite {
		return usagef("--resume and --overwrite exclude each other")
	}
	if o.log.every > 0 && o.log.path == "" {
		return usagef("--log-every needs --log")
	}
	if o.film.path == "" && given("film-every") {
		return usagef("--film-every needs --film")
	}
	if o.film.path == o.model {
		return usagef("--film and --model name the same file, %s", o.model)
	}
	if o.resume || o.reduce {
		return nil
	}
	for _, flag := range []string{"plateau-patience", "plateau-factor"} {
		if given(flag) {
			return usagef("--%s needs --reduce-on-plateau", flag)
		}
	}
	o.config.PlateauPatience, o.config.PlateauFactor = 0, 0
	return nil
}

// prepare makes the run that goes on from the earlier state, or a new one if that
// is nil.
func (o *trainOptions) prepare(earlier *modelfile.State, data *mnist.Dataset, tier isa.Tier, given func(flag string) bool) (*train.Run, error) {
	if earlier != nil {
		run, err := train.Resume(earlier, data, tier, o.workers)
		if errors.Is(err, train.ErrOtherData) {
			return nil, &hintError{fmt.Errorf("resuming the training: %w", err), "--data must name the data of its first run"}
		}
		if err != nil {
			return nil, fmt.Errorf("resuming the training: %w", err)
		}
		return run, nil
	}
	if data.Val == nil && given("keep") && o.config.Keep == modelfile.KeepBest {
		return nil, usagef("--keep best needs a validation set, which the data do not have")
	}
	o.config.Height, o.config.Width = data.Train.Rows, data.Train.Cols
	run, err := train.New(o.config, data, tier, o.workers)
	if err != nil {
		return nil, fmt.Errorf("preparing the training: %w", err)
	}
	return run, nil
}

// finished writes the files of a training that has nothing left to do: the number
// of epochs may be new, or the model file gone.
func (o *trainOptions) finished(files *trainFiles, run *train.Run, notes io.Writer) error {
	if err := files.saveEpoch(run); err != nil {
		return err
	}
	m := run.Model()
	how := "a larger --epochs goes on"
	if run.Stopped() {
		how = fmt.Sprintf("no better %s for %d epochs", monitored(m.History), m.Config.Patience)
	}
	fmt.Fprintf(notes, "the training is finished after epoch %d: %s\nsaved %s%s\n", len(m.History), how, files.model, whichWeights(m))
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
