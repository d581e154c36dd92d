// The race detector multiplies the memory that is measured here.

//go:build !race

package main

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// maxResident is the most memory, in MB, that reading a file from a stranger may
// take. vaectl itself takes about 20 before it has read anything.
const maxResident = 200

var hostileBinary = flag.String("hostile", "", "run `BINARY`, rather than the test's own vaectl, over larger hostile files")

// hostileReader is a reader of files, those that its author did not want to see,
// and the command lines that bring them together.
type hostileReader struct {
	what   string
	place  string            // the file's name, below a directory of its own
	beside map[string][]byte // sound files in that directory
	// files makes them; the larger ones are of about large bytes.
	files    func(t *testing.T, model []byte, large int) map[string][]byte
	commands []string // run in that directory; $VAECTL_MODEL names a sound model
}

// hostileReaders is the whole corpus. A new reader gets a line here and a
// function in hostile_files_linux_test.go that makes its files.
func hostileReaders() []hostileReader {
	const train = "train --epochs 1 --quiet -m new.safetensors --data data"
	images := map[string][]byte{"data/train-images-idx3-ubyte": idxFile(0x803, make([]byte, 16), 1, 4, 4)}
	return []hostileReader{
		{"model", "model", nil, hostileModels, []string{"grid -m model -o new.png"}},
		{"images", "data/train-images-idx3-ubyte", nil, hostileImages, []string{train, "encode -o new.csv data/train-images-idx3-ubyte"}},
		{"labels", "data/train-labels-idx1-ubyte", images, hostileLabels, []string{train}},
		{"sizes", "data/train-images-idx3-ubyte.gz", nil, hostileSizes, []string{train + " --batch-size 4096"}},
		{"picture", "picture", nil, hostilePictures, []string{"encode -o new.csv picture", "encode --resize -o new.csv picture"}},
		{"latents", "rows", nil, hostileLatents, []string{"decode -o new.png rows"}},
	}
}

// TestHostileFiles feeds every hostile file to vaectl, in a process of its own
// each: it must end by itself with status 1 and an error of a line or two, write
// nothing, and stay below maxResident.
func TestHostileFiles(t *testing.T) {
	binary, large := "vaectl", 256<<10
	if *hostileBinary != "" {
		binary, large = *hostileBinary, 4<<20
	}
	model := trainTestModel(t, 2)
	sound := filepath.Join(t.TempDir(), "sound.safetensors")
	if err := os.WriteFile(sound, model, 0o666); err != nil {
		t.Fatal(err)
	}
	var runs int
	var largest, slowest appetite
	for _, r := range hostileReaders() {
		files := r.files(t, model, large)
		if len(files) == 0 {
			t.Errorf("%s: there are no files", r.what)
		}
		for name, content := range files {
			for _, command := range r.commands {
				what := fmt.Sprintf("%s %s: vaectl %s", r.what, name, command)
				took := feed(t, r, what, binary, sound, content, command)
				runs++
				if took.resident > largest.resident {
					largest = took
				}
				if took.seconds > slowest.seconds {
					slowest = took
				}
				if *hostileBinary != "" {
					t.Log(took)
				}
			}
		}
	}
	t.Logf("%d runs; the largest and the slowest:\n%v\n%v", runs, largest, slowest)
}

// appetite is what one run took.
type appetite struct {
	what     string
	resident int     // MB, at most
	seconds  float64 // of the processor
}

func (a appetite) String() string {
	return fmt.Sprintf("%3d MB %6.2f s  %s", a.resident, a.seconds, a.what)
}

// feed runs one command on one file.
func feed(t *testing.T, r hostileReader, what, binary, model string, content []byte, command string) appetite {
	t.Helper()
	dir := t.TempDir()
	files := map[string][]byte{r.place: content}
	maps.Copy(files, r.beside)
	for name, b := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "measured", append([]string{binary}, strings.Fields(command)...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &stdout, &stderr
	cmd.Env = append(os.Environ(), "VAECTL_MODEL="+model)
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v, said %q", what, err, stderr.String())
	}
	var status int
	took := appetite{what: what}
	if _, err := fmt.Sscan(stdout.String(), &status, &took.resident, &took.seconds); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	said := stderr.String()
	if status != exitFailed || !strings.HasPrefix(said, "vaectl: ") || strings.Count(said, "\n") > 2 || len(said) > 1000 {
		t.Errorf("%s: exit status %d, said %.1000q", what, status, said)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "new*")); err != nil || len(left) > 0 {
		t.Errorf("%s: %q is left, %v", what, left, err)
	}
	if took.resident >= maxResident {
		t.Errorf("%s: %d MB resident, want less than %d", what, took.resident, maxResident)
	}
	return took
}
