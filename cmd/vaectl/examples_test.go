//go:build unix

package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"vaectl/internal/catalog"
	"vaectl/internal/fetch"
	"vaectl/mnist"
)

// needsNetwork begins the lines that are not run.
const needsNetwork = "vaectl data fetch"

// TestExamples runs the examples in the help of every command and topic as a
// shell does, line by line, in a directory of its own for each command. The
// directory holds what exampleFiles lists.
func TestExamples(t *testing.T) {
	files := exampleFiles(t)
	count := 0
	eachCommand(newRootCommand(&console{getenv: func(string) string { return "" }, catalog: catalog.Public(), newClient: fetch.NewClient}), func(cmd *cobra.Command) {
		lines := exampleLines(cmd.Example)
		if len(lines) == 0 {
			t.Errorf("%s: the help has no example", cmd.CommandPath())
		}
		count += len(lines)
		t.Run(strings.ReplaceAll(cmd.CommandPath(), " ", "-"), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(files)); err != nil {
				t.Fatal(err)
			}
			for _, line := range lines {
				if !strings.HasPrefix(line, needsNetwork) {
					runExample(t, dir, line)
				}
			}
		})
	})
	if count < 20 {
		t.Errorf("%d lines of examples: the search for them must be broken", count)
	}
}

// eachCommand calls f for all commands and topics that help shows.
func eachCommand(cmd *cobra.Command, f func(*cobra.Command)) {
	if !isDocumented(cmd) {
		return
	}
	f(cmd)
	for _, sub := range cmd.Commands() {
		eachCommand(sub, f)
	}
}

// exampleLines splits the text of examples into command lines: without comments
// and blank lines, and with what continues a line joined to it. A line goes on
// where the next is indented more than the first.
func exampleLines(text string) []string {
	var lines []string
	for _, line := range strings.Split(text, "\n") {
		words := strings.TrimLeft(line, " ")
		switch indent := len(line) - len(words); {
		case words == "" || strings.HasPrefix(words, "#"):
		case indent > 2 && len(lines) > 0:
			lines[len(lines)-1] += "\n" + line
		default:
			lines = append(lines, words)
		}
	}
	return lines
}

// runExample fails unless the line exits with 0 and no vaectl in it, at its end
// or before, says that it failed; a line with || provides for that.
func runExample(t *testing.T, dir, line string) {
	t.Helper()
	cmd := shell(t, dir, line)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	said := "\n" + stderr.String()
	failed := strings.Contains(said, "\nvaectl: ") && !strings.Contains(line, "||")
	if err != nil || failed || strings.Contains(said, "\npanic: ") {
		t.Errorf("%s\n%v\nstdout: %.400s\nstderr: %s", line, err, stdout.String(), stderr.String())
	}
}

// shell runs the line in dir, with the vaectl and the jq of this test.
func shell(t *testing.T, dir, line string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", line)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME="+dir, "XDG_CACHE_HOME="+filepath.Join(dir, ".cache"),
		"VAECTL_DATA="+filepath.Join(dir, "mnist"), "VAECTL_MODEL=", "VAECTL_ISA=")
	return cmd
}

// exampleFiles makes the directory that the examples speak of: models, among
// them one of 5 latent dimensions; images one by one and many in a file; and a
// small data set in ~/mnist, ~/fashion and the user's cache directory. $VAECTL_DATA
// names it too, so that a training with default settings takes a moment only.
func exampleFiles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name string, fill func(f *os.File) error) {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := fill(f); err != nil {
			t.Fatal(err)
		}
	}
	for name, latentDim := range map[string]int{"vae.safetensors": 2, "five.safetensors": 5} {
		model := trainTestModel(t, latentDim)
		write(name, func(f *os.File) error { _, err := f.Write(model); return err })
	}
	cache := ".cache"
	if runtime.GOOS == "darwin" {
		cache = "Library/Caches"
	}
	data, err := mnist.Sample()
	if err != nil {
		t.Fatal(err)
	}
	for name, split := range map[string]*mnist.Split{"train": data.Train.Head(20), "t10k": data.Val.Head(20)} {
		images := func(f *os.File) error { return mnist.WriteImages(f, &split.Images) }
		for _, dir := range []string{"mnist", "fashion", cache + "/vaectl/mnist"} {
			write(dir+"/"+name+"-images-idx3-ubyte", images)
			write(dir+"/"+name+"-labels-idx1-ubyte", func(f *os.File) error { return mnist.WriteLabels(f, split.Labels) })
		}
		write(name+"-images-idx3-ubyte.gz", func(f *os.File) error {
			w := gzip.NewWriter(f)
			return errors.Join(mnist.WriteImages(w, &split.Images), w.Close())
		})
	}
	names := []string{"digit.png", "four.png", "nine.png"}
	for i := range 10 {
		names = append(names, fmt.Sprintf("digits/%d.png", i), fmt.Sprintf("plain/%d.png", i), fmt.Sprintf("smiling/%d.png", i))
	}
	for i, name := range names {
		pix, rows, cols := data.Val.At(i), data.Val.Rows, data.Val.Cols
		digit := &image.Gray{Pix: pix, Stride: cols, Rect: image.Rect(0, 0, cols, rows)}
		write(name, func(f *os.File) error { return png.Encode(f, digit) })
	}
	write("photo.jpg", func(f *os.File) error { return jpeg.Encode(f, image.NewGray(image.Rect(0, 0, 60, 40)), nil) })
	write("nine.csv", func(f *os.File) error { _, err := f.WriteString("z_1,z_2\n0.5,-1\n"); return err })
	for _, name := range []string{"seed1.safetensors", "seed2.safetensors"} {
		if err := os.Symlink("vae.safetensors", filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
