// Package imagefile turns files into streams of grayscale images: one image out
// of a PNG, as many as there are out of an IDX file. The first bytes tell which.
//
// What belongs here is decoding pixels and checking their size; which files to
// read, and what becomes of the pixels, is the caller's business.
package imagefile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"

	"vaectl/mnist"
)

// A Reader yields grayscale images of one size, a byte a pixel, row-major.
type Reader interface {
	// Next reads the next image into dst and returns io.EOF after the last.
	Next(dst []byte) error
	// Many reports whether the source is a collection rather than one image.
	Many() bool
}

const pngMagic = "\x89PNG\r\n\x1a\n"

// NewReader returns a Reader of the images in r, which must all be height x
// width pixels.
func NewReader(r io.Reader, height, width int) (Reader, error) {
	br := bufio.NewReaderSize(r, 1<<16)
	head, err := br.Peek(len(pngMagic))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case len(head) == 0:
		return nil, errors.New("empty: expected a PNG image or an IDX file")
	case string(head) == pngMagic:
		return &pngReader{r: br, height: height, width: width}, nil
	case bytes.HasPrefix(head, []byte{0, 0}), bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		idx, err := mnist.NewReader(br)
		if err != nil {
			return nil, err
		}
		if err := checkSize("images are", idx.Rows(), idx.Cols(), height, width); err != nil {
			return nil, err
		}
		return idxReader{idx}, nil
	}
	return nil, errors.New("neither a PNG image nor an IDX file")
}

func checkSize(what string, height, width, wantHeight, wantWidth int) error {
	if height != wantHeight || width != wantWidth {
		return fmt.Errorf("%s %dx%d (height x width): the model takes %dx%d", what, height, width, wantHeight, wantWidth)
	}
	return nil
}

type idxReader struct{ *mnist.Reader }

func (idxReader) Many() bool { return true }

type pngReader struct {
	r             io.Reader
	height, width int
	done          bool
}

func (p *pngReader) Many() bool { return false }

// Next decodes the image. The size in its header is checked first, for the
// decoder allocates by it.
func (p *pngReader) Next(dst []byte) error {
	if p.done {
		return io.EOF
	}
	p.done = true
	var header bytes.Buffer
	config, err := png.DecodeConfig(io.TeeReader(p.r, &header))
	if err != nil {
		return fmt.Errorf("decoding the PNG image: %w", err)
	}
	if err := checkSize("image is", config.Height, config.Width, p.height, p.width); err != nil {
		return err
	}
	img, err := png.Decode(io.MultiReader(&header, p.r))
	if err != nil {
		return fmt.Errorf("decoding the PNG image: %w", err)
	}
	toGray(dst, img)
	return nil
}

func toGray(dst []byte, img image.Image) {
	b := img.Bounds()
	if gray, ok := img.(*image.Gray); ok {
		for y := range b.Dy() {
			copy(dst[y*b.Dx():][:b.Dx()], gray.Pix[y*gray.Stride:])
		}
		return
	}
	for y := range b.Dy() {
		for x := range b.Dx() {
			dst[y*b.Dx()+x] = color.GrayModel.Convert(img.At(b.Min.X+x, b.Min.Y+y)).(color.Gray).Y
		}
	}
}
