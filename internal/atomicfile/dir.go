package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteDir adds to the directory at path the files that fill creates in the
// directory it is given: all of them, or none if fill fails. path is made if it
// does not exist, but not its parent. Files of the same name are replaced. The
// files are not synced, for there may be many: a power failure may cost them.
//
// An error of fill that names a file of its directory has that name taken off.
func WriteDir(path string, fill func(dir string) error) (err error) {
	made := false
	if err := os.Mkdir(path, 0o777); err == nil {
		made = true
	} else if !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making the directory %q: %w", path, cause(err))
	}
	temp, err := os.MkdirTemp(path, ".tmp-")
	if err != nil {
		return fmt.Errorf("making a temporary directory in %q: %w", path, cause(err))
	}
	defer func() { // also when fill panics; the first error is the one to report
		_ = os.RemoveAll(temp)
		if err != nil && made {
			_ = os.Remove(path) // stays if there is something in it
		}
	}()
	if err := fill(temp); err != nil {
		var ours *fs.PathError
		if errors.As(err, &ours) && filepath.Dir(ours.Path) == temp {
			return fmt.Errorf("writing %q: %w", filepath.Join(path, filepath.Base(ours.Path)), ours.Err)
		}
		return err
	}
	for {
		moved, err := moveFiles(temp, path)
		if err != nil {
			return fmt.Errorf("writing into %q: %w", path, err)
		}
		if !moved {
			return nil
		}
	}
}

// moveFiles moves files from one directory to another, some at a time so that
// their number does not matter, and reports whether there were any.
func moveFiles(from, to string) (moved bool, err error) {
	d, err := os.Open(from)
	if err != nil {
		return false, cause(err)
	}
	defer d.Close()
	for {
		entries, err := d.ReadDir(256)
		for _, e := range entries {
			if err := os.Rename(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
				return moved, fmt.Errorf("renaming a temporary file to %s: %w", e.Name(), cause(err))
			}
			moved = true
		}
		if errors.Is(err, io.EOF) {
			return moved, nil
		}
		if err != nil {
			return moved, cause(err)
		}
	}
}
