package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"vaectl/internal/atomicfile"
	"vaectl/internal/modelfile"
	"vaectl/internal/train"
)

// trainFiles are the files of a training: the model, and beside it the state that
// --resume goes on from.
type trainFiles struct {
	disk  atomicfile.Writer
	model string
	state string // "" where the model goes to a device or a pipe

	film *film // nil without

	source  string    // of the data, to be told in the state
	every   interval  // how often the state is written
	steps   int       // since it was
	written time.Time // or begun, before the first
}

// newTrainFiles finds out before the training whether both can be written.
func newTrainFiles(c *console, model string, every interval) (*trainFiles, error) {
	f := &trainFiles{disk: c.files, model: model, every: every, written: time.Now()}
	if err := f.disk.Probe(model); err != nil {
		return nil, fmt.Errorf("saving the model will fail: %w", err)
	}
	if info, err := os.Stat(model); err == nil && !info.Mode().IsRegular() {
		return f, nil
	}
	f.state = model + ".state"
	if err := f.disk.Probe(f.state); err != nil {
		return nil, fmt.Errorf("saving the training state will fail: %w", err)
	}
	return f, nil
}

// read reads the state.
func (f *trainFiles) read() (*modelfile.State, error) {
	if f.state == "" {
		return nil, fmt.Errorf("%s is not a regular file: there is no training state beside it", f.model)
	}
	file, err := os.Open(f.state)
	if err != nil {
		return nil, fmt.Errorf("reading the training state: %w", err)
	}
	defer file.Close()
	s, err := modelfile.ReadState(file, train.StateLayout)
	if err != nil {
		return nil, fmt.Errorf("reading the training state %s: %w", f.state, err)
	}
	return s, nil
}

// checkReplaceable refuses to begin a training in the place of an unfinished one.
func (f *trainFiles) checkReplaceable() error {
	if f.state == "" {
		return nil
	}
	s, err := f.read()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return &hintError{err, "--overwrite begins a training in its place"}
	case train.Finished(s), len(s.History) == 0 && s.Position.Step == 0:
		return nil
	}
	return &hintError{
		fmt.Errorf("%s holds an unfinished training, %s", f.state, place(len(s.History)+1, s.Position.Step, s.Steps())),
		"--resume goes on with it, --overwrite begins anew, -m names another model",
	}
}

// place tells how far a training is.
func place(epoch, step, steps int) string {
	return fmt.Sprintf("in epoch %d after step %d of %d", epoch, step, steps)
}

func (f *trainFiles) saveModel(run *train.Run) error {
	if err := f.disk.Write(f.model, func(w io.Writer) error { return modelfile.Write(w, run.Model()) }); err != nil {
		return fmt.Errorf("saving the model: %w", err)
	}
	return nil
}

// saveEpoch saves what an epoch has brought.
func (f *trainFiles) saveEpoch(run *train.Run) error {
	if err := f.saveModel(run); err != nil {
		return err
	}
	return f.saveState(run)
}

// afterStep saves the state if it is time to.
func (f *trainFiles) afterStep(run *train.Run) error {
	f.steps++
	if f.every.steps > 0 && f.steps >= f.every.steps ||
		f.every.time > 0 && time.Since(f.written) >= f.every.time {
		return f.saveState(run)
	}
	return nil
}

func (f *trainFiles) saveState(run *train.Run) error {
	if f.state == "" {
		return nil
	}
	f.film.save()
	s := run.State()
	s.Source = f.source
	if err := f.disk.Write(f.state, func(w io.Writer) error { return modelfile.WriteState(w, s) }); err != nil {
		return fmt.Errorf("saving the training state: %w", err)
	}
	f.steps, f.written = 0, time.Now()
	return nil
}
