package main

import (
	"errors"
	"fmt"
	"image"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"vaectl/internal/atomicfile"
	"vaectl/internal/train"
)

// filmOptions say what is filmed of a training.
type filmOptions struct {
	path  string // "": nothing
	every int    // steps; 0: epochs alone
}

func filmFlags(fs *pflag.FlagSet, o *filmOptions) {
	fs.Var(&value{"DIR|FILE.gif", "", func(s string) error {
		if s == "" || s == "-" {
			return errors.New("must be the name of a directory, or of a file that ends in .gif")
		}
		o.path = s
		return nil
	}}, "film", "draw the latent manifold before and after each epoch, as PNGs or an animated GIF")
	intFlag(fs, &o.every, "film-every", 0, math.MaxInt32, "with --film, draw it every `N` steps of an epoch too; 0: no oftener")
}

// film is the latent manifold as training goes on: a frame of the model where it
// begins, one after each epoch and, unless every is 0, one after every so many
// steps of an epoch. A nil film has none. Drawing changes nothing in the model, and
// a film that cannot be written does not stop the training.
type film struct {
	path   string
	reel   reel
	every  int
	notes  io.Writer
	resume bool

	frames int   // of this session
	err    error // that ended the film
}

// reel is where the frames go.
type reel interface {
	// begin prepares for so many frames of a size and returns how many the reel
	// has already of moments up to now, which stay if the training is resumed.
	begin(now moment, resume bool, more int, size image.Point) (have int, err error)
	add(at moment, frame *image.Gray) error
	// save brings all frames to the disk.
	save() error
}

// moment is a place in a training: a number of steps into an epoch, which counts
// from 1.
type moment struct{ epoch, step int }

// String is the name of the moment's frame, and sorts as moments do.
func (m moment) String() string { return fmt.Sprintf("epoch-%05d-step-%06d", m.epoch, m.step) }

func parseMoment(s string) (m moment, ok bool) {
	_, err := fmt.Sscanf(s, "epoch-%d-step-%d", &m.epoch, &m.step)
	return m, err == nil && m.String() == s
}

func (m moment) after(n moment) bool {
	return m.epoch > n.epoch || m.epoch == n.epoch && m.step > n.step
}

// newFilm finds out before the training whether a film can be written.
func newFilm(files atomicfile.Writer, o filmOptions, resume bool, notes io.Writer) (*film, error) {
	if o.path == "" {
		return nil, nil
	}
	f := &film{path: o.path, every: o.every, notes: notes, resume: resume}
	info, err := os.Stat(o.path)
	exists := err == nil
	ending := filepath.Ext(o.path)
	switch {
	case exists && info.IsDir():
		f.reel, err = newDirReel(files, o.path, resume)
	case strings.EqualFold(ending, ".gif") && (!exists || info.Mode().IsRegular()):
		f.reel, err = &gifReel{disk: files, path: o.path}, files.Probe(o.path)
	case exists, ending != "" && !os.IsPathSeparator(o.path[len(o.path)-1]):
		return nil, usagef("--film %s: must be a directory, or a file that ends in .gif; a new directory's name has no ending", o.path)
	default:
		dir := filepath.Clean(o.path)
		f.reel, err = &dirReel{disk: files, dir: dir}, files.Probe(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("saving the film will fail: %w", err)
	}
	return f, nil
}

// begin makes the film ready for a training that begins, or goes on, and draws the
// first frame where there is none.
func (f *film) begin(run *train.Run) error {
	if f == nil {
		return nil
	}
	frame, err := f.draw(run)
	if err != nil {
		return fmt.Errorf("filming: %w", err)
	}
	epoch, step, steps := run.At()
	now := moment{epoch, step}
	have, err := f.reel.begin(now, f.resume, f.remaining(run), frame.Rect.Size())
	if err != nil {
		return fmt.Errorf("filming: %w", err)
	}
	if have == 0 {
		if f.resume {
			fmt.Fprintf(f.notes, "note: %s has no earlier frame: the film begins %s\n", f.path, place(epoch, step, steps))
		}
		f.add(now, frame)
	}
	f.save()
	if f.err != nil {
		return fmt.Errorf("filming: %w", f.err)
	}
	return nil
}

// remaining is the number of frames to come, with one for where the film begins.
func (f *film) remaining(run *train.Run) int {
	epoch, step, steps := run.At()
	epochs, each, done := run.State().Config.Epochs-epoch+1, 1, 0
	if f.every > 0 {
		each, done = (steps+f.every-1)/f.every, step/f.every
	}
	return epochs*each - done + 1
}

// step adds a frame if there is one for the step just done.
func (f *film) step(run *train.Run) {
	epoch, step, steps := run.At()
	if f == nil || f.err != nil || step < steps && (f.every == 0 || step%f.every != 0) {
		return
	}
	frame, err := f.draw(run)
	if err != nil {
		f.err = err
		return
	}
	f.add(moment{epoch, step}, frame)
}

func (f *film) draw(run *train.Run) (*image.Gray, error) {
	return decodeGrid(run.VAE(), defaultGrid(), 1)
}

func (f *film) add(at moment, frame *image.Gray) {
	f.err = f.reel.add(at, frame)
	f.frames++
}

// save brings the frames so far to the disk. It goes before a state's, so that the
// film that a resumed training finds has all frames up to there.
func (f *film) save() {
	if f != nil && f.err == nil {
		f.err = f.reel.save()
	}
}

// ended is why there are no more frames, nil while there are.
func (f *film) ended() error {
	if f == nil {
		return nil
	}
	return f.err
}

// finish saves the film of a finished training.
func (f *film) finish() error {
	if f == nil {
		return nil
	}
	f.save()
	if f.err != nil {
		return &hintError{fmt.Errorf("filming: %w", f.err), "only the film is cut short: the training is finished, and the model saved"}
	}
	fmt.Fprintf(f.notes, "saved %s, new frames: %d\n", f.path, f.frames)
	return nil
}
