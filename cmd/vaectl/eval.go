package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/spf13/cobra"

	"vaectl/internal/eval"
	"vaectl/internal/modelfile"
	"vaectl/mnist"
)

type evalOptions struct {
	splitOptions
	model, output       string
	samples, neighbours int
	seed                uint64
	binarize            bool
	noNeighbours        bool
	json, quiet         bool
	bounds              []metricBound
}

func newEvalCommand(c *console) *cobra.Command {
	o := evalOptions{seed: 1}
	cmd := &cobra.Command{
		Use:   "eval",
		Short: "Measure a model on a data set",
		Long: `Measure a model on a data set.

Prints means over the images of the split and their standard errors. Each has the
name that --fail-above, --fail-below and --json know it by:

  loss, reconstruction, kl   in the training's units, as train reports val_loss
  reconstruction_nats        cross-entropy, summed over the pixels of an image
  kl_nats                    divergence of the z that is drawn from N(0, I). With
                             book noise its deviation is exp(z_log_var)
  kl_trained_nats            the divergence that the training's KL term stands for:
                             deviation exp(z_log_var/2), whatever the noise
  elbo                       -(reconstruction_nats + kl_nats): the evidence lower
                             bound at KL weight 1
  iwae                       importance-weighted bound, with --iwae K
  knn_1, knn_5, knn_15       share of images with the label that most of their k
                             nearest training images have, by z_mean
  pca_1, pca_5, pca_15       the same by as many principal components of the
                             training images' pixels
  active_units               latent dimensions in which z_mean varies by more than
                             0.01 over the images

One z is drawn for each image, K for --iwae. The bounds are log-likelihoods only
where pixels are 0 or 1 (--binarize). Neighbours are looked for in the training
split; with --split train an image is not its own neighbour. A tied vote goes to
the smallest label. Without labels these accuracies are left out.

--json prints one object: what was measured (data, split, images, binarized,
latent_dim, noise, kl_weight, seed, iwae_samples, references); loss to elbo and
iwae as {"value", "se"}; accuracy, an array of {"k", "latent", "pca"} of such;
active_units; collapse ("none", "partial" where at most half of the dimensions are
active, "full" where none is); dimensions, an array of {"variance", "active",
"kl_nats", "quantiles"} (of z_mean: 5, 25, 50, 75, 95%); and notes.

A bound that is not kept gives exit status 1; the report is written all the same.`,
		Example: `  vaectl eval
  vaectl eval --binarize --iwae 100 --limit 1000
  vaectl eval --json | jq .elbo.value
  vaectl eval --quiet --no-neighbours --fail-above loss=0.19 || echo too high`,
		Args: args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return runEval(cmd.Context(), c, o) },
	}
	f := cmd.Flags()
	modelFlag(f, &o.model, c)
	outputFlag(f, &o.output)
	splitFlags(f, &o.splitOptions)
	f.BoolVar(&o.binarize, "binarize", false, "make pixels above 0.5 one and the others zero, in what is encoded too")
	intFlag(f, &o.samples, "iwae", 0, 1_000_000, "samples of the importance-weighted bound; 0 leaves it out")
	intFlag(f, &o.neighbours, "neighbours", 0, math.MaxInt32, "look for neighbours among the first `N` training images; 0 takes all")
	f.BoolVar(&o.noNeighbours, "no-neighbours", false, "leave out the accuracies")
	seedFlag(f, &o.seed, "seed", "seed of the draws of z")
	f.BoolVar(&o.json, "json", false, "print JSON")
	boundFlag(f, &o.bounds, "fail-above", true, "exit with status 1 if `METRIC=VALUE` is exceeded; may be repeated")
	boundFlag(f, &o.bounds, "fail-below", false, "exit with status 1 if `METRIC=VALUE` is not reached; may be repeated")
	f.BoolVar(&o.quiet, "quiet", false, "print no progress")
	return cmd
}

// evaluation is the report with what it is a report of.
type evaluation struct {
	Data        string  `json:"data"`
	Split       string  `json:"split"`
	Images      int     `json:"images"`
	Binarized   bool    `json:"binarized"`
	LatentDim   int     `json:"latent_dim"`
	Noise       string  `json:"noise"`
	KLWeight    float64 `json:"kl_weight"`
	Seed        uint64  `json:"seed"`
	IWAESamples int     `json:"iwae_samples"`
	References  int     `json:"references"`
	*eval.Report
}

func runEval(ctx context.Context, c *console, o evalOptions) error {
	for _, b := range o.bounds {
		if err := b.measurable(o); err != nil {
			return err
		}
	}
	file, err := readModel(o.model)
	if err != nil {
		return err
	}
	data, images, err := o.open(c, file.Config.Height, file.Config.Width)
	if err != nil {
		return err
	}
	if data.Name == "sample" && file.Data.Name == "mnist" {
		fmt.Fprintln(c.err, "warning: the model was trained on the full MNIST, and the built-in sample is part of that")
	}
	work := eval.Options{Images: images, Own: o.split == "train", Samples: o.samples, Seed: o.seed}
	if !o.noNeighbours {
		work.References = data.Train
		if o.neighbours > 0 {
			work.References = data.Train.Head(o.neighbours)
		}
	}
	report, err := o.measure(ctx, c, file, work)
	if err != nil {
		return err
	}
	e := &evaluation{
		Data: data.Name, Split: o.split, Images: images.Len(), Binarized: o.binarize,
		LatentDim: file.Config.LatentDim, Noise: file.Config.Noise, KLWeight: file.Config.KLWeight,
		Seed: o.seed, IWAESamples: o.samples, Report: report,
	}
	if len(report.Accuracy) > 0 {
		e.References = work.References.Len()
	}
	for _, note := range report.Notes {
		fmt.Fprintf(c.err, "note: %s\n", note)
	}
	if report.Collapse != eval.NoCollapse {
		fmt.Fprintf(c.err, "warning: posterior collapse: %d of %s active; train with a smaller --kl-weight or fewer dimensions\n",
			report.Active, dimensions(e.LatentDim))
	}
	err = writeOutput(c, o.output, false, func(w io.Writer) error {
		if o.json {
			return writeJSON(w, e)
		}
		return printEvaluation(w, e)
	})
	if err != nil {
		return err
	}
	return checkBounds(o.bounds, report)
}

// measure does the work, on binarized images where they are wanted.
func (o *evalOptions) measure(ctx context.Context, c *console, file *modelfile.Model, work eval.Options) (*eval.Report, error) {
	if o.binarize {
		for _, s := range []**mnist.Split{&work.Images, &work.References} {
			if *s != nil {
				*s = eval.Binarize(*s)
			}
		}
	}
	model, pool, err := bindModel(c, o.model, file, batchSize)
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	work.Model, work.Pool = model, pool
	report, err := eval.Run(ctx, work, func(phase string) {
		if !o.quiet {
			fmt.Fprintf(c.err, "measuring: %s\n", phase)
		}
	})
	if errors.Is(err, context.Canceled) {
		return nil, &interruptedError{"while measuring"}
	}
	if err != nil {
		return nil, fmt.Errorf("measuring %s: %w", o.model, err)
	}
	return report, nil
}
