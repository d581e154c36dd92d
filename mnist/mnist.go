// Package mnist brings image data sets into memory: MNIST and anything else
// that is kept in its file format, IDX.
//
// What belongs here is reading and writing IDX, finding a data set's files in
// a directory, the small sample that is embedded in the program, and handing
// pixels over as floats. What happens to the pixels afterwards, and where the
// files come from, is the business of others.
package mnist

import (
	"crypto/sha256"
	"encoding/hex"
)

// Images are grayscale pictures of one size, one byte a pixel.
type Images struct {
	Rows, Cols int
	Pix        []byte // [Len][Rows][Cols], the images one after another
}

// Len is the number of images.
func (m *Images) Len() int {
	if m.Rows == 0 || m.Cols == 0 {
		return 0
	}
	return len(m.Pix) / (m.Rows * m.Cols)
}

// At is image i, [Rows][Cols], sharing memory with m.
func (m *Images) At(i int) []byte {
	size := m.Rows * m.Cols
	return m.Pix[i*size : (i+1)*size : (i+1)*size]
}

// Split is one half of a data set.
type Split struct {
	Name string // "train" or "val"
	Images
	Labels []byte // one an image; nil where they are not known
}

// Fill writes the images that index chooses to dst, [len(index)][Rows][Cols],
// as float32 numbers from 0 to 1: byte/255. It allocates nothing.
func (s *Split) Fill(dst []float32, index []int) {
	size := s.Rows * s.Cols
	if len(dst) != len(index)*size {
		panic("mnist: Fill: dst does not have the size of the chosen images")
	}
	for n, i := range index {
		out := dst[n*size : (n+1)*size]
		for p, b := range s.At(i) {
			out[p] = float32(b) / 255
		}
	}
}

// Head is the first n images and labels of s, or all of them if there are
// fewer. It shares memory with s.
func (s *Split) Head(n int) *Split {
	n = min(n, s.Len())
	end := n * s.Rows * s.Cols
	head := *s
	head.Pix = s.Pix[:end:end]
	if s.Labels != nil {
		head.Labels = s.Labels[:n:n]
	}
	return &head
}

// Dataset is what a model is trained on and, where there is a Val, what it is
// checked against. All images have one size.
type Dataset struct {
	// Name is "mnist" for the full MNIST, "sample" for the embedded digits
	// and "idx" for anything else. It follows from the data alone, so that it
	// may go into a file that has to be the same wherever the data lay.
	Name  string
	Train *Split
	Val   *Split // nil where the data set has no such half
}

// SHA256 is the digest, in hex, of the data set's plain IDX files one after
// another: training images and labels, validation images and labels, less
// those it does not have. How the files were named or packed does not matter;
// for the files of MNIST it is what this prints:
//
//	gunzip -c train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz \
//		t10k-images-idx3-ubyte.gz t10k-labels-idx1-ubyte.gz | sha256sum
func (d *Dataset) SHA256() string {
	h := sha256.New() // its Write never fails
	for _, s := range []*Split{d.Train, d.Val} {
		if s == nil {
			continue
		}
		writeIDX(h, magicImages, s.Pix, s.Len(), s.Rows, s.Cols)
		if s.Labels != nil {
			writeIDX(h, magicLabels, s.Labels, len(s.Labels))
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// nameOf tells the data sets that have a name by their digest.
func nameOf(digest string) string {
	switch digest {
	case "b2d8f5bf39174ee5ffeefa97e42d673c35432b411bb5d1f74fbbeddae7f1690a":
		return "mnist"
	case "cb1211beb42d90ff3e17cbf535af9c771b32219d8772132d9fac8fd017a1d791":
		return "sample"
	}
	return "idx"
}
