package catalog

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"vaectl/mnist"
)

// toy makes a data set of some random images and the four packed files, by
// name, that its digests are of.
func toy(t testing.TB, name string, seed uint64, covers Covers) (Set, map[string][]byte) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 0))
	bytesOf := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.UintN(16)) // so that it can be packed in more ways than one
		}
		return b
	}
	set := Set{Name: name, Files: files(covers, "", "", "", "")}
	data := map[string][]byte{}
	for i := range set.Files {
		f := &set.Files[i]
		f.Count /= 2000
		var plain bytes.Buffer
		var err error
		if f.Kind == Labels {
			err = mnist.WriteLabels(&plain, bytesOf(f.Count))
		} else {
			err = mnist.WriteImages(&plain, &mnist.Images{Rows: side, Cols: side, Pix: bytesOf(f.Count * side * side)})
		}
		if err != nil {
			t.Fatal(err)
		}
		packed := pack(t, plain.Bytes(), gzip.DefaultCompression)
		f.Digest.SHA256 = digest(plain.Bytes())
		if covers == Packed {
			f.Digest.SHA256 = digest(packed)
		}
		data[f.Name] = packed
	}
	return set, data
}

func pack(t testing.TB, plain []byte, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func unpack(t testing.TB, packed []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

const (
	trainImages = "train-images-idx3-ubyte.gz"
	trainLabels = "train-labels-idx1-ubyte.gz"
	valImages   = "t10k-images-idx3-ubyte.gz"
	valLabels   = "t10k-labels-idx1-ubyte.gz"
)

func TestInspect(t *testing.T) {
	a, _ := toy(t, "a", 1, Inside)
	b, bData := toy(t, "b", 2, Inside)
	c, _ := toy(t, "c", 3, Packed)
	catalog := Catalog{a, b, c}
	for _, test := range []struct {
		name  string
		seed  uint64 // 1, 2, 3: a, b, c; 4: a data set of which no digest is known
		edit  func(map[string][]byte)
		state State
		set   string
		err   string // of the first bad file as "name: error", or of the directory
	}{
		{"whole", 1, nil, Verified, "a", ""},
		{"told by the packed files", 3, nil, Verified, "c", ""},
		{"packed anew", 1, func(m map[string][]byte) {
			m[trainImages] = pack(t, unpack(t, m[trainImages]), gzip.NoCompression)
		}, Verified, "a", ""},
		{"unpacked", 1, func(m map[string][]byte) {
			m[strings.TrimSuffix(trainImages, ".gz")] = unpack(t, m[trainImages])
			delete(m, trainImages)
		}, Verified, "a", ""},
		{"unpacked, told by the packed files", 3, func(m map[string][]byte) {
			m[strings.TrimSuffix(trainImages, ".gz")] = unpack(t, m[trainImages])
			delete(m, trainImages)
		}, Sound, "c", ""},
		{"of no known digest", 4, nil, Sound, "", ""},
		{"of no known digest, no labels", 4, func(m map[string][]byte) {
			delete(m, trainLabels)
			delete(m, valLabels)
		}, Sound, "", ""},
		{"no labels", 1, func(m map[string][]byte) { delete(m, trainLabels) }, Incomplete, "a", ""},
		{"no training images", 1, func(m map[string][]byte) { delete(m, trainImages) }, Incomplete, "a", "no training images"},
		{"nothing", 1, func(m map[string][]byte) { clear(m) }, Absent, "", "no training images"},
		{"a part of a download", 1, func(m map[string][]byte) {
			clear(m)
			m[valImages+".part"] = []byte("...")
		}, Absent, "", "no training images"},
		{"one byte wrong", 1, func(m map[string][]byte) {
			plain := unpack(t, m[valLabels])
			plain[10] ^= 1
			m[valLabels] = pack(t, plain, gzip.BestSpeed)
		}, Bad, "a", valLabels + ": is not a's, although " + trainImages + " is"},
		{"another's file", 1, func(m map[string][]byte) { m[trainLabels] = bData[trainLabels] }, Bad, "a", trainLabels + ": is not a's, although " + trainImages + " is"},
		{"packed anew, told by the packed files", 3, func(m map[string][]byte) {
			m[valImages] = pack(t, unpack(t, m[valImages]), gzip.NoCompression)
		}, Sound, "c", ""},
		{"another's file among those told by the packed files", 3, func(m map[string][]byte) { m[valLabels] = bData[valLabels] }, Bad, "c",
			valLabels + ": is not c's, although " + trainImages + " is"},
		{"halves swapped", 1, func(m map[string][]byte) {
			m[trainImages], m[valImages] = m[valImages], m[trainImages]
		}, Bad, "a", trainImages + ": holds a's " + valImages},
		{"cut short", 1, func(m map[string][]byte) { m[trainImages] = m[trainImages][:5000] }, Bad, "a", trainImages + ": image "},
		{"a web page", 4, func(m map[string][]byte) { m[valLabels] = []byte("<html>") }, Bad, "", valLabels + ": bad magic number"},
		{"labels too few", 4, func(m map[string][]byte) { m[trainLabels] = m[valLabels] }, Bad, "", "has 5 labels"},
		{"two files for one purpose", 4, func(m map[string][]byte) { m["test-labels-idx1-ubyte"] = m[valLabels] }, Bad, "", "two files for one purpose"},
	} {
		name := map[uint64]string{1: "a", 2: "b", 3: "c", 4: "unknown"}[test.seed]
		covers := Inside
		if name == "c" {
			covers = Packed
		}
		_, data := toy(t, name, test.seed, covers)
		if test.edit != nil {
			test.edit(data)
		}
		dir := t.TempDir()
		for name, content := range data {
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		r := catalog.Inspect(dir)
		got := ""
		if r.Err != nil {
			got = r.Err.Error()
		}
		for _, f := range r.Files {
			if f.Err != nil {
				got = f.Name + ": " + f.Err.Error()
				break
			}
		}
		if r.State != test.state || r.Set != test.set || !strings.Contains(got, test.err) || got != "" && test.err == "" {
			t.Errorf("%s: %s, set %q, %q; want %s, %q, %q", test.name, r.State, r.Set, got, test.state, test.set, test.err)
		}
	}
	if r := catalog.Inspect(filepath.Join(t.TempDir(), "nowhere")); r.State != Absent {
		t.Errorf("a directory that does not exist is %s", r.State)
	}
}

func TestCheck(t *testing.T) {
	a, aData := toy(t, "a", 1, Inside)
	c, cData := toy(t, "c", 3, Packed)
	for _, s := range []struct {
		set  Set
		data map[string][]byte
	}{{a, aData}, {c, cData}} {
		for _, f := range s.set.Files {
			good := s.data[f.Name]
			if err := f.Check(bytes.NewReader(good)); err != nil {
				t.Errorf("%s: %s: %v", s.set.Name, f.Name, err)
			}
			if n := int64(len(good)); n > f.MaxPacked() {
				t.Errorf("%s: %s: %d bytes packed, more than MaxPacked, %d", s.set.Name, f.Name, n, f.MaxPacked())
			}
			again := pack(t, unpack(t, good), gzip.NoCompression)
			if err := f.Check(bytes.NewReader(again)); (err == nil) != (s.set.Name == "a") {
				t.Errorf("%s: %s packed anew: %v", s.set.Name, f.Name, err)
			}
			if err := f.Check(bytes.NewReader(good[:len(good)-1])); err == nil {
				t.Errorf("%s: %s: cut short, and taken", s.set.Name, f.Name)
			}
			if err := f.Check(bytes.NewReader(append(bytes.Clone(good), 0))); err == nil {
				t.Errorf("%s: %s: a byte too long, and taken", s.set.Name, f.Name)
			}
			wrong := unpack(t, good)
			wrong[len(wrong)-1] ^= 1
			err := f.Check(bytes.NewReader(pack(t, wrong, gzip.DefaultCompression)))
			if err == nil || !strings.HasPrefix(err.Error(), "the SHA-256 of the ") || !strings.HasSuffix(err.Error(), ": want "+f.Digest.SHA256) {
				t.Errorf("%s: %s with a wrong byte: %v", s.set.Name, f.Name, err)
			}
		}
	}
}

// A small file of a large content is read no further than a right one would be.
func TestCheckIsBounded(t *testing.T) {
	a, _ := toy(t, "a", 1, Inside)
	for _, f := range a.Files {
		var plain bytes.Buffer
		var err error
		if f.Kind == Labels {
			err = mnist.WriteLabels(&plain, make([]byte, 100*f.Count))
		} else {
			err = mnist.WriteImages(&plain, &mnist.Images{Rows: side, Cols: side, Pix: make([]byte, 100*f.Count*side*side)})
		}
		if err != nil {
			t.Fatal(err)
		}
		err = f.Check(bytes.NewReader(pack(t, plain.Bytes(), gzip.BestSpeed)))
		if err == nil || !strings.HasPrefix(err.Error(), "more than ") {
			t.Errorf("%s: a hundred times as long: %v", f.Name, err)
		}
	}
}
