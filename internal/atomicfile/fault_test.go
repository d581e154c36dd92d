package atomicfile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"vaectl/internal/atomicfile"
	"vaectl/internal/faultfs"
)

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
				disk := &faultfs.Disk{Fail: faultfs.FailNth(n, syscall.ENOSPC)}
				err := atomicfile.Writer{Files: disk}.Write(path, put(content))
				if n < 0 {
					if err != nil || !slices.Equal(disk.Ops, tt.ops) {
						t.Errorf("operations %q, %v, want %q", disk.Ops, err, tt.ops)
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
	disk := &faultfs.Disk{Fail: func(_ int, op string) error {
		switch op {
		case "sync":
			return syscall.EIO
		case "close", "remove":
			return syscall.ENOSPC
		}
		return nil
	}}
	path := filepath.Join(t.TempDir(), "out.bin")
	err := atomicfile.Writer{Files: disk}.Write(path, put(content))
	if !errors.Is(err, syscall.EIO) || errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error %v, want that of sync", err)
	}
	if !slices.Contains(disk.Ops, "remove") {
		t.Errorf("operations %q: the temporary file was not removed", disk.Ops)
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
			disk := &faultfs.Disk{Fail: func(n int, op string) error {
				if op == "create" && n < tt.taken {
					return syscall.EEXIST
				}
				return nil
			}}
			err := atomicfile.Writer{Files: disk}.Write(filepath.Join(t.TempDir(), "out.bin"), put(content))
			if tt.ok && err != nil || !tt.ok && !errors.Is(err, fs.ErrExist) {
				t.Errorf("after %d operations: %v", len(disk.Ops), err)
			}
		})
	}
}
