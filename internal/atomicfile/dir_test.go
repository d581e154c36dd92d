package atomicfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// names lists a directory, nil if there is none.
func names(t *testing.T, dir string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func TestWriteDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	fill := func(n int, content string, end error) func(string) error {
		return func(temp string) error {
			for i := range n {
				if err := os.WriteFile(filepath.Join(temp, fmt.Sprintf("%04d", i)), []byte(content), 0o666); err != nil {
					return err
				}
			}
			return end
		}
	}
	stop := errors.New("stop")
	if err := WriteDir(dir, fill(3, "a", stop)); err != stop || names(t, dir) != nil {
		t.Errorf("failed: %v, left %v", err, names(t, dir))
	}
	if err := WriteDir(dir, fill(1000, "a", nil)); err != nil || len(names(t, dir)) != 1000 {
		t.Fatalf("%v, %d files", err, len(names(t, dir)))
	}
	if err := WriteDir(dir, fill(3, "b", stop)); err != stop || len(names(t, dir)) != 1000 {
		t.Errorf("failed again: %v, left %d files", err, len(names(t, dir)))
	}
	if err := WriteDir(dir, fill(1, "b", nil)); err != nil || len(names(t, dir)) != 1000 {
		t.Errorf("added: %v, %d files", err, len(names(t, dir)))
	}
	for name, want := range map[string]string{"0000": "b", "0001": "a"} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v", name, got, err)
		}
	}
}

func TestWriteDirErrors(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	good := func(string) error { return nil }
	for path, want := range map[string]string{
		filepath.Join(dir, "no", "such"): "making the directory ",
		file:                             "making a temporary directory in ",
		"":                               "making the directory ",
	} {
		if err := WriteDir(path, good); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	out := filepath.Join(dir, "out")
	err := WriteDir(out, func(temp string) error {
		_, err := os.Open(filepath.Join(temp, "x.png"))
		return err
	})
	if err == nil || strings.Contains(err.Error(), ".tmp-") || !strings.Contains(err.Error(), filepath.Join("out", "x.png")) {
		t.Errorf("error %v", err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"file"}) {
		t.Errorf("left %v", got)
	}
}
