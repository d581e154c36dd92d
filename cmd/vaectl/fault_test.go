package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"vaectl/internal/atomicfile"
	"vaectl/internal/faultfs"
	"vaectl/mnist"
)

// tinyData makes a data set that is trained on in a moment, and returns its
// directory.
func tinyData(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "train-images-idx3-ubyte"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	pix := make([]byte, 8*4*4)
	for i := range pix {
		pix[i] = byte(37 * i)
	}
	if err := mnist.WriteImages(f, &mnist.Images{Rows: 4, Cols: 4, Pix: pix}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// runOn runs a command line on the given disk and returns its exit status and
// what it says on stderr.
func runOn(t *testing.T, disk atomicfile.Files, args ...string) (status int, said string) {
	t.Helper()
	stderr, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	status = execute(context.Background(), args, &console{
		in: os.Stdin, out: os.Stdout, err: stderr, getenv: func(string) string { return "" },
		files: atomicfile.Writer{Files: disk},
	})
	text, err := os.ReadFile(stderr.Name())
	if err != nil {
		t.Fatal(err)
	}
	return status, string(text)
}

// versions are the contents that each file of a directory has had.
type versions map[string]map[string]bool

// see adds those of now, and returns them.
func (v versions) see(t *testing.T, dir string) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "[^.]*"))
	if err != nil {
		t.Fatal(err)
	}
	now := map[string]string{}
	for _, path := range names {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(path)
		if now[name] = string(b); v[name] == nil {
			v[name] = map[string]bool{}
		}
		v[name][string(b)] = true
	}
	return now
}

var everyWrite = flag.Bool("everywrite", false, "fail every write of a file, not only the first and the last")

// Each file operation of a training fails in turn. After it every file is there
// that was there before, each as it was at one moment of an undisturbed
// training, and the error has been reported; going on gives the model that the
// undisturbed training gives.
func TestTrainingOnFailingDisk(t *testing.T) {
	data := tinyData(t)
	for _, earlier := range []bool{false, true} {
		t.Run(fmt.Sprintf("earlier file %v", earlier), func(t *testing.T) {
			dir := t.TempDir()
			const model, state = "vae.safetensors", "vae.safetensors.state"
			train := func(disk atomicfile.Files, epochs int, more ...string) (int, string) {
				return runOn(t, disk, append([]string{"train", "--data", data, "--epochs", strconv.Itoa(epochs),
					"--batch-size", "4", "--checkpoint-every", "1", "--quiet", "-m", filepath.Join(dir, model)}, more...)...)
			}
			epochs, contents := 1, 1 // as many contents of the model
			if earlier {
				epochs, contents = 2, 3 // and the earlier one's
				if status, said := train(atomicfile.Disk{}, 1); status != 0 {
					t.Fatalf("exit status %d: %s", status, said)
				}
			}
			seen := versions{}
			before := seen.see(t, dir)
			clean := &faultfs.Disk{Fail: func(_ int, op string) error {
				if op == "syncdir" { // a file has got its new content
					seen.see(t, dir)
				}
				return nil
			}}
			if status, said := train(clean, epochs); status != 0 {
				t.Fatalf("exit status %d: %s", status, said)
			}
			if n := len(seen[model]); n != contents {
				t.Fatalf("the model had %d contents in %d epochs, want %d", n, epochs, contents)
			}
			final := versions{}.see(t, dir)[model]

			lost := 0
			points := 0
			for n, op := range clean.Ops {
				if op == "write" && clean.Ops[n-1] == op && clean.Ops[n+1] == op && !*everyWrite {
					continue
				}
				points++
				reset(t, dir, before)
				status, said := train(&faultfs.Disk{Fail: faultfs.FailNth(n, syscall.ENOSPC)}, epochs)
				now := versions{}.see(t, dir)
				for name := range before {
					if _, ok := now[name]; !ok {
						lost++
						t.Errorf("%s (%d): %s is gone", op, n, name)
					}
				}
				for name, content := range now {
					if !seen[name][content] {
						lost++
						t.Errorf("%s (%d): %s is neither an earlier nor a later one: %d bytes", op, n, name, len(content))
					}
				}
				// An operation that tidies up is no reason to stop.
				tidying := op == "remove" || n+1 < len(clean.Ops) && clean.Ops[n+1] == "remove"
				if !tidying && (status != exitFailed || !strings.Contains(said, dir) || !strings.Contains(said, "no space left") || strings.Contains(said, "secret")) {
					t.Errorf("%s (%d): exit status %d, said %q", op, n, status, said)
				}
				if left, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(left) > 0 && op != "remove" {
					t.Errorf("%s (%d): %q is left, %v", op, n, left, err)
				}
				var again []string
				if now[state] != "" {
					again = []string{"--resume"}
				}
				if status, said := train(atomicfile.Disk{}, epochs, again...); status != 0 || (versions{}).see(t, dir)[model] != final {
					lost++
					t.Errorf("%s (%d): going on gives another model, or none: exit status %d, said %q", op, n, status, said)
				}
			}
			t.Logf("%d points of failure, %d losses", points, lost)
		})
	}
}

// reset makes a directory hold the given files and nothing else.
func reset(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
}
