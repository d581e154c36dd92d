package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// faulty counts the operations on the real file system and makes some fail.
type faulty struct {
	osFiles
	ops  []string
	fail func(n int, op string) error // nil: the operation goes ahead
}

func (f *faulty) op(name string) error {
	f.ops = append(f.ops, name)
	if err := f.fail(len(f.ops)-1, name); err != nil {
		return &fs.PathError{Op: name, Path: "secret-temporary-name", Err: err}
	}
	return nil
}

func (f *faulty) Create(path string, perm fs.FileMode) (file, error) {
	if err := f.op("create"); err != nil {
		return nil, err
	}
	g, err := f.osFiles.Create(path, perm)
	return faultyFile{f, g}, err
}

func (f *faulty) OpenWritable(path string) (file, error) {
	if err := f.op("open"); err != nil {
		return nil, err
	}
	g, err := f.osFiles.OpenWritable(path)
	return faultyFile{f, g}, err
}

func (f *faulty) Rename(from, to string) error {
	if err := f.op("rename"); err != nil {
		return err
	}
	return f.osFiles.Rename(from, to)
}

func (f *faulty) Remove(path string) error {
	if err := f.op("remove"); err != nil {
		return err
	}
	return f.osFiles.Remove(path)
}

func (f *faulty) SyncDir(path string) error {
	if err := f.op("syncdir"); err != nil {
		return err
	}
	return f.osFiles.SyncDir(path)
}

type faultyFile struct {
	f *faulty
	file
}

func (g faultyFile) Write(p []byte) (int, error) {
	if err := g.f.op("write"); err != nil {
		n, _ := g.file.Write(p[:len(p)/2]) // as a disk that fills up
		return n, err
	}
	return g.file.Write(p)
}

func (g faultyFile) Chmod(mode fs.FileMode) error {
	if err := g.f.op("chmod"); err != nil {
		return err
	}
	return g.file.Chmod(mode)
}

func (g faultyFile) Sync() error {
	if err := g.f.op("sync"); err != nil {
		return err
	}
	return g.file.Sync()
}

func (g faultyFile) Close() error {
	err := g.file.Close() // a failed close closes all the same
	if errOp := g.f.op("close"); errOp != nil {
		return errOp
	}
	return err
}

func TestEveryOperationFailing(t *testing.T) {
	tests := []struct {
		name string
		old  bool
		ops  []string
	}{
		{"new file", false, []string{"create", "write", "write", "sync", "close", "rename", "syncdir"}},
		{"existing file", true, []string{"open", "close", "create", "chmod", "write", "write", "sync", "close", "rename", "syncdir"}},
	}
	for _, tt := range tests {
		for n := -1; n < len(tt.ops); n++ { // -1: none fails
			name := "none"
			if n >= 0 {
				name = fmt.Sprint(n, tt.ops[n])
			}
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				dir := t.TempDir()
				path := filepath.Join(dir, "out.bin")
				want := map[string]string{}
				if tt.old {
					mustWrite(t, path, "old", 0o600)
					want["out.bin"] = "old"
				}
				fsys := &faulty{fail: func(i int, _ string) error {
					if i == n {
						return syscall.ENOSPC
					}
					return nil
				}}
				err := write(fsys, path, put(content))
				if n < 0 {
					if err != nil || !slices.Equal(fsys.ops, tt.ops) {
						t.Errorf("operations %q, %v, want %q", fsys.ops, err, tt.ops)
					}
				} else if !errors.Is(err, syscall.ENOSPC) || !strings.HasPrefix(err.Error(), fmt.Sprintf("writing %q: ", path)) || strings.Contains(err.Error(), "secret") {
					t.Errorf("error %v", err)
				}
				if n < 0 || tt.ops[n] == "syncdir" {
					want["out.bin"] = string(content)
				}
				wantFiles(t, dir, want)
			})
		}
	}
}

func TestFirstErrorIsReported(t *testing.T) {
	fsys := &faulty{fail: func(_ int, op string) error {
		switch op {
		case "sync":
			return syscall.EIO
		case "close", "remove":
			return syscall.ENOSPC
		}
		return nil
	}}
	path := filepath.Join(t.TempDir(), "out.bin")
	if err := write(fsys, path, put(content)); !errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error %v, want that of sync", err)
	}
	if !slices.Contains(fsys.ops, "remove") {
		t.Errorf("operations %q: the temporary file was not removed", fsys.ops)
	}
}

func TestTakenTemporaryNames(t *testing.T) {
	tests := []struct {
		name  string
		taken int // the first names that exist already
		ok    bool
	}{
		{"some", 3, true},
		{"all", 1 << 30, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			fsys := &faulty{fail: func(n int, op string) error {
				if op == "create" && n < tt.taken {
					return syscall.EEXIST
				}
				return nil
			}}
			err := write(fsys, filepath.Join(t.TempDir(), "out.bin"), put(content))
			if tt.ok && err != nil || !tt.ok && !errors.Is(err, fs.ErrExist) {
				t.Errorf("after %d operations: %v", len(fsys.ops), err)
			}
		})
	}
}
