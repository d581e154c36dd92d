// Package imagefile turns files into streams of grayscale images of one size:
// PNG and JPEG pictures, IDX files, and directories of these. A file's first
// bytes tell what it is.
//
// What belongs here is finding image files, decoding their pixels within bounds
// on memory, and fitting them to the size that is wanted; what becomes of the
// pixels is the caller's business.
package imagefile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image"
	"io"

	"vaectl/mnist"
)

// A Reader yields grayscale images of one size, a byte a pixel, row-major.
type Reader interface {
	// Next reads the next image into dst and returns io.EOF after the last.
	Next(dst []byte) error
	// Many reports, after the first Next, whether the source is a collection
	// rather than one image.
	Many() bool
}

// Want is what the images must be, or be made.
type Want struct {
	Height, Width int
	Resize        bool // fit images of another size rather than refuse them
	Invert        bool // turn dark strokes on a light ground into the opposite
}

const (
	pngMagic  = "\x89PNG\r\n\x1a\n"
	jpegMagic = "\xff\xd8\xff"
)

// NewReader returns a Reader of the images in r: an IDX file, plain or gzip'd, a
// JPEG picture, or a PNG picture and those that follow it without a gap. What
// else follows a picture is passed over, as image viewers do.
func NewReader(r io.Reader, want Want) (Reader, error) {
	br := bufio.NewReaderSize(r, 1<<16)
	head, err := br.Peek(len(pngMagic))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case len(head) == 0:
		return nil, errors.New("empty: expected a PNG or JPEG picture or an IDX file")
	case string(head) == pngMagic:
		return &pictures{r: br, kind: pngKind, fit: fitter{Want: want}}, nil
	case bytes.HasPrefix(head, []byte(jpegMagic)):
		return &pictures{r: br, kind: jpegKind, fit: fitter{Want: want}}, nil
	case bytes.HasPrefix(head, []byte{0, 0}), bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return newIDXReader(br, want)
	}
	return nil, errors.New("neither a PNG or JPEG picture nor an IDX file")
}

// check refuses images of another size, unless they are to be resized.
func (w Want) check(what string, height, width int) error {
	if w.Resize || height == w.Height && width == w.Width {
		return nil
	}
	return fmt.Errorf("%s %dx%d (height x width): the model takes %dx%d; --resize fits them", what, height, width, w.Height, w.Width)
}

// collection reads images of one size, of an IDX file or in memory.
type collection struct {
	next  func(dst []byte) error
	fit   fitter
	image *image.Gray // before it is fitted
}

func newCollection(rows, cols int, want Want, next func([]byte) error) (*collection, error) {
	if err := want.check("images are", rows, cols); err != nil {
		return nil, err
	}
	return &collection{
		next: next, fit: fitter{Want: want},
		image: image.NewGray(image.Rect(0, 0, cols, rows)), // IDX has at most 4096 x 4096
	}, nil
}

func newIDXReader(r io.Reader, want Want) (*collection, error) {
	idx, err := mnist.NewReader(r)
	if err != nil {
		return nil, err
	}
	return newCollection(idx.Rows(), idx.Cols(), want, idx.Next)
}

// NewImages returns a Reader of images in memory.
func NewImages(m *mnist.Images, want Want) (Reader, error) {
	done := 0
	return newCollection(m.Rows, m.Cols, want, func(dst []byte) error {
		if done == m.Len() {
			return io.EOF
		}
		copy(dst, m.At(done))
		done++
		return nil
	})
}

func (*collection) Many() bool { return true }

func (x *collection) Next(dst []byte) error {
	if err := x.next(x.image.Pix); err != nil {
		return err
	}
	x.fit.put(dst, x.image)
	return nil
}
