// Package animation writes grayscale pictures, one after another, as an animated
// GIF: a walk through the latent space, or the manifold as training goes on. What
// belongs here is the file; what the pictures show is the callers'.
package animation

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/gif"
	"io"
	"time"
)

// MaxPixels bounds the pixels of all frames together, and the bytes of memory
// that they take.
const MaxPixels = 1 << 28

// Animation gathers frames. The zero value is ready for the first, and plays as
// fast as a viewer will.
type Animation struct {
	// Delay is how long a frame stays, in steps of 10 ms; Last, if it is more,
	// how long the last one does before the first comes again.
	Delay, Last time.Duration

	frames []*image.Paletted
}

// Add appends a copy of the frame. All frames must have the size of the first.
func (a *Animation) Add(frame *image.Gray) error {
	size := frame.Bounds().Size()
	if size.X < 1 || size.Y < 1 || size.X > 65535 || size.Y > 65535 {
		return fmt.Errorf("a frame is %dx%d: a GIF holds 1 to 65535 pixels a side", size.X, size.Y)
	}
	palette := grays()
	if len(a.frames) > 0 {
		first := a.frames[0]
		if first.Rect.Size() != size {
			return fmt.Errorf("a frame is %dx%d: the first is %dx%d", size.X, size.Y, first.Rect.Dx(), first.Rect.Dy())
		}
		palette = first.Palette
	}
	if (len(a.frames)+1)*size.X*size.Y > MaxPixels {
		return fmt.Errorf("%d frames of %dx%d: must not exceed %d pixels together", len(a.frames)+1, size.X, size.Y, MaxPixels)
	}
	f := image.NewPaletted(image.Rectangle{Max: size}, palette)
	for y := range size.Y {
		copy(f.Pix[y*f.Stride:][:size.X], frame.Pix[y*frame.Stride:][:size.X])
	}
	a.frames = append(a.frames, f)
	return nil
}

// Len is the number of frames.
func (a *Animation) Len() int { return len(a.frames) }

// Write writes the GIF, which plays again and again. The same frames give the
// same bytes.
func (a *Animation) Write(w io.Writer) error {
	if len(a.frames) == 0 {
		return errors.New("no frames to write")
	}
	g := &gif.GIF{Image: a.frames}
	for range a.frames {
		g.Delay = append(g.Delay, hundredths(a.Delay))
	}
	g.Delay[len(g.Delay)-1] = hundredths(max(a.Delay, a.Last))
	if err := gif.EncodeAll(w, g); err != nil {
		return fmt.Errorf("writing the GIF: %w", err)
	}
	return nil
}

// hundredths is a delay as the file counts it, in 16 bits.
func hundredths(d time.Duration) int {
	return int(min(max(d.Round(10*time.Millisecond)/(10*time.Millisecond), 0), 65535))
}

// grays are all 256, so that a pixel is its own index.
func grays() color.Palette {
	p := make(color.Palette, 256)
	for i := range p {
		p[i] = color.Gray{Y: uint8(i)}
	}
	return p
}
