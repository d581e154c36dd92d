// Package faultfs is a disk for tests on which chosen operations fail: the real
// one, behind the interface of package atomicfile. Ways to fail belong here;
// what must survive them is for each test to say.
package faultfs

import (
	"io/fs"

	"vaectl/internal/atomicfile"
)

// Disk notes every operation and passes it on to the real disk, unless Fail
// returns an error for it. It is for one goroutine.
type Disk struct {
	// Fail gets the operation's number, from 0, and its name: create, open,
	// chmod, write, sync, close, rename, syncdir or remove.
	Fail func(n int, op string) error
	Ops  []string // the names so far

	disk atomicfile.Disk
}

// FailNth makes operation n fail with err.
func FailNth(n int, err error) func(int, string) error {
	return func(i int, _ string) error {
		if i == n {
			return err
		}
		return nil
	}
}

func (d *Disk) op(name string) error {
	d.Ops = append(d.Ops, name)
	if err := d.Fail(len(d.Ops)-1, name); err != nil {
		return &fs.PathError{Op: name, Path: "secret-temporary-name", Err: err}
	}
	return nil
}

func (d *Disk) Create(path string, perm fs.FileMode) (atomicfile.File, error) {
	if err := d.op("create"); err != nil {
		return nil, err
	}
	f, err := d.disk.Create(path, perm)
	return file{d, f}, err
}

func (d *Disk) OpenWritable(path string) (atomicfile.File, error) {
	if err := d.op("open"); err != nil {
		return nil, err
	}
	f, err := d.disk.OpenWritable(path)
	return file{d, f}, err
}

func (d *Disk) Rename(from, to string) error {
	if err := d.op("rename"); err != nil {
		return err
	}
	return d.disk.Rename(from, to)
}

func (d *Disk) Remove(path string) error {
	if err := d.op("remove"); err != nil {
		return err
	}
	return d.disk.Remove(path)
}

func (d *Disk) SyncDir(path string) error {
	if err := d.op("syncdir"); err != nil {
		return err
	}
	return d.disk.SyncDir(path)
}

type file struct {
	disk *Disk
	atomicfile.File
}

// Write writes half before it fails, as a disk that fills up does.
func (f file) Write(p []byte) (int, error) {
	if err := f.disk.op("write"); err != nil {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, err
	}
	return f.File.Write(p)
}

func (f file) Chmod(mode fs.FileMode) error {
	if err := f.disk.op("chmod"); err != nil {
		return err
	}
	return f.File.Chmod(mode)
}

func (f file) Sync() error {
	if err := f.disk.op("sync"); err != nil {
		return err
	}
	return f.File.Sync()
}

// Close closes even if it fails, as the system does.
func (f file) Close() error {
	err := f.File.Close()
	if errOp := f.disk.op("close"); errOp != nil {
		return errOp
	}
	return err
}
