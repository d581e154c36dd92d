package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// inputFiles returns the files that a command is to read: stdin where none is
// named, unless that is a terminal. what says what is missing then.
func inputFiles(c *console, files []string, what, command string) ([]string, error) {
	if len(files) > 0 {
		return files, nil
	}
	if isTerminal(c.in) {
		return nil, &hintError{usagef("no %s: name files, or pipe them to stdin", what), fmt.Sprintf("%q shows how", command+" --help")}
	}
	return []string{"-"}, nil
}

// openInput opens what an argument names, stdin for "-", and returns the name to
// call it by.
func openInput(ctx context.Context, c *console, path string) (in io.ReadCloser, name string, err error) {
	if path == "-" {
		return io.NopCloser(&interruptible{ctx: ctx, r: c.in, buf: make([]byte, 1<<16)}), "stdin", nil
	}
	f, err := os.Open(path)
	return f, path, err
}

// interruptible is a source that may keep one waiting for ever, such as a pipe:
// an interrupt ends the wait.
type interruptible struct {
	ctx context.Context
	r   io.Reader
	buf []byte // of the read that may be given up
}

func (i *interruptible) Read(p []byte) (int, error) {
	type result struct {
		n   int
		err error
	}
	done := make(chan result, 1)
	if i.ctx.Err() == nil {
		go func() {
			n, err := i.r.Read(i.buf[:min(len(p), len(i.buf))])
			done <- result{n, err}
		}()
	}
	select {
	case <-i.ctx.Done():
		return 0, &interruptedError{"while reading stdin"}
	case r := <-done:
		return copy(p, i.buf[:r.n]), r.err
	}
}

// readingError says what was read from where, unless an interrupt ended it.
func readingError(what, name string, err error) error {
	var stopped *interruptedError
	if errors.As(err, &stopped) {
		return stopped
	}
	return fmt.Errorf("reading %s from %s: %w", what, name, err)
}
