package imagefile

import (
	"bytes"
	"errors"
	"image"
	"io"
	"slices"
	"testing"
	"testing/iotest"

	stdpng "image/png"
)

// However the bytes arrive, the same images come out; a picture of the wanted
// size has the grays that the standard library gives it; and every error comes
// instead of an image, not beside it.
func FuzzReader(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte, resize, invert bool) {
		want := Want{Height: 4, Width: 6, Resize: resize, Invert: invert}
		images, err := atMost(bytes.NewReader(data), want, 100)
		again, errAgain := atMost(iotest.HalfReader(bytes.NewReader(data)), want, 100)
		if !slices.EqualFunc(images, again, bytes.Equal) || (err == nil) != (errAgain == nil) {
			t.Fatalf("%d images, %v; in pieces %d images, %v", len(images), err, len(again), errAgain)
		}
		if len(images) == 0 && err == nil {
			t.Fatal("no images and no error")
		}
		if resize || invert || len(images) == 0 || !bytes.HasPrefix(data, []byte(pngMagic)) {
			return
		}
		img, err := stdpng.Decode(bytes.NewReader(data))
		if err != nil || img.Bounds().Size() != (image.Point{X: 6, Y: 4}) {
			t.Fatalf("an image out of what the standard library calls %v", err)
		}
		for i, got := range images[0] {
			if r, g, b, _ := img.At(i%6, i/6).RGBA(); byte((19595*r+38470*g+7471*b+1<<15)>>24) != got {
				t.Fatalf("pixel %d is %d, from %d, %d, %d", i, got, r, g, b)
			}
		}
	})
}

// atMost reads the first images of r.
func atMost(r io.Reader, want Want, most int) (images [][]byte, err error) {
	in, err := NewReader(r, want)
	if err != nil {
		return nil, err
	}
	for len(images) < most {
		dst := make([]byte, want.Height*want.Width)
		err := in.Next(dst)
		if errors.Is(err, io.EOF) {
			return images, nil
		}
		if err != nil {
			return images, err
		}
		images = append(images, dst)
	}
	return images, nil
}
