package atomicfile_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"vaectl/internal/atomicfile"
)

// content is larger than the buffer, so that it takes more than one write.
var content = bytes.Repeat([]byte("0123456789abcdef"), 1<<13)

func put(b []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		for chunk := range slices.Chunk(b, 1000) {
			if _, err := w.Write(chunk); err != nil {
				return err
			}
		}
		return nil
	}
}

// wantFiles checks that dir holds exactly the named files with these contents,
// which also shows that no temporary file is left.
func wantFiles(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, ok := want[e.Name()]; !ok {
			t.Errorf("%s is left behind", e.Name())
		}
	}
	for name, text := range want {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
		} else if string(got) != text {
			t.Errorf("%s holds %d bytes %.20q, want %d bytes %.20q", name, len(got), got, len(text), text)
		}
	}
}

func mustWrite(t *testing.T, path, text string, perm fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), perm); err != nil {
		t.Fatal(err)
	}
}

func TestWriteNewAndOverwrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.bin")
	for _, b := range [][]byte{content, []byte("short"), {}} {
		if err := atomicfile.Write(path, put(b)); err != nil {
			t.Fatal(err)
		}
		wantFiles(t, dir, map[string]string{"out.bin": string(b)})
	}
}

func TestWriteNameWithoutDirectory(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := atomicfile.Write("out.bin", put(content)); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, dir, map[string]string{"out.bin": string(content)})
}

func TestWriteLongestName(t *testing.T) {
	dir := t.TempDir()
	// The cut for the temporary name falls inside a letter of two bytes.
	name := "x" + strings.Repeat("é", 127)
	err := atomicfile.Write(filepath.Join(dir, name), func(w io.Writer) error {
		entries, err := os.ReadDir(dir)
		if err == nil && (len(entries) != 1 || !utf8.ValidString(entries[0].Name())) {
			err = fmt.Errorf("temporary files: %q", entries)
		}
		return errors.Join(err, put(content)(w))
	})
	if err != nil {
		t.Fatal(err)
	}
	wantFiles(t, dir, map[string]string{name: string(content)})
}

func TestTemporaryFileIsHiddenBesideTheTarget(t *testing.T) {
	dir := t.TempDir()
	err := atomicfile.Write(filepath.Join(dir, "out.bin"), func(io.Writer) error {
		names, err := filepath.Glob(filepath.Join(dir, ".out.bin.tmp-*"))
		if err == nil && len(names) != 1 {
			err = fmt.Errorf("temporary files: %q", names)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestFillErrorLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.bin")
	broken := errors.New("line 7: not a number")
	fill := func(w io.Writer) error {
		if err := put(content)(w); err != nil {
			return err
		}
		return broken
	}
	check := func() {
		t.Helper()
		err := atomicfile.Write(path, fill)
		if err != broken { // as it is: nothing was wrong with path
			t.Errorf("error %v", err)
		}
	}
	check()
	wantFiles(t, dir, nil)
	mustWrite(t, path, "old", 0o644)
	check()
	wantFiles(t, dir, map[string]string{"out.bin": "old"})
}

func TestFillPanicLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.bin")
	mustWrite(t, path, "old", 0o644)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = atomicfile.Write(path, func(io.Writer) error { panic("fill") })
	}()
	wantFiles(t, dir, map[string]string{"out.bin": "old"})
}

func TestPermissions(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	mustWrite(t, plain, "", 0o666) // what the umask makes of a new file
	want, err := os.Stat(plain)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "out.bin")
	mode := func() fs.FileMode {
		t.Helper()
		if err := atomicfile.Write(path, put(content)); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode()
	}
	if got := mode(); got != want.Mode() {
		t.Errorf("new file has mode %v, want %v", got, want.Mode())
	}
	for _, perm := range []fs.FileMode{0o600, 0o640, 0o666, 0o755} {
		if err := os.Chmod(path, perm); err != nil {
			t.Fatal(err)
		}
		before, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := mode(); got != before.Mode() {
			t.Errorf("mode %v became %v", before.Mode(), got)
		}
	}
}

func TestSymbolicLinks(t *testing.T) {
	tests := []struct {
		name     string
		link, to string
		old      bool // the target exists
	}{
		{"existing target", "link", "real/target", true},
		{"dangling", "link", "real/target", false},
		{"through the parent", "real/link", "../real/target", true},
		{"absolute", "link", "/real/target", true},
		{"chain", "link", "real/second", true},
		{"dangling chain", "link", "real/second", false},
		// side is a link to real/deep: the kernel's side/.. is real.
		{"dots after a linked directory", "link", "side/../target", true},
		{"dangling dots after a linked directory", "side/link", "../target", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.MkdirAll(filepath.Join(dir, "real/deep"), 0o777); err != nil {
				t.Fatal(err)
			}
			if tt.old {
				mustWrite(t, filepath.Join(dir, "real/target"), "old", 0o644)
			}
			to := tt.to
			if strings.HasPrefix(to, "/") {
				to = dir + to
			}
			for _, l := range [][2]string{{"real/deep", "side"}, {"target", "real/second"}, {to, tt.link}} {
				if err := os.Symlink(l[0], filepath.Join(dir, l[1])); err != nil {
					t.Fatal(err)
				}
			}
			if err := atomicfile.Write(dir+"/"+tt.link, put(content)); err != nil {
				t.Fatal(err)
			}
			if got, err := os.Readlink(filepath.Join(dir, tt.link)); err != nil || got != to {
				t.Errorf("the link is now %q, %v", got, err)
			}
			info, err := os.Lstat(filepath.Join(dir, "real/target"))
			if err != nil || !info.Mode().IsRegular() {
				t.Fatalf("target: %v, %v", info, err)
			}
			got, err := os.ReadFile(filepath.Join(dir, "real/target"))
			if err != nil || !bytes.Equal(got, content) {
				t.Errorf("target holds %d bytes, %v", len(got), err)
			}
		})
	}
}

func TestRefusedTargets(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	mustWrite(t, "file", "old", 0o644)
	if err := os.Symlink("loop", "loop"); err != nil {
		t.Fatal(err)
	}
	tests := []struct{ path, want string }{
		{"", "writing a file: its name is empty"},
		{".", `writing ".": is a directory`},
		{dir, fmt.Sprintf("writing %q: is a directory", dir)},
		{"new/", `writing "new/": names a directory that does not exist`},
		{"no/such/file", `writing "no/such/file": creating a temporary file beside it: no such file or directory`},
		{"file/out", `writing "file/out": not a directory`}, // fails for root as well
		{"loop", `writing "loop": too many symbolic links`},
	}
	for _, tt := range tests {
		err := atomicfile.Write(tt.path, func(io.Writer) error {
			t.Errorf("%q: fill was called", tt.path)
			return nil
		})
		if err == nil || err.Error() != tt.want {
			t.Errorf("%q: error %v, want %s", tt.path, err, tt.want)
		}
	}
	if err := os.Remove("loop"); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, dir, map[string]string{"file": "old"})
}

func TestProbe(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("kept"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, filepath.Join(dir, "new")} {
		if err := atomicfile.Probe(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, path := range []string{"", dir, filepath.Join(file, "below"), filepath.Join(dir, "no", "such")} {
		if err := atomicfile.Probe(path); err == nil {
			t.Errorf("%q: no error", path)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left %v, %v", entries, err)
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != "kept" {
		t.Errorf("the file holds %q, %v", data, err)
	}
}

func TestTarget(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	mustWrite(t, "file", "", 0o644)
	if err := os.Mkdir("folder", 0o777); err != nil {
		t.Fatal(err)
	}
	for _, l := range [][2]string{{"file", "link"}, {"folder/new", "dangling"}, {"loop", "loop"}} {
		if err := os.Symlink(l[0], l[1]); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{
		"file":       "file",
		"new":        "new",
		"link":       "file",
		"dangling":   "folder/new",
		"folder":     "",
		"loop":       "",
		os.DevNull:   "",
		"file/below": "",
	} {
		if got := atomicfile.Target(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
