package mnist

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// ErrNoImages is wrapped by OpenDir's error where a directory is missing or has
// no training images in it: there is nothing there, rather than something bad.
var ErrNoImages = errors.New("no training images")

// Env is where data may lie on this machine.
type Env struct {
	Data    string // a directory that the user names once and for all; "" if none
	Fetched string // the directory that downloaded data go to; "" if there is none
}

// SystemEnv is the Env of this process: $VAECTL_DATA, and vaectl/mnist in the
// user's cache directory.
func SystemEnv() Env {
	env := Env{Data: os.Getenv("VAECTL_DATA")}
	if cache, err := os.UserCacheDir(); err == nil {
		env.Fetched = filepath.Join(cache, "vaectl", "mnist")
	}
	return env
}

// Open opens the data set that spec names: "sample" is Sample, "auto" the best
// there is, and anything else a directory for OpenDir (write ./sample for one
// of that name).
//
// "auto" takes env.Data if that is set, else env.Fetched unless that has
// ErrNoImages, else the sample, and then fellBack is true. Data that are there
// but broken are an error: the sample never stands in for them unnoticed.
func Open(spec string, env Env) (d *Dataset, fellBack bool, err error) {
	switch spec {
	case "":
		return nil, false, errors.New(`no data set named: want "auto", "sample" or a directory`)
	case "sample":
		d, err = Sample()
		return d, false, err
	case "auto":
		return openAuto(env)
	default:
		d, err = OpenDir(spec)
		return d, false, err
	}
}

func openAuto(env Env) (d *Dataset, fellBack bool, err error) {
	if env.Data != "" {
		d, err = OpenDir(env.Data)
		if err != nil {
			return nil, false, fmt.Errorf("$VAECTL_DATA: %w", err)
		}
		return d, false, nil
	}
	if env.Fetched != "" {
		d, err = OpenDir(env.Fetched)
		if !errors.Is(err, ErrNoImages) {
			return d, false, err
		}
	}
	d, err = Sample()
	return d, err == nil, err
}

// OpenDir reads the data set in a directory: IDX files, plain or gzip'd, named
// as MNIST names them,
//
//	train-images-idx3-ubyte  train-labels-idx1-ubyte
//	t10k-images-idx3-ubyte   t10k-labels-idx1-ubyte
//
// or in the spellings one meets elsewhere: with .gz, with a dot before idx,
// with test for t10k, with a prefix such as emnist-letters-. Only the training
// images must be there; their absence is ErrNoImages.
//
// All images must have one size, of even height and width, because the model
// halves both and doubles them again.
func OpenDir(dir string) (*Dataset, error) {
	if err := checkDir(dir); err != nil {
		return nil, err
	}
	d, err := load(os.DirFS(dir))
	if err != nil {
		return nil, fmt.Errorf("data directory %s: %w", dir, err)
	}
	return d, nil
}

// SplitFiles are the names of one half's files, "" where there is none.
type SplitFiles struct{ Images, Labels string }

// FindFiles returns the names of the files that OpenDir would read. With
// ErrNoImages, it returns those that are there all the same.
func FindFiles(dir string) (train, val SplitFiles, err error) {
	if err := checkDir(dir); err != nil {
		return train, val, err
	}
	if train, val, err = find(os.DirFS(dir)); err != nil {
		err = fmt.Errorf("data directory %s: %w", dir, err)
	}
	return train, val, err
}

func checkDir(dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("data directory %s: %w: it does not exist", dir, ErrNoImages)
	}
	if err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("data directory %s: is a file: want the directory that holds the IDX files", dir)
	}
	return nil
}

func load(fsys fs.FS) (*Dataset, error) {
	train, val, err := find(fsys)
	if err != nil {
		return nil, err
	}
	d := new(Dataset)
	if d.Train, err = loadSplit(fsys, "train", train); err != nil {
		return nil, err
	}
	if val.Images != "" {
		if d.Val, err = loadSplit(fsys, "val", val); err != nil {
			return nil, err
		}
		if t, v := d.Train, d.Val; t.Rows != v.Rows || t.Cols != v.Cols {
			return nil, fmt.Errorf("images of two sizes: %s has %dx%d, %s has %dx%d",
				train.Images, t.Rows, t.Cols, val.Images, v.Rows, v.Cols)
		}
	}
	d.Name = nameOf(d.SHA256())
	return d, nil
}

// find looks through a directory for the files of one data set.
func find(fsys fs.FS) (train, val SplitFiles, err error) {
	name := regexp.MustCompile(`^(.*-)?(train|t10k|test)-(images[-.]idx3|labels[-.]idx1)-ubyte(\.gz)?$`)
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return train, val, err
	}
	first, prefix := "", ""
	for _, e := range entries { // sorted, so that a plain file comes before its .gz
		m := name.FindStringSubmatch(e.Name())
		if m == nil || e.IsDir() {
			continue
		}
		if first == "" {
			first, prefix = e.Name(), m[1]
		}
		half := &val
		if m[2] == "train" {
			half = &train
		}
		slot := &half.Images
		if m[3][0] == 'l' {
			slot = &half.Labels
		}
		switch {
		case m[1] != prefix:
			return train, val, fmt.Errorf("files of two data sets, %s and %s: keep each in a directory of its own", first, e.Name())
		case *slot == "":
			*slot = e.Name()
		case *slot+".gz" != e.Name():
			return train, val, fmt.Errorf("%s and %s are two files for one purpose: keep one of them", *slot, e.Name())
		}
	}
	if train.Images == "" {
		return train, val, fmt.Errorf("%w: looked for train-images-idx3-ubyte "+
			"or train-images.idx3-ubyte, plain or .gz, with or without a prefix such as emnist-letters-", ErrNoImages)
	}
	if val.Images == "" && val.Labels != "" {
		return train, val, fmt.Errorf("%s: there are no images that these labels belong to", val.Labels)
	}
	return train, val, nil
}

func loadSplit(fsys fs.FS, name string, files SplitFiles) (*Split, error) {
	images, err := readFile(fsys, files.Images, ReadImages)
	if err != nil {
		return nil, err
	}
	if images.Rows%2 != 0 || images.Cols%2 != 0 {
		return nil, fmt.Errorf("%s: images are %dx%d: vaectl trains on even heights and widths", files.Images, images.Rows, images.Cols)
	}
	s := &Split{Name: name, Images: *images}
	if files.Labels == "" {
		return s, nil
	}
	if s.Labels, err = readFile(fsys, files.Labels, ReadLabels); err != nil {
		return nil, err
	}
	if len(s.Labels) != s.Len() {
		return nil, fmt.Errorf("%s has %d labels, but %s has %d images", files.Labels, len(s.Labels), files.Images, s.Len())
	}
	return s, nil
}

func readFile[T any](fsys fs.FS, name string, read func(io.Reader) (T, error)) (T, error) {
	f, err := fsys.Open(name)
	if err != nil {
		var none T
		return none, err // it names the file already
	}
	defer f.Close()
	v, err := read(f)
	if err != nil {
		return v, fmt.Errorf("%s: %w", name, err)
	}
	return v, nil
}
