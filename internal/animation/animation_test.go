package animation

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"slices"
	"strings"
	"testing"
	"time"
)

// picture is one that has every gray and differs from frame to frame.
func picture(k, w, h int) *image.Gray {
	img := image.NewGray(image.Rect(3, 5, 3+w, 5+h)) // not at the origin
	for i := range img.Pix {
		img.Pix[i] = uint8(i*7 + k)
	}
	return img
}

func TestEveryPixelComesBack(t *testing.T) {
	a := Animation{Delay: 123 * time.Millisecond, Last: time.Second}
	for k := range 3 {
		if err := a.Add(picture(k, 31, 17), ""); err != nil {
			t.Fatal(err)
		}
	}
	// A part of a larger picture.
	if err := a.Add(picture(3, 40, 20).SubImage(image.Rect(4, 6, 35, 23)).(*image.Gray), "last"); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := a.Write(&b); err != nil {
		t.Fatal(err)
	}
	got, err := gif.DecodeAll(bytes.NewReader(b.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Delay, []int{12, 12, 12, 100}) || got.LoopCount != 0 || a.Len() != 4 {
		t.Errorf("delays %v, loop count %d, %d frames", got.Delay, got.LoopCount, a.Len())
	}
	whole := picture(3, 40, 20)
	for k, f := range got.Image {
		want := picture(k, 31, 17)
		for y := range 17 {
			for x := range 31 {
				w := want.GrayAt(3+x, 5+y)
				if k == 3 {
					w = whole.GrayAt(4+x, 6+y)
				}
				if g := color.GrayModel.Convert(f.At(x, y)); g != w {
					t.Fatalf("frame %d at %d,%d: %v, want %v", k, x, y, g, w)
				}
			}
		}
	}
	var again bytes.Buffer
	if err := a.Write(&again); err != nil || !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Errorf("a second writing differs: %v", err)
	}
}

// A long run of one gray and a size that lzw meets with codes of 12 bits.
func TestLargePicture(t *testing.T) {
	img := image.NewGray(image.Rect(0, 0, 420, 420))
	for i := range img.Pix[:100_000] {
		img.Pix[i] = uint8(i * i >> 7)
	}
	var a Animation
	if err := a.Add(img, ""); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := a.Write(&b); err != nil {
		t.Fatal(err)
	}
	got, err := gif.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.(*image.Paletted).Pix, img.Pix) {
		t.Error("the picture that comes back is another")
	}
}

func TestErrors(t *testing.T) {
	var a Animation
	if err := a.Write(new(bytes.Buffer)); err == nil {
		t.Error("no frames: no error")
	}
	tests := []struct {
		frame   *image.Gray
		comment string
		want    string
	}{
		{picture(0, 4, 4), "", ""},
		{picture(0, 4, 5), "", "a frame is 4x5: the first is 4x4"},
		{new(image.Gray), "", "a frame is 0x0: a GIF holds 1 to 65535 pixels a side"},
		{picture(0, 65536, 1), "", "a frame is 65536x1: a GIF holds 1 to 65535 pixels a side"},
		{picture(0, 4, 4), strings.Repeat("x", 256), "a comment has 256 bytes: must not exceed 255"},
	}
	for _, tt := range tests {
		got := ""
		if err := a.Add(tt.frame, tt.comment); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
	if a.Len() != 1 {
		t.Errorf("%d frames, want 1: a refused one must not count", a.Len())
	}

	full := Animation{size: image.Pt(4, 4), frames: make([]frame, Room(image.Pt(4, 4)))}
	if err := full.Add(picture(0, 4, 4), ""); err == nil || err.Error() != "16777217 frames of 4x4: must not exceed 268435456 pixels together" {
		t.Errorf("too many pixels: %v", err)
	}
}
