// Package animation writes grayscale pictures, one after another, as an animated
// GIF, and reads such a GIF back to add to it: a walk through the latent space, or
// the manifold as training goes on. What belongs here is the file; what the
// pictures show is the callers'.
//
// The file is put together here, and not by image/gif, which encodes all frames
// anew at each writing, and knows no comments. The compression is compress/lzw's,
// and the tests read with image/gif.
package animation

import (
	"bytes"
	"compress/lzw"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"io"
	"slices"
	"time"
)

// MaxPixels bounds the pixels of all frames together, and with them the memory,
// where a frame is kept as the file has it.
const MaxPixels = 1 << 28

// Animation gathers frames. The zero value is ready for the first, and plays as
// fast as a viewer will.
type Animation struct {
	// Delay is how long a frame stays, in steps of 10 ms; Last, if it is more,
	// how long the last one does before the first comes again.
	Delay, Last time.Duration

	size   image.Point
	frames []frame
}

// frame is a picture as the file has it, from its descriptor on.
type frame struct {
	comment string
	picture []byte
}

// Add appends the frame, with a comment of at most 255 bytes that goes into the
// file unless it is empty. All frames must have the size of the first.
func (a *Animation) Add(img *image.Gray, comment string) error {
	size := img.Rect.Size()
	if err := checkSize(size); err != nil {
		return err
	}
	if len(comment) > maxBlock {
		return fmt.Errorf("a comment has %d bytes: must not exceed %d", len(comment), maxBlock)
	}
	if len(a.frames) > 0 && a.size != size {
		return fmt.Errorf("a frame is %dx%d: the first is %dx%d", size.X, size.Y, a.size.X, a.size.Y)
	}
	if n := len(a.frames) + 1; n > Room(size) {
		return fmt.Errorf("%d frames of %dx%d: must not exceed %d pixels together", n, size.X, size.Y, MaxPixels)
	}
	a.size = size
	a.frames = append(a.frames, frame{comment, encode(img)})
	return nil
}

func checkSize(size image.Point) error {
	if size.X < 1 || size.Y < 1 || size.X > 65535 || size.Y > 65535 {
		return fmt.Errorf("a frame is %dx%d: a GIF holds 1 to 65535 pixels a side", size.X, size.Y)
	}
	return nil
}

// Room is the number of frames of the given size that an Animation holds.
func Room(size image.Point) int { return MaxPixels / (size.X * size.Y) }

// Len is the number of frames.
func (a *Animation) Len() int { return len(a.frames) }

// Comment is that of frame i, counted from 0.
func (a *Animation) Comment(i int) string { return a.frames[i].comment }

// Truncate keeps the first n frames.
func (a *Animation) Truncate(n int) { a.frames = a.frames[:n] }

// The file, by the GIF89a specification of CompuServe, 1990: a head with the
// palette of all frames; for each frame a comment, a graphic control extension
// with the delay, and the picture; and a trailer.
const (
	introducer, commentLabel, controlLabel = 0x21, 0xfe, 0xf9
	separator, trailer                     = 0x2c, 0x3b

	maxBlock    = 255
	controlSize = 8
	bitsAPixel  = 8
)

// Write writes the GIF, which plays again and again. The same frames give the
// same bytes.
func (a *Animation) Write(w io.Writer) error {
	if len(a.frames) == 0 {
		return errors.New("no frames to write")
	}
	parts := [][]byte{head(a.size)}
	for i, f := range a.frames {
		delay := a.Delay
		if i == len(a.frames)-1 {
			delay = max(a.Delay, a.Last)
		}
		if f.comment != "" {
			parts = append(parts, slices.Concat([]byte{introducer, commentLabel}, blocks([]byte(f.comment))))
		}
		parts = append(parts, control(delay), f.picture)
	}
	for _, p := range append(parts, []byte{trailer}) {
		if _, err := w.Write(p); err != nil {
			return fmt.Errorf("writing the GIF: %w", err)
		}
	}
	return nil
}

// head is the screen, its palette, in which a pixel is its own index, and the
// extension that makes viewers begin again.
func head(size image.Point) []byte {
	const colours256 = 0xf7
	h := binary.LittleEndian.AppendUint16([]byte("GIF89a"), uint16(size.X))
	h = binary.LittleEndian.AppendUint16(h, uint16(size.Y))
	h = append(h, colours256, 0, 0)
	for gray := range 256 {
		h = append(h, byte(gray), byte(gray), byte(gray))
	}
	return append(h, "\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"...)
}

// control is the extension that says how long the frame behind it stays.
func control(delay time.Duration) []byte {
	hundredths := min(max(delay.Round(10*time.Millisecond)/(10*time.Millisecond), 0), 65535)
	return []byte{introducer, controlLabel, controlSize - 4, 0, byte(hundredths), byte(hundredths >> 8), 0, 0}
}

// descriptor is what a picture that fills the screen begins with.
func descriptor(size image.Point) []byte {
	d := binary.LittleEndian.AppendUint16([]byte{separator, 0, 0, 0, 0}, uint16(size.X))
	d = binary.LittleEndian.AppendUint16(d, uint16(size.Y))
	return append(d, 0, bitsAPixel)
}

func encode(img *image.Gray) []byte {
	var compressed bytes.Buffer // into which writing does not fail
	w := lzw.NewWriter(&compressed, lzw.LSB, bitsAPixel)
	size := img.Rect.Size()
	for y := range size.Y {
		_, _ = w.Write(img.Pix[y*img.Stride:][:size.X])
	}
	_ = w.Close()
	return slices.Concat(descriptor(size), blocks(compressed.Bytes()))
}

// blocks cuts data into blocks with their lengths before them, and a 0 at the end.
func blocks(data []byte) []byte {
	b := make([]byte, 0, len(data)+len(data)/maxBlock+2)
	for block := range slices.Chunk(data, maxBlock) {
		b = append(append(b, byte(len(block))), block...)
	}
	return append(b, 0)
}
