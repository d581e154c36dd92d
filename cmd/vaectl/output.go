package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"strconv"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"vaectl/internal/termimage"
)

// writeOutput passes fill the place that -o names: a file, which appears whole
// or not at all, or stdout for "" and "-". Binary data for "" is refused where
// stdout is a terminal.
func writeOutput(c *console, path string, binary bool, fill func(io.Writer) error) error {
	if path != "" && path != "-" {
		return c.files.Write(path, fill)
	}
	if binary {
		if err := refuseTerminal(c, path); err != nil {
			return err
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

// refuseTerminal refuses stdout for binary data where it is a terminal and -o does
// not insist.
func refuseTerminal(c *console, path string) error {
	if path != "" || !isTerminal(c.out) {
		return nil
	}
	return &hintError{
		errors.New("refusing to write binary data to a terminal"),
		"use -o FILE, a pipe or a redirection; -o - forces it",
	}
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

// writeJSON writes v for people and programs alike.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// previewFlag adds the flag for pictures drawn in the terminal.
func previewFlag(fs *pflag.FlagSet, p *bool) {
	fs.BoolVar(p, "preview", false, "draw the picture on stdout with the terminal's characters; -o FILE writes the PNG besides")
}

// checkPreview refuses a stdout that is to hold a PNG and a drawing.
func checkPreview(preview bool, output string) error {
	if preview && output == "-" {
		return usagef("--preview draws on stdout: -o must name a file")
	}
	return nil
}

// showPicture writes img as a PNG, and draws it if it is to be previewed; then
// the PNG is only for a file that -o names.
func showPicture(c *console, output string, preview bool, img *image.Gray) error {
	if !preview || output != "" {
		if err := writePNG(c, output, img); err != nil {
			return err
		}
	}
	if !preview {
		return nil
	}
	return writeOutput(c, "-", false, func(w io.Writer) error {
		return termimage.Draw(w, img, columns(c.out, c.getenv), termimage.Detect(c.getenv, isTerminal(c.out)))
	})
}

// columns is the width of the terminal f or, where f does not tell, of $COLUMNS.
func columns(f *os.File, getenv func(string) string) int {
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		return width
	}
	if width, err := strconv.Atoi(getenv("COLUMNS")); err == nil && width > 0 {
		return min(width, 10_000)
	}
	return 80
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }
