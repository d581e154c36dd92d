package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"runtime"
	"syscall"
)

// Disk is the real file system.
type Disk struct{}

func (Disk) Create(path string, perm fs.FileMode) (File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return nil, err // not f: a nil *os.File in an interface is not nil
	}
	return f, nil
}

func (Disk) OpenWritable(path string) (File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func (Disk) Rename(from, to string) error { return os.Rename(from, to) }

func (Disk) Remove(path string) error { return os.Remove(path) }

// SyncDir makes a rename in the directory durable. Windows has no such call, some
// file systems refuse it, and a directory may be writable but not readable: then
// there is nothing more to be done.
func (Disk) SyncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(path)
	if errors.Is(err, fs.ErrPermission) {
		return nil
	}
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) {
		err = nil
	}
	if errClose := d.Close(); err == nil {
		err = errClose
	}
	return err
}
