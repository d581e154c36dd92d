package atomicfile_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"vaectl/internal/atomicfile"
)

func TestDevices(t *testing.T) {
	for _, path := range []string{"/dev/null", "/dev/full"} {
		before, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		err = atomicfile.Write(path, put(content))
		if path == "/dev/null" && err != nil {
			t.Error(err)
		}
		if path == "/dev/full" && (!errors.Is(err, syscall.ENOSPC) || err.Error() != `writing "/dev/full": no space left on device`) {
			t.Errorf("error %v", err)
		}
		after, err := os.Lstat(path)
		if err != nil || !os.SameFile(before, after) || before.Mode() != after.Mode() {
			t.Errorf("%s was %v and is %v, %v", path, before, after, err)
		}
	}
}

func TestPipe(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	type result struct {
		b   []byte
		err error
	}
	read := make(chan result)
	go func() {
		b, err := os.ReadFile(path)
		read <- result{b, err}
	}()
	if err := atomicfile.Write(path, put(content)); err != nil {
		t.Fatal(err)
	}
	if r := <-read; r.err != nil || string(r.b) != string(content) {
		t.Errorf("read %d bytes, %v", len(r.b), r.err)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Type() != os.ModeNamedPipe {
		t.Errorf("the pipe became %v, %v", info, err)
	}
}

// A descriptor's link leads to a name, or once did; only what is behind the
// descriptor may be written.
func TestDescriptorOfRegularFile(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("earlier lines, "); err != nil {
		t.Fatal(err)
	}
	fd := int(f.Fd())
	link := filepath.Join(dir, "stdout") // as /dev/stdout is made
	if err := os.Symlink("/proc/self/fd/"+strconv.Itoa(fd), link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, "/dev/fd/" + strconv.Itoa(fd)} {
		if err := atomicfile.Write(path, func(w io.Writer) error {
			_, err := io.WriteString(w, "data, ")
			return err
		}); err != nil {
			t.Error(err)
		}
	}
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	wantFiles(t, dir, map[string]string{"log": "earlier lines, data, data, "})
}
