package main

import (
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"vaectl/internal/animation"
	"vaectl/internal/atomicfile"
)

// dirReel keeps frames as PNGs in a directory.
type dirReel struct {
	disk atomicfile.Writer
	dir  string
}

// newDirReel is for a directory that is there.
func newDirReel(disk atomicfile.Writer, dir string, resume bool) (*dirReel, error) {
	r := &dirReel{disk, dir}
	if err := disk.Probe(filepath.Join(dir, "frame")); err != nil {
		return nil, err
	}
	frames, err := r.moments()
	if err != nil {
		return nil, err
	}
	if len(frames) > 0 && !resume {
		return nil, &hintError{
			fmt.Errorf("%s holds %d frames of an earlier training", dir, len(frames)),
			"name another directory, or remove them",
		}
	}
	return r, nil
}

// moments are those of the frames in the directory.
func (r *dirReel) moments() (found []moment, err error) {
	entries, err := os.ReadDir(r.dir)
	for _, e := range entries {
		name, isPNG := strings.CutSuffix(e.Name(), ".png")
		if m, ok := parseMoment(name); ok && isPNG {
			found = append(found, m)
		}
	}
	return found, err
}

// begin leaves the frames after now too: the same training draws the same again.
func (r *dirReel) begin(now moment, _ bool, _ int, _ image.Point) (have int, err error) {
	if err := os.Mkdir(r.dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return 0, err
	}
	found, err := r.moments()
	for _, m := range found {
		if !m.after(now) {
			have++
		}
	}
	return have, err
}

func (r *dirReel) add(at moment, frame *image.Gray) error {
	return r.disk.Write(filepath.Join(r.dir, at.String()+".png"), func(w io.Writer) error { return png.Encode(w, frame) })
}

func (*dirReel) save() error { return nil }

// gifReel keeps frames in memory, compressed, and writes them all to a GIF, where
// each has its moment as a comment.
type gifReel struct {
	disk  atomicfile.Writer
	path  string
	film  animation.Animation
	saved int // frames
}

func (r *gifReel) begin(now moment, resume bool, more int, size image.Point) (have int, err error) {
	if resume {
		if err := r.read(now, size); err != nil {
			return 0, err
		}
	}
	have = r.film.Len()
	if n, room := have+more, animation.Room(size); n > room {
		return 0, &hintError{
			usagef("--film %s: of its %s frames of %dx%d, a GIF holds %s", r.path, thousands(n), size.X, size.Y, thousands(room)),
			"a larger --film-every makes fewer; a directory takes any number",
		}
	}
	return have, nil
}

// read takes the frames up to now from the film of the training's earlier sessions.
func (r *gifReel) read(now moment, size image.Point) error {
	f, err := os.Open(r.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	film, err := animation.Read(f, size)
	var last moment
	for i := 0; err == nil && i < film.Len(); i++ {
		m, ok := parseMoment(film.Comment(i))
		switch {
		case !ok || i > 0 && !m.after(last):
			err = fmt.Errorf("frame %d tells no moment of a training after that before it", i+1)
		case m.after(now):
			film.Truncate(i)
		}
		last = m
	}
	if err != nil {
		return &hintError{fmt.Errorf("going on with %s: %w", r.path, err), "--film must name the film of this training, or a new file"}
	}
	r.film = *film
	return nil
}

func (r *gifReel) add(at moment, frame *image.Gray) error { return r.film.Add(frame, at.String()) }

// save lets few frames be seen one by one, and many in 10 seconds.
func (r *gifReel) save() error {
	n := r.film.Len()
	if n == r.saved {
		return nil
	}
	r.film.Delay = min(max(10*time.Second/time.Duration(n), 40*time.Millisecond), 400*time.Millisecond)
	r.film.Last = 2 * time.Second
	if err := r.disk.Write(r.path, r.film.Write); err != nil {
		return err
	}
	r.saved = n
	return nil
}
