// Package atomicfile writes files whole or not at all. Only that belongs here:
// the order of file operations that makes a write survive an error, an interrupt
// or a power failure; what is written belongs to the callers.
//
// It is our own because github.com/google/renameio does not support Windows,
// github.com/natefinch/atomic does not sync before it renames, and neither lets
// a test make the n-th operation fail.
package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
)

// Write makes the file at path hold exactly what fill writes, or leaves it as it
// was. The bytes go to a hidden temporary file in the same directory, are synced
// to disk and renamed to path; after an error or a panic the temporary file is
// removed, and only a process that is killed leaves it behind. The writer that
// fill gets is buffered.
//
// A symbolic link is followed: its target is replaced or created, the link stays.
// An existing file keeps its permission bits, and must be writable; a new one
// gets 0666 less the umask. Other hard links to an earlier file keep the earlier
// content. A device, pipe or open descriptor (/dev/null, /dev/stdout) cannot be
// replaced, so fill writes straight into it. A directory is refused.
//
// An error of fill is returned as it is; every other names path, and not the
// temporary file. Only an error that says
// "syncing directory" leaves the new content in place: it may then not survive a
// power failure.
func Write(path string, fill func(io.Writer) error) error {
	return Writer{}.Write(path, fill)
}

// Probe returns the error that Write would meet before it calls fill, so that
// long work need not be done to find out. It leaves nothing behind, and does not
// touch devices and pipes.
func Probe(path string) error { return Writer{}.Probe(path) }

// Target returns the name of the file that Write would replace or create: what
// path leads to through symbolic links. It is empty where there is no such file,
// because Write would write straight into what path names, or would refuse it.
func Target(path string) string {
	at, err := locate(path)
	if err != nil || at.direct || at.isDir() {
		return ""
	}
	return at.target
}

// A Writer writes by way of Files, a disk that a test may choose; nil means Disk.
type Writer struct{ Files Files }

// Files is every operation that changes something on disk.
type Files interface {
	Create(path string, perm fs.FileMode) (File, error) // must not exist
	OpenWritable(path string) (File, error)             // must exist; keeps its content
	Rename(from, to string) error
	Remove(path string) error
	SyncDir(path string) error
}

// File is the part of *os.File that a Writer uses.
type File interface {
	io.WriteCloser
	Chmod(fs.FileMode) error
	Sync() error
}

// Probe is the function of that name.
func (w Writer) Probe(path string) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return nil // opening a pipe, and closing it, would be seen at its other end
	}
	stop := errors.New("far enough")
	if err := w.Write(path, func(io.Writer) error { return stop }); !errors.Is(err, stop) {
		return err
	}
	return nil
}

// Write is the function of that name.
func (w Writer) Write(path string, fill func(io.Writer) error) error {
	if path == "" {
		return errors.New("writing a file: its name is empty")
	}
	if w.Files == nil {
		w.Files = Disk{}
	}
	err := writeAt(w.Files, path, fill)
	var theirs fillError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &theirs):
		return theirs.error
	}
	return fmt.Errorf("writing %q: %w", path, err)
}

// fillError is an error of fill that no write caused: it says nothing about path.
type fillError struct{ error }

// place is what a path leads to.
type place struct {
	target string
	info   fs.FileInfo // nil if nothing is there yet
	direct bool        // not a file that a rename may replace
}

func (p place) isDir() bool { return p.info != nil && p.info.IsDir() }

// locate finds out what path leads to.
func locate(path string) (place, error) {
	target, err := follow(path)
	if err != nil {
		return place{}, err
	}
	info, err := os.Stat(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return place{target: target}, nil
	case err != nil:
		return place{}, cause(err)
	}
	direct := !info.IsDir() && !info.Mode().IsRegular() || isDescriptor(target)
	return place{target, info, direct}, nil
}

// writeAt writes path the way that suits what it leads to.
func writeAt(fsys Files, path string, fill func(io.Writer) error) error {
	at, err := locate(path)
	switch {
	case err != nil:
		return err
	case at.isDir():
		return errors.New("is a directory")
	case at.direct:
		return direct(fsys, at.target, fill)
	case at.info == nil:
		return replace(fsys, at.target, nil, fill)
	}
	// A rename would replace even a file that is protected against writing.
	f, err := fsys.OpenWritable(at.target)
	if err != nil {
		return cause(err)
	}
	if err := f.Close(); err != nil {
		return cause(err)
	}
	return replace(fsys, at.target, at.info, fill)
}

