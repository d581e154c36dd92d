package spool

import (
	"bytes"
	"math/rand/v2"
	"os"
	"runtime"
	"testing"
)

// What goes in comes out, below and beyond what memory holds, and no file stays
// in the directory for temporary ones.
func TestSpool(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Setenv("TMP", dir)
	rng := rand.New(rand.NewPCG(1, 1))
	for _, size := range []int{0, 1, inMemory, inMemory + 1, 3*inMemory + 17} {
		var s Spool
		var want, got bytes.Buffer
		for want.Len() < size {
			p := make([]byte, min(rng.IntN(2*inMemory), size-want.Len()))
			for i := range p {
				p[i] = byte(rng.Uint32())
			}
			want.Write(p)
			if n, err := s.Write(p); n != len(p) || err != nil {
				t.Fatalf("Write: %d, %v", n, err)
			}
		}
		if inFile := s.file != nil; inFile != (size > inMemory) {
			t.Errorf("%d bytes: in a file: %v", size, inFile)
		}
		if n, err := s.WriteTo(&got); n != int64(size) || err != nil || !bytes.Equal(got.Bytes(), want.Bytes()) {
			t.Errorf("%d bytes: %d copied, %v", size, n, err)
		}
		if entries, err := os.ReadDir(dir); runtime.GOOS == "linux" && (err != nil || len(entries) > 0) {
			t.Errorf("%d bytes: left %v, %v", size, entries, err)
		}
		for range 2 {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			t.Errorf("%d bytes: left after Close: %v, %v", size, entries, err)
		}
	}
}

func TestSpoolWithoutTempDir(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()+"/missing")
	t.Setenv("TMP", os.Getenv("TMPDIR"))
	var s Spool
	if _, err := s.Write(make([]byte, inMemory)); err != nil {
		t.Errorf("memory suffices: %v", err)
	}
	if _, err := s.Write([]byte{1}); err == nil {
		t.Error("no error where no file can be made")
	}
}
