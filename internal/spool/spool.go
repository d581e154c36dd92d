// Package spool holds output back until what must stand before it is known, as
// the number of rows must in the header of an npy or IDX file. It is for
// formats whose writer learns that number last; all others write straight on.
package spool

import (
	"bytes"
	"fmt"
	"io"
	"os"
)

// inMemory is the number of bytes that a Spool keeps before it takes to a file,
// and the size of its writes to that file.
const inMemory = 1 << 20

// Spool is a place to write to and, once, to copy from. Up to 1 MiB stays in
// memory; what is longer goes to a file in os.TempDir. The zero value is ready
// for use, and must be closed.
type Spool struct {
	tail bytes.Buffer // what is not in the file
	file *os.File     // nil as long as memory suffices
}

func (s *Spool) Write(p []byte) (int, error) {
	if s.tail.Len()+len(p) > inMemory {
		if err := s.spill(); err != nil {
			return 0, fmt.Errorf("holding the output back: %w", err)
		}
	}
	return s.tail.Write(p)
}

// spill moves what is in memory to the file.
func (s *Spool) spill() error {
	if s.file == nil {
		f, err := os.CreateTemp("", "vaectl-")
		if err != nil {
			return err
		}
		s.file = f
		// Where the system allows it, not even a kill leaves the file behind.
		_ = os.Remove(f.Name())
	}
	_, err := s.tail.WriteTo(s.file)
	return err
}

// WriteTo copies everything written so far to w; nothing may be written later.
func (s *Spool) WriteTo(w io.Writer) (int64, error) {
	if s.file == nil {
		return s.tail.WriteTo(w)
	}
	if err := s.spill(); err != nil {
		return 0, fmt.Errorf("holding the output back: %w", err)
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return 0, fmt.Errorf("reading held output: %w", err)
	}
	return io.Copy(w, s.file)
}

// Close releases the file. It may be called more than once.
func (s *Spool) Close() error {
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file = nil
	err := f.Close()
	_ = os.Remove(f.Name())
	return err
}