// replace writes a new file beside target and renames it. The file in its place,
// nil if there is none, lends its permissions.
func replace(fsys Files, target string, old fs.FileInfo, fill func(io.Writer) error) (err error) {
	// filepath.Dir would clean "link/../x" into another directory than the
	// kernel's.
	dir, name := filepath.Split(target)
	if name == "" {
		return errors.New("names a directory that does not exist")
	}
	perm := fs.FileMode(0o666)
	if old != nil {
		perm = old.Mode().Perm()
	}
	f, temp, err := createTemp(fsys, dir, name, perm)
	if err != nil {
		return fmt.Errorf("creating a temporary file beside it: %w", cause(err))
	}
	open, renamed := true, false
	defer func() { // also when fill panics; the first error is the one to report
		if open {
			_ = f.Close()
		}
		if !renamed {
			_ = fsys.Remove(temp)
		}
	}()

	if old != nil {
		if err := f.Chmod(perm); err != nil { // undoes the umask
			return fmt.Errorf("setting permissions: %w", cause(err))
		}
	}
	if err := fillBuffered(f, fill); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("syncing: %w", cause(err))
	}
	open = false
	if err := f.Close(); err != nil {
		return fmt.Errorf("closing: %w", cause(err))
	}
	if err := fsys.Rename(temp, target); err != nil {
		return fmt.Errorf("renaming the temporary file: %w", cause(err))
	}
	renamed = true
	if dir == "" {
		dir = "."
	}
	if err := fsys.SyncDir(dir); err != nil {
		return fmt.Errorf("syncing directory: %w", cause(err))
	}
	return nil
}

// direct writes into something that a rename must not replace. It appends, so
// that a log behind /dev/stdout is not cut, and does not sync, which pipes and
// most devices refuse.
func direct(fsys Files, path string, fill func(io.Writer) error) error {
	f, err := fsys.OpenWritable(path)
	if err != nil {
		return cause(err)
	}
	err = fillBuffered(f, fill)
	if errClose := f.Close(); err == nil && errClose != nil {
		err = fmt.Errorf("closing: %w", cause(errClose))
	}
	return err
}

func fillBuffered(f File, fill func(io.Writer) error) error {
	to := &causeWriter{w: f}
	w := bufio.NewWriterSize(to, 1<<16)
	err := fill(w)
	switch {
	case to.err != nil:
		return to.err // whatever fill made of it
	case err != nil:
		return fillError{err}
	}
	return w.Flush()
}

// createTemp creates the hidden file .name.tmp-xxxxxxxx, with the permissions
// that os.CreateTemp does not let one choose. dir is empty or ends in a separator.
func createTemp(fsys Files, dir, name string, perm fs.FileMode) (File, string, error) {
	const longest = 64 // bytes of name: with the rest, well below any system's limit
	if len(name) > longest {
		name = strings.ToValidUTF8(name[:longest], "")
	}
	for try := 0; ; try++ {
		temp := fmt.Sprintf("%s.%s.tmp-%08x", dir, name, rand.Uint32())
		f, err := fsys.Create(temp, perm)
		if err == nil || try == 100 || !errors.Is(err, fs.ErrExist) {
			return f, temp, err
		}
	}
}

// follow returns what path leads to through symbolic links; that need not exist.
// It stops at a descriptor, whose link may lead to no name at all.
func follow(path string) (string, error) {
	for range 40 { // as many as Linux follows
		if isDescriptor(path) {
			return path, nil
		}
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode()&fs.ModeSymlink == 0 {
			return path, nil
		}
		if err != nil {
			return "", cause(err)
		}
		to, err := os.Readlink(path)
		if err != nil {
			return "", fmt.Errorf("following a symbolic link: %w", cause(err))
		}
		if !filepath.IsAbs(to) {
			dir, _ := filepath.Split(path)
			to = dir + to
		}
		path = to
	}
	return "", errors.New("too many symbolic links")
}

// isDescriptor reports whether path names one of the process's open files, as
// /dev/stdout does after one step.
func isDescriptor(path string) bool {
	return strings.HasPrefix(path, "/dev/fd/") || strings.HasPrefix(path, "/proc/")
}

// cause takes the file name off an error of package os: Write names the file that
// was asked for, and a temporary name would only confuse.
func cause(err error) error {
	var pathErr *fs.PathError
	var linkErr *os.LinkError
	switch {
	case errors.As(err, &pathErr):
		return pathErr.Err
	case errors.As(err, &linkErr):
		return linkErr.Err
	}
	return err
}

// causeWriter keeps the cause of the first error of a file.
type causeWriter struct {
	w   io.Writer
	err error
}

func (c *causeWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if err != nil {
		err = cause(err)
		c.err = err
	}
	return n, err
}
