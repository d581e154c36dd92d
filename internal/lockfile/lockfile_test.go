package lockfile

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func acquire(t *testing.T, path string) *Lock {
	t.Helper()
	l, err := Acquire(path)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func wantHeld(t *testing.T, path string) {
	t.Helper()
	l, err := Acquire(path)
	var held *HeldError
	if !errors.As(err, &held) || held.PID != os.Getpid() || held.Path != path {
		t.Errorf("%s: %v, %v, want it held by process %d", path, l, err, os.Getpid())
	}
}

func wantNames(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if len(got) != len(want) {
		t.Fatalf("%s holds %q, want %q", dir, got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s holds %q, want %q", dir, got, want)
		}
	}
}

func TestSecondIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "vae")
	first := acquire(t, path)
	wantHeld(t, path)
	wantNames(t, dir, ".vae.lock")
	acquire(t, filepath.Join(dir, "other")).Release()
	first.Release()
	wantNames(t, dir)
	acquire(t, path).Release()
}

func TestNamesOfOneFile(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.MkdirAll("real/deep", 0o777); err != nil {
		t.Fatal(err)
	}
	for _, l := range [][2]string{{"real/vae", "link"}, {"link", "second"}, {"real", "folder"}} {
		if err := os.Symlink(l[0], l[1]); err != nil {
			t.Fatal(err)
		}
	}
	// The file is not there yet; saving it must not lose the lock.
	first := acquire(t, "link")
	defer first.Release()
	names := []string{"link", "second", "real/vae", "folder/vae", "real/deep/../vae", filepath.Join(dir, "real", "vae")}
	for _, name := range names {
		wantHeld(t, name)
	}
	if err := os.WriteFile("link", nil, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		wantHeld(t, name)
	}
}

// A killed process leaves its file, with its number, but no lock.
func TestStaleFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "vae")
	for _, stale := range []string{"", "\x00", "\x00999999999           \n", "nonsense"} {
		if err := os.WriteFile(filepath.Join(dir, ".vae.lock"), []byte(stale), 0o666); err != nil {
			t.Fatal(err)
		}
		l := acquire(t, path)
		wantHeld(t, path)
		l.Release()
		wantNames(t, dir)
	}
}

// Somebody may delete the file of a lock that is held, and so let another in:
// the first must then leave the second's file alone.
func TestReleaseLeavesAnothersFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "vae")
	first := acquire(t, path)
	if err := os.Remove(filepath.Join(dir, ".vae.lock")); err != nil {
		t.Fatal(err)
	}
	second := acquire(t, path)
	first.Release()
	wantHeld(t, path)
	second.Release()
}

func TestNothingToLock(t *testing.T) {
	for range 2 {
		acquire(t, os.DevNull)
	}
	acquire(t, os.DevNull).Release()
}

func TestErrorNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "no", "such", "vae")
	if _, err := Acquire(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

// However many take turns, and although each removes the file, there is never
// more than one at a time.
func TestOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vae")
	var inside, turns atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 600 {
				l, err := Acquire(path)
				var held *HeldError
				if errors.As(err, &held) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if inside.Add(1) > 1 {
					t.Error("two hold the lock at once")
				}
				turns.Add(1)
				time.Sleep(100 * time.Microsecond) // room for another to come in
				inside.Add(-1)
				l.Release()
			}
		})
	}
	wg.Wait()
	if turns.Load() == 0 {
		t.Error("nobody ever held the lock")
	}
}
