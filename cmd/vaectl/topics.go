package main

import "github.com/spf13/cobra"

// newPipelinesTopic explains how the commands compose. A test runs its examples,
// as it runs those of every command.
func newPipelinesTopic() *cobra.Command {
	return newTopic(&cobra.Command{
		Use:   "pipelines",
		Short: "How the commands compose with each other and with other tools",
		Long: `How the commands compose with each other and with other tools.

Data goes to stdout; progress, notes and errors go to stderr. "-" stands for
stdin or stdout. A file named with -o or -m appears whole or not at all, so that
commands can run beside each other in one directory. Binary data is refused where
stdout is a terminal; "-o -" forces it. The exit status is 0 when all is done, 1
when the work failed, 2 for wrong usage, and 130 when interrupted.

Rows keep the order of the input from encode through decode, and their id column
names the image. "vaectl help formats" tells what is in the columns.`,
		Example: `  # Train four seeds, two at a time; the file with the lowest val_loss.
  seq 4 | xargs -P 2 -I N vaectl train --seed N --quiet --workers 1 -m seed-N.safetensors
  for f in seed-*.safetensors; do vaectl info --json $f; done | jq -rs 'min_by(.best.val_loss).file'

  # A picture of each model's manifold.
  ls seed-*.safetensors | xargs -P 2 -I F vaectl grid -m F -o F.png

  # The losses as they come, and afterwards as a table.
  vaectl train --quiet --log - | jq -r '"\(.epoch) \(.val_loss)"'
  vaectl info --json | jq -r '.history[] | [.epoch, .loss, .val_loss] | @tsv'

  # What becomes of images on their way through the model.
  vaectl encode digits/*.png | vaectl decode > reconstructed.png

  # A walk along z_1, and a way from one image to another in ten steps.
  seq -3 0.5 3 | sed 's/$/,0/' | vaectl decode --cols 13 > walk.png
  vaectl encode digits/0.png digits/1.png |
    awk -F, 'NR > 1 {x[NR] = $3; y[NR] = $4} END {
      for (t = 0; t <= 1; t += 0.1) print x[2] + t*(x[3]-x[2]) "," y[2] + t*(y[3]-y[2])}' |
    vaectl decode --cols 11 > between.png

  # Images in the order of z_1, and the three nearest to the origin.
  vaectl encode digits/*.png | tail -n +2 | sort -t, -k3,3g | cut -d, -f3- | vaectl decode > sorted.png
  vaectl encode digits/*.png | awk -F, 'NR > 1 {print $3^2 + $4^2, $1}' | sort -g | head -n 3

  # The mean and the deviation of z_1 over a data set.
  vaectl encode t10k-images-idx3-ubyte.gz |
    awk -F, 'NR > 1 {n++; s += $3; q += $3^2} END {print s/n, sqrt(q/n - (s/n)^2)}'`,
	})
}

// newFormatsTopic describes every format that is read or written.
func newFormatsTopic() *cobra.Command {
	return newTopic(&cobra.Command{
		Use:   "formats",
		Short: "What is in the files that are read and written",
		Long: `What is in the files that are read and written.

LATENT VECTORS, which encode and "sample --latents" write and decode reads. The
columns, or keys, of a row:

    id              the image's file, and after a colon its number from 0 where
                    the file holds many
    label           a whole number; empty or null where it is not known
    z_1, z_2, ...   the vector: the posterior's mean, or a draw from it
    log_var_1, ...  the logarithm of its variance, with --log-var

    csv      a header, then a row an image, with commas
    tsv      the same with tabs
    ndjson   an object a line: {"id":"a.png","label":7,"z":[0.5,-1]}, and
             "log_var":[...] with --log-var
    npy      NumPy's array file, float32 [rows][d] of z alone, or [rows][2d]
             with log_var after it; also float64 when read
    numbers  bare rows of d numbers between commas, tabs or spaces; read only

Readers tell the format by the content, and pass over other columns and keys.

IMAGES, which encode and train read and decode, sample and grid write. A byte is
a pixel's light: strokes are light, the ground is dark.

    png      8-bit grayscale when written, of any kind when read
    jpeg     read only
    idx      MNIST's: the bytes 0 0 8 3, then count, height and width as
             big-endian 32-bit numbers, then a byte a pixel; read plain or
             gzip'd. Labels: 0 0 8 1, the count, a byte each
    npy      float32 [images][height][width] of probabilities; written only

THE MODEL FILE, vae.safetensors, is safetensors: a little-endian 64-bit length,
that many bytes of JSON, and the tensors in little-endian float32, in Keras's
layouts. The JSON's __metadata__ holds strings:

    format          "vaectl"
    format_version  a whole number
    config          a JSON object: every setting of the training
    history         a JSON array of an object an epoch: epoch, loss,
                    reconstruction, kl, val_loss, val_reconstruction, val_kl
    data            a JSON object: name, train and val (counts), sha256
    weights_epoch   the epoch whose weights these are, a whole number

It holds no time, path or number of workers: the same training gives the same
bytes. "vaectl info --json" prints what it says.

THE TRAINING STATE, vae.safetensors.state, which "train --resume" reads, is of
the same kind. It has no weights_epoch, and differs in these strings:

    format          "vaectl-state"
    position        a JSON object: step, the sums of the losses since the epoch
                    began, and the states of the random streams
    source          where the data were

Its tensors are weights.NAME, slot.SLOT.NAME for the optimizer's averages, and
best.NAME where the best weights are kept.

THE LOG, which "train --log" writes, has a JSON object a line:

` + logFields,
		Example: `  vaectl encode digits/*.png --log-var > latents.csv
  vaectl decode latents.csv > digits.png
  vaectl encode digits/*.png --format ndjson | jq -c '{id, z}' | vaectl decode > digits.png
  vaectl sample --latents --format npy | vaectl decode --format idx | vaectl encode --format tsv
  echo 0.5,-1 | vaectl decode > one.png
  vaectl info --json | jq .config.latent_dim
  vaectl train --quiet --log train.ndjson && jq -s 'map(.loss) | min' train.ndjson`,
	})
}

// newTopic lets help show a topic's examples, which it does of commands only.
func newTopic(cmd *cobra.Command) *cobra.Command {
	cmd.SetHelpTemplate("{{.Long}}\n\nExamples:\n{{.Example}}\n")
	return cmd
}
