package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"

	"vaectl/mnist"
)

// Content is what was found in an IDX file.
type Content struct {
	Count      int
	Rows, Cols int // 0 for labels
	// SHA256 holds both digests in hex. Packed is that of the file as it is, so
	// that for a plain file the two are the same.
	SHA256 map[Covers]string
}

// NoLimit lets Read take files of any size.
const NoLimit = math.MaxInt64 - 1

// Read reads an IDX file of images or labels, plain or gzip'd, to its end. More
// than limit bytes inside are an error, whatever the header says.
func Read(r io.Reader, kind string, limit int64) (Content, error) {
	packed, inside := sha256.New(), sha256.New()
	plain, err := mnist.Unpack(io.TeeReader(r, packed))
	if err != nil {
		return Content{}, err
	}
	bounded := &io.LimitedReader{R: plain, N: limit + 1}
	c, err := count(io.TeeReader(bounded, inside), kind)
	if bounded.N == 0 {
		return Content{}, fmt.Errorf("more than %d bytes of data", limit)
	}
	if err != nil {
		return Content{}, err
	}
	c.SHA256 = map[Covers]string{
		Inside: hex.EncodeToString(inside.Sum(nil)),
		Packed: hex.EncodeToString(packed.Sum(nil)),
	}
	return c, nil
}

func count(plain io.Reader, kind string) (Content, error) {
	if kind == Labels {
		labels, err := mnist.ReadLabels(plain)
		return Content{Count: len(labels)}, err
	}
	images, err := mnist.ReadImages(plain)
	if err != nil {
		return Content{}, err
	}
	return Content{Count: images.Len(), Rows: images.Rows, Cols: images.Cols}, nil
}

// verdict is what a comparison with the catalog says.
type verdict int

const (
	differs verdict = iota
	unknown         // sound, but packed in another way than the file whose digest is known
	same
)

// compare holds what was read against the catalog.
func (f File) compare(c Content) verdict {
	switch {
	case c.Count != f.Count || f.Kind == Images && (c.Rows != side || c.Cols != side):
		return differs
	case c.SHA256[f.Digest.Covers] == f.Digest.SHA256:
		return same
	case f.Digest.Covers == Packed:
		return unknown
	}
	return differs
}

// MayBe tells whether what was read may be f. It need not: where only the packed
// file's digest is known, a file packed in another way cannot be told.
func (f File) MayBe(c Content) bool { return f.compare(c) != differs }

// Check reads a file that must be f, as its publisher packs it if only that
// digest is known, and returns an error if it is not. It takes no more memory
// than f inside needs, whatever r holds.
func (f File) Check(r io.Reader) error {
	c, err := Read(r, f.Kind, f.PlainSize())
	if err != nil {
		return err
	}
	if f.compare(c) != same {
		what := "the bytes inside"
		if f.Digest.Covers == Packed {
			what = "the file"
		}
		return fmt.Errorf("the SHA-256 of %s is %s: want %s", what, c.SHA256[f.Digest.Covers], f.Digest.SHA256)
	}
	return nil
}

// MaxPacked is the most bytes that the packed file can have: deflate adds few to
// what does not compress.
func (f File) MaxPacked() int64 { return f.PlainSize() + f.PlainSize()/1000 + 1<<10 }
