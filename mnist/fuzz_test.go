package mnist

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// seeded fails a fuzz test whose committed corpus is missing: without it, an
// ordinary test run would check nothing.
func seeded(f *testing.F) {
	f.Helper()
	entries, err := os.ReadDir(filepath.Join("testdata", "fuzz", f.Name()))
	if err != nil {
		f.Fatal(err)
	}
	if len(entries) == 0 {
		f.Fatal("the seed corpus is empty")
	}
}

// Whatever ReadImages accepts, Reader accepts, and writing gives a file that
// reads the same; if it came plain, that very file.
func FuzzImages(f *testing.F) {
	seeded(f)
	f.Fuzz(func(t *testing.T, file []byte) {
		m, err := ReadImages(bytes.NewReader(file))
		each, eachErr := readEach(bytes.NewReader(file))
		if err != nil {
			if m != nil || eachErr == nil {
				t.Fatalf("ReadImages: %v, %v; Reader: %v", m, err, eachErr)
			}
			return
		}
		if eachErr != nil {
			t.Fatalf("ReadImages accepts what Reader refuses: %v", eachErr)
		}
		if each.Rows != m.Rows || each.Cols != m.Cols || !bytes.Equal(each.Pix, m.Pix) {
			t.Fatal("ReadImages and Reader read different images")
		}
		var out bytes.Buffer
		if err := WriteImages(&out, m); err != nil {
			t.Fatal(err)
		}
		if file[0] == 0 && !bytes.Equal(out.Bytes(), file) {
			t.Fatal("a plain file is written otherwise than it was read")
		}
		again, err := ReadImages(&out)
		if err != nil {
			t.Fatal(err)
		}
		if again.Rows != m.Rows || again.Cols != m.Cols || !bytes.Equal(again.Pix, m.Pix) {
			t.Fatal("images change by writing and reading")
		}
	})
}

func FuzzLabels(f *testing.F) {
	seeded(f)
	f.Fuzz(func(t *testing.T, file []byte) {
		labels, err := ReadLabels(bytes.NewReader(file))
		if err != nil {
			if labels != nil {
				t.Fatalf("labels %v beside the error %v", labels, err)
			}
			return
		}
		var out bytes.Buffer
		if err := WriteLabels(&out, labels); err != nil {
			t.Fatal(err)
		}
		if file[0] == 0 && !bytes.Equal(out.Bytes(), file) {
			t.Fatal("a plain file is written otherwise than it was read")
		}
		again, err := ReadLabels(&out)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again, labels) {
			t.Fatal("labels change by writing and reading")
		}
	})
}

// What is inside a gzip stream reads as it does plain. The fuzzer changes the
// data before they are packed, for it would hardly ever hit a right checksum.
func FuzzGzip(f *testing.F) {
	seeded(f)
	f.Fuzz(func(t *testing.T, file []byte) {
		if len(file) > 1 && file[0] == 0x1f && file[1] == 0x8b {
			return // plain, it would be unpacked too
		}
		packed := pack(t, file)
		m, err := ReadImages(bytes.NewReader(file))
		m2, err2 := ReadImages(bytes.NewReader(packed))
		if fmt.Sprint(err) != fmt.Sprint(err2) || err == nil && !bytes.Equal(m.Pix, m2.Pix) {
			t.Fatalf("plain: %v; packed: %v", err, err2)
		}
		labels, err := ReadLabels(bytes.NewReader(file))
		labels2, err2 := ReadLabels(bytes.NewReader(packed))
		if fmt.Sprint(err) != fmt.Sprint(err2) || !bytes.Equal(labels, labels2) {
			t.Fatalf("plain: %v; packed: %v", err, err2)
		}
	})
}
