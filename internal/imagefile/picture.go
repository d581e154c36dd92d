package imagefile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"runtime"
)

const (
	// maxDecoded bounds the memory that decoding one picture takes: 20 million
	// pixels of an ordinary photograph.
	maxDecoded = 96 << 20

	// maxHeader bounds the bytes before the pixels, which are read twice.
	maxHeader = 4 << 20

	// maxSide bounds what scaling takes, which grows with a side.
	maxSide = 1 << 14
)

// kind is a format of pictures.
type kind string

const (
	pngKind  kind = "PNG"
	jpegKind kind = "JPEG"
)

func (k kind) decode(r io.Reader) (image.Image, error) {
	if k == pngKind {
		return png.Decode(r)
	}
	return jpeg.Decode(r)
}

func (k kind) decodeConfig(r io.Reader) (image.Config, error) {
	if k == pngKind {
		return png.DecodeConfig(r)
	}
	return jpeg.DecodeConfig(r)
}

// memory bounds what decoding takes: the picture, its grays and, where it comes
// in passes of growing detail, what these need beside it.
func (k kind) memory(c image.Config, header []byte) int64 {
	pixel := int64(4)
	switch c.ColorModel {
	case color.GrayModel:
		pixel = 1
	case color.Gray16Model:
		pixel = 2
	case color.RGBA64Model, color.NRGBA64Model:
		pixel = 8
	}
	total := pixel + 1
	switch {
	case k == pngKind && header[28] != 0: // IHDR's interlace method
		total += pixel
	case k == jpegKind && bytes.Contains(header, []byte{0xff, 0xc2}): // SOF2, progressive
		total += 4 * 4 // an int32 for each of up to 4 components
	}
	return total * int64(c.Height) * int64(c.Width)
}

// pictures reads a picture, and PNG pictures one after another.
type pictures struct {
	r    *bufio.Reader
	kind kind
	fit  fitter
	done int
	last bool
}

func (p *pictures) Many() bool { return p.done > 1 || !p.last }

func (p *pictures) Next(dst []byte) error {
	if p.last {
		return io.EOF
	}
	img, err := p.decode()
	if err != nil && p.done > 0 {
		return fmt.Errorf("image %d: %w", p.done+1, err)
	}
	if err != nil {
		return err
	}
	p.fit.put(dst, gray(img, p.fit.ground()))
	p.done++
	if p.kind == pngKind { // JPEG's decoder reads further than the picture
		head, err := p.r.Peek(len(pngMagic))
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		p.last = string(head) != pngMagic
	} else {
		p.last = true
	}
	return nil
}

// decode decodes the next picture. The size in its header is checked first, for
// the decoder allocates by it.
func (p *pictures) decode() (image.Image, error) {
	var header bytes.Buffer
	config, err := p.kind.decodeConfig(io.TeeReader(io.LimitReader(p.r, maxHeader), &header))
	if err != nil && header.Len() == maxHeader {
		return nil, fmt.Errorf("the %s picture has more than %d bytes before its pixels", p.kind, maxHeader)
	}
	if err != nil {
		return nil, fmt.Errorf("decoding the %s picture: %w", p.kind, err)
	}
	if config.Height < 1 || config.Width < 1 { // JPEG's decoder does not mind
		return nil, fmt.Errorf("image is %dx%d (height x width): it has no pixels", config.Height, config.Width)
	}
	if err := p.fit.check("image is", config.Height, config.Width); err != nil {
		return nil, err
	}
	if max(config.Height, config.Width) > maxSide {
		return nil, fmt.Errorf("image is %dx%d (height x width): must have at most %d pixels a side", config.Height, config.Width, maxSide)
	}
	if need := p.kind.memory(config, header.Bytes()); need > maxDecoded {
		return nil, fmt.Errorf("image is %dx%d (height x width): decoding it takes %d MiB of memory: must be at most %d",
			config.Height, config.Width, need>>20, maxDecoded>>20)
	} else if need > maxDecoded/8 {
		runtime.GC() // would otherwise let two or three large pictures pile up
	}
	img, err := p.kind.decode(io.MultiReader(&header, p.r))
	if err != nil {
		return nil, fmt.Errorf("decoding the %s picture: %w", p.kind, err)
	}
	return img, nil
}
