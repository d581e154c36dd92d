package main

import (
	"bytes"
	"errors"
	"image"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"vaectl/internal/atomicfile"
)

func TestMoments(t *testing.T) {
	ascending := []moment{{1, 0}, {1, 1}, {1, 10}, {2, 0}, {2, 9}, {10, 3750}, {10_000, 999_999}}
	for i, m := range ascending {
		if got, ok := parseMoment(m.String()); !ok || got != m {
			t.Errorf("%v is read as %v, %v", m, got, ok)
		}
		for j, n := range ascending {
			if m.after(n) != (i > j) || (m.String() > n.String()) != (i > j) {
				t.Errorf("%v after %v: %v", m, n, m.after(n))
			}
		}
	}
	for _, s := range []string{"", "epoch-1-step-2", "epoch-00001-step-000002.png", "epoch-00001-step-", "epoch-0000x-step-000002", "epoch-+0001-step-000002"} {
		if m, ok := parseMoment(s); ok {
			t.Errorf("%q is read as %v", s, m)
		}
	}
}

// fullDisk has no room for files of some names, from a number of them on.
type fullDisk struct {
	atomicfile.Disk
	part string
	room int
}

func (d *fullDisk) Create(path string, perm os.FileMode) (atomicfile.File, error) {
	if strings.Contains(path, d.part) {
		if d.room--; d.room < 0 {
			return nil, &os.PathError{Op: "open", Path: path, Err: syscall.ENOSPC}
		}
	}
	return d.Disk.Create(path, perm)
}

// A film that cannot be gone on with costs neither the training nor a frame of
// before, and the failure is told at once and at the end.
func TestFilmThatFails(t *testing.T) {
	whole := trainOn(t, nil, filepath.Join(t.TempDir(), "vae"), "")
	for film, frames := range map[string]int{"film": 2, "film.gif": 2} {
		dir := t.TempDir()
		model, path := filepath.Join(dir, "vae"), filepath.Join(dir, film)
		// The first is the probe's.
		got := trainOn(t, &fullDisk{part: "film", room: 1 + frames}, model, path)
		if !bytes.Equal(got.model, whole.model) {
			t.Errorf("%s: the model is another than without a film", film)
		}
		if got.status != exitFailed || strings.Count(got.said, "no space left") != 2 ||
			!strings.Contains(got.said, "note: the film ends here: ") || !strings.Contains(got.said, "\nvaectl: filming: ") ||
			!strings.Contains(got.said, "hint: only the film is cut short: the training is finished, and the model saved") {
			t.Errorf("%s: exit status %d, said %s", film, got.status, got.said)
		}
		if n := framesOf(t, path); n != frames {
			t.Errorf("%s: %d frames, want %d", film, n, frames)
		}

		// Where not even the first can be written there is no training.
		model, path = filepath.Join(t.TempDir(), "vae"), filepath.Join(t.TempDir(), film)
		got = trainOn(t, &fullDisk{part: "film", room: 1}, model, path)
		if got.status != exitFailed || got.model != nil || strings.Contains(got.said, "Epoch") {
			t.Errorf("%s: exit status %d, said %s", film, got.status, got.said)
		}
	}
}

type ran struct {
	status int
	said   string
	model  []byte
}

// trainOn trains for three short epochs on a disk, with a film if it is named.
func trainOn(t *testing.T, disk atomicfile.Files, model, film string) ran {
	t.Helper()
	args := []string{"train", "--data", "sample", "--limit-train", "16", "--limit-val", "16", "--epochs", "3", "--no-summary", "-m", model}
	if film != "" {
		args = append(args, "--film", film)
	}
	status, said := runOn(t, disk, args...)
	file, err := os.ReadFile(model)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return ran{status, said, file}
}

// framesOf is the number of frames of a film of the built-in digits.
func framesOf(t *testing.T, path string) int {
	t.Helper()
	if filepath.Ext(path) == ".gif" {
		r := gifReel{path: path}
		n, err := r.begin(moment{epoch: 10_000}, true, 0, image.Pt(420, 420))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
