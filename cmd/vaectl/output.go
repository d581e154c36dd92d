package main

import (
	"bufio"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"

	"golang.org/x/term"

	"vaectl/internal/atomicfile"
)

// writeOutput passes fill the place that -o names: a file, which appears whole
// or not at all, or stdout for "" and "-". Binary data for "" is refused where
// stdout is a terminal.
func writeOutput(c *console, path string, binary bool, fill func(io.Writer) error) error {
	if path != "" && path != "-" {
		return atomicfile.Write(path, fill)
	}
	if binary && path == "" && isTerminal(c.out) {
		return &hintError{
			errors.New("refusing to write binary data to a terminal"),
			"use -o FILE, a pipe or a redirection; -o - forces it",
		}
	}
	w := bufio.NewWriterSize(c.out, 1<<16)
	if err := fill(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("writing to stdout: %w", err)
	}
	return nil
}

// writePNG writes one picture the same way.
func writePNG(c *console, path string, img image.Image) error {
	return writeOutput(c, path, true, func(w io.Writer) error {
		if err := png.Encode(w, img); err != nil {
			return fmt.Errorf("writing the PNG: %w", err)
		}
		return nil
	})
}

// openInput opens what an argument names, stdin for "-", and returns the name to
// call it by.
func openInput(c *console, path string) (in io.ReadCloser, name string, err error) {
	if path == "-" {
		return io.NopCloser(c.in), "stdin", nil
	}
	f, err := os.Open(path)
	return f, path, err
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
