package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/spf13/pflag"

	"vaectl/internal/modelfile"
	"vaectl/internal/train"
)

// logFields documents the lines of the log; the help of formats shows it.
const logFields = `    event           "epoch", or "step" with --log-every
    epoch, epochs   this epoch, from 1, and how many there will be
    step, steps     training steps done in this epoch, and how many it has
    samples         training images seen in this epoch
    loss, reconstruction, kl
                    means: of a step over its batch, of an epoch over its images
    val_loss, val_reconstruction, val_kl
                    means over the validation images; null for a step, and where
                    there are none
    learning_rate   of the optimizer
    samples_per_second
                    of training alone, since the last step logged or, for an
                    epoch, since it began
    seconds         since the epoch began or was resumed, validation included
    time            of day, RFC 3339, UTC

A line is written when the step or the epoch is done and, for an epoch, when its
model file is. The log file is emptied first, but --resume adds to it: after a
kill, the steps since FILE.state was written are there twice. Where the log cannot
be written any more, a note says so and the training goes on.`

// logRecord is a line of the log.
type logRecord struct {
	Event             string   `json:"event"`
	Epoch             int      `json:"epoch"`
	Epochs            int      `json:"epochs"`
	Step              int      `json:"step"`
	Steps             int      `json:"steps"`
	Samples           int      `json:"samples"`
	Loss              float64  `json:"loss"`
	Reconstruction    float64  `json:"reconstruction"`
	KL                float64  `json:"kl"`
	ValLoss           *float64 `json:"val_loss"`
	ValReconstruction *float64 `json:"val_reconstruction"`
	ValKL             *float64 `json:"val_kl"`
	LearningRate      float64  `json:"learning_rate"`
	SamplesPerSecond  float64  `json:"samples_per_second"`
	Seconds           float64  `json:"seconds"`
	Time              string   `json:"time"`
}

type logOptions struct {
	path  string
	every int
}

func logFlags(fs *pflag.FlagSet, o *logOptions) {
	fs.Var(&completedValue{value{"FILE", "", func(s string) error {
		o.path = s
		return nil
	}}, completeFiles("ndjson", "log")}, "log", "write a JSON object an epoch, a line each, to `FILE`; - is stdout")
	intFlag(fs, &o.every, "log-every", 0, math.MaxInt32, "log every `N` steps too; 0 logs epochs only")
}

// trainLog writes the course of a training, a JSON object a line. It is less
// than the training: where it cannot be written, it says so once and ends. A nil
// log writes nothing.
type trainLog struct {
	out   io.Writer
	file  *os.File // to be closed; nil for stdout
	name  string
	err   io.Writer
	every int

	broken bool
	rate   float64 // of learning, in this epoch
	images int     // of an epoch
	steps  int
	epochs int
	latest train.Progress // of training
	began  time.Time      // the epoch, in this run
	whole  meter          // over the epoch
	since  meter          // since the last step logged
}

// meter is a number of samples and the time in which they were trained on.
type meter struct {
	from    time.Time
	samples int
	until   time.Time
}

// perSecond is 0 where the clock did not move, since JSON has no infinity.
func (m *meter) perSecond() float64 {
	if t := m.until.Sub(m.from).Seconds(); t > 0 {
		return float64(m.samples) / t
	}
	return 0
}

// openTrainLog opens the log that o names, nil if it names none. A resumed
// training adds to the file, a fresh one empties it.
func openTrainLog(c *console, o logOptions, resumed bool) (*trainLog, error) {
	if o.path == "" {
		return nil, nil
	}
	l := &trainLog{name: o.path, err: c.err, every: o.every}
	if o.path == "-" {
		l.out, l.name = c.out, "stdout"
	} else {
		mode := os.O_WRONLY | os.O_CREATE | os.O_APPEND
		if !resumed {
			mode |= os.O_TRUNC
		}
		f, err := os.OpenFile(o.path, mode, 0o666)
		if err != nil {
			return nil, fmt.Errorf("opening the log: %w", err)
		}
		l.out, l.file = f, f
	}
	return l, nil
}

// begin starts the clocks of the run's next epoch, or of the rest of one.
func (l *trainLog) begin(run *train.Run) {
	if l == nil {
		return
	}
	l.rate, l.images, l.latest = run.LearningRate(), run.Data().Train, train.Progress{}
	_, _, l.steps = run.At()
	l.began = time.Now()
	l.whole = meter{from: l.began}
	l.since = l.whole
}

// step logs a step, if it is one of every so many.
func (l *trainLog) step(p train.Progress) {
	if l == nil {
		return
	}
	l.epochs = p.Epochs
	if p.Validating {
		return
	}
	now, samples := time.Now(), p.Samples/p.Step
	if p.Step == l.latest.Step+1 {
		samples = p.Samples - l.latest.Samples // the last batch may be short
	}
	l.latest = p
	for _, m := range []*meter{&l.whole, &l.since} {
		m.samples += samples
		m.until = now
	}
	if l.every > 0 && p.Step%l.every == 0 {
		l.write(logRecord{
			Event: "step", Epoch: p.Epoch, Step: p.Step, Samples: p.Samples,
			Loss: p.Batch.Loss, Reconstruction: p.Batch.Reconstruction, KL: p.Batch.KL,
			SamplesPerSecond: l.since.perSecond(),
		})
		l.since = meter{from: now}
	}
}

// epoch logs an epoch that is done.
func (l *trainLog) epoch(e modelfile.Epoch) {
	if l == nil {
		return
	}
	l.write(logRecord{
		Event: "epoch", Epoch: e.Epoch, Step: l.steps, Samples: l.images,
		Loss: e.Loss, Reconstruction: e.Reconstruction, KL: e.KL,
		ValLoss: e.ValLoss, ValReconstruction: e.ValReconstruction, ValKL: e.ValKL,
		SamplesPerSecond: l.whole.perSecond(),
	})
}

// write adds what step and epoch have in common and writes the line.
func (l *trainLog) write(r logRecord) {
	if l.broken {
		return
	}
	now := time.Now()
	r.Epochs, r.Steps = l.epochs, l.steps
	r.LearningRate = l.rate
	r.Seconds, r.Time = now.Sub(l.began).Seconds(), now.UTC().Format(time.RFC3339Nano)
	l.fail(json.NewEncoder(l.out).Encode(r))
}

func (l *trainLog) close() {
	if l != nil && l.file != nil {
		l.fail(l.file.Close())
	}
}

func (l *trainLog) fail(err error) {
	if err != nil && !l.broken {
		l.broken = true
		fmt.Fprintf(l.err, "note: the log ends here, the training goes on: writing to %s: %v\n", l.name, err)
	}
}
