package imagetest

import (
	"image"
	"testing"
)

func TestAlike(t *testing.T) {
	base := func() *image.Gray {
		img := image.NewGray(image.Rect(0, 0, 100, 100))
		for i := range img.Pix {
			img.Pix[i] = uint8(i)
		}
		return img
	}
	tests := []struct {
		name   string
		change func(*image.Gray)
		alike  bool
	}{
		{"the same", func(*image.Gray) {}, true},
		{"a few pixels far off", func(m *image.Gray) {
			for i := range 20 {
				m.Pix[i*500] ^= 0x80
			}
		}, true},
		{"one more", func(m *image.Gray) {
			for i := range 21 {
				m.Pix[i*400] ^= 0x80
			}
		}, false},
		{"all a little off", func(m *image.Gray) {
			for i := range m.Pix {
				m.Pix[i] ^= 1
			}
		}, false},
		{"moved by a pixel", func(m *image.Gray) { copy(m.Pix, m.Pix[1:]) }, false},
	}
	for _, tt := range tests {
		changed := base()
		tt.change(changed)
		if err := Alike(changed, base()); (err == nil) != tt.alike {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
	if Alike(base(), image.NewGray(image.Rect(0, 0, 100, 99))) == nil {
		t.Error("another size is alike")
	}
	moved := image.NewGray(image.Rect(7, 9, 107, 109))
	copy(moved.Pix, base().Pix)
	if err := Alike(moved, base()); err != nil {
		t.Errorf("the same pixels at another origin: %v", err)
	}
}
