package catalog

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"vaectl/mnist"
)

// State sums up a directory.
type State string

const (
	Absent     State = "absent"     // it has no file of a data set
	Incomplete State = "incomplete" // sound so far, but training images or files of a known data set are missing
	Bad        State = "bad"        // a file is broken, or the files do not belong together
	Sound      State = "sound"      // it can be trained on; not all digests are known
	Verified   State = "verified"   // all four files of a known data set, by their digests
)

// FileReport is what is known of one file in a directory.
type FileReport struct {
	Name       string
	Half, Kind string
	Content
	Set string // the data set that it belongs to by its digest, "" if that is not known
	Err error  // why it is bad
}

// Report is what is known of a directory.
type Report struct {
	Dir   string
	Files []FileReport
	Set   string // the data set that files belong to, "" if no digest is known
	State State
	Err   error // what is wrong with the whole: nil if a file's Err says it
}

// Inspect reads all files of the data set in a directory and holds them against
// the catalog and each other. The directory need not exist.
func (c Catalog) Inspect(dir string) Report {
	r := Report{Dir: dir}
	train, val, err := mnist.FindFiles(dir)
	for _, f := range []FileReport{
		{Name: train.Images, Half: Train, Kind: Images},
		{Name: train.Labels, Half: Train, Kind: Labels},
		{Name: val.Images, Half: Val, Kind: Images},
		{Name: val.Labels, Half: Val, Kind: Labels},
	} {
		if f.Name != "" {
			f.read(dir)
			f.identify(c)
			r.Files = append(r.Files, f)
		}
	}
	r.compare(c)
	r.Err = err
	switch {
	case r.bad():
		r.State = Bad
	case errors.Is(err, mnist.ErrNoImages) && len(r.Files) == 0:
		r.State = Absent
	case errors.Is(err, mnist.ErrNoImages):
		r.State = Incomplete
	case err != nil:
		r.State = Bad
	default:
		r.State = r.open()
	}
	return r
}

// read fills f from the file in dir.
func (f *FileReport) read(dir string) {
	file, err := os.Open(filepath.Join(dir, f.Name))
	if err != nil {
		f.Err = err
		return
	}
	defer file.Close()
	f.Content, f.Err = Read(file, f.Kind, NoLimit)
}

// identify looks f up by its digest.
func (f *FileReport) identify(c Catalog) {
	if f.Err != nil {
		return
	}
	for _, s := range c {
		for _, known := range s.Files {
			if known.compare(f.Content) != same {
				continue
			}
			f.Set = s.Name
			if known.Half != f.Half || known.Kind != f.Kind {
				f.Err = fmt.Errorf("holds %s's %s", s.Name, known.Name)
			}
		}
	}
}

// compare finds the files that do not belong to the data set of the first whose
// digest is known.
func (r *Report) compare(c Catalog) {
	first := ""
	for _, f := range r.Files {
		if r.Set == "" && f.Set != "" {
			r.Set, first = f.Set, f.Name
		}
	}
	if r.Set == "" {
		return
	}
	set, err := c.Find(r.Set)
	if err != nil {
		panic(err) // it came from the same table
	}
	for i := range r.Files {
		f := &r.Files[i]
		for _, known := range set.Files {
			if f.Err != nil || known.Half != f.Half || known.Kind != f.Kind {
				continue
			}
			if !known.MayBe(f.Content) || f.Set != "" && f.Set != r.Set {
				f.Err = fmt.Errorf("is not %s's, although %s is", r.Set, first)
			}
		}
	}
}

func (r *Report) bad() bool {
	for _, f := range r.Files {
		if f.Err != nil {
			return true
		}
	}
	return false
}

// open asks package mnist whether the files, sound one by one, make a data set.
func (r *Report) open() State {
	if _, r.Err = mnist.OpenDir(r.Dir); r.Err != nil {
		return Bad
	}
	if r.Set == "" {
		return Sound
	}
	if len(r.Files) < 4 {
		return Incomplete
	}
	for _, f := range r.Files {
		if f.Set == "" {
			return Sound
		}
	}
	return Verified
}
