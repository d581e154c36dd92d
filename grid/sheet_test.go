package grid

import (
	"bytes"
	"image/png"
	"math"
	"strings"
	"testing"
)

func TestGray8(t *testing.T) {
	inf := float32(math.Inf(1))
	tests := []struct {
		p    float32
		want uint8
	}{
		{0, 0}, {1, 255}, {0.5, 128},
		{math.Nextafter32(0.5, 0), 127},
		{0.00196, 0}, {0.00197, 1}, // 1/510 lies between
		{0.998, 254}, {0.9981, 255}, // as does 509/510
		{-0.1, 0}, {1.1, 255}, {-inf, 0}, {inf, 255},
		{float32(math.NaN()), 0}, {math.MaxFloat32, 255}, {-math.MaxFloat32, 0},
	}
	for _, tt := range tests {
		if got := Gray8(tt.p); got != tt.want {
			t.Errorf("Gray8(%v) = %d, want %d", tt.p, got, tt.want)
		}
	}
	for b := range 256 {
		if got := Gray8(float32(b) / 255); int(got) != b {
			t.Errorf("Gray8(%d/255) = %d", b, got)
		}
	}
}

// image i of h x w pixels holds 16*i + 1, 16*i + 2, ...
func numbered(i, h, w int) []float32 {
	p := make([]float32, h*w)
	for k := range p {
		p[k] = float32(16*i+k+1) / 255
	}
	return p
}

func TestSheetPutsEveryPixelInItsPlace(t *testing.T) {
	for _, tt := range []struct{ n, cols, h, w, scale int }{
		{6, 3, 2, 4, 1}, {5, 3, 2, 4, 1}, {5, 3, 4, 2, 3}, {1, 1, 1, 1, 64}, {2, 4, 2, 2, 2}, {4, 1, 2, 3, 5},
	} {
		s, err := NewSheet(tt.n, tt.cols, tt.h, tt.w, tt.scale)
		if err != nil {
			t.Fatal(err)
		}
		for i := tt.n - 1; i >= 0; i-- { // any order will do
			s.Set(i, numbered(i, tt.h, tt.w))
		}
		img := s.Image()
		rows := (tt.n + tt.cols - 1) / tt.cols
		if b := img.Bounds(); b.Dx() != tt.cols*tt.w*tt.scale || b.Dy() != rows*tt.h*tt.scale {
			t.Fatalf("%+v: picture is %v", tt, b)
		}
		for y := range img.Bounds().Dy() {
			for x := range img.Bounds().Dx() {
				px, py := x/tt.scale, y/tt.scale
				want := 0
				if i := py/tt.h*tt.cols + px/tt.w; i < tt.n {
					want = 16*i + py%tt.h*tt.w + px%tt.w + 1
				}
				if got := img.GrayAt(x, y).Y; int(got) != want {
					t.Fatalf("%+v: pixel (%d, %d) = %d, want %d", tt, x, y, got, want)
				}
			}
		}
	}
}

func TestManifoldOf15Is420PixelsSquare(t *testing.T) {
	g, err := New(Spec{N: 15, Lo: 0.05, Hi: 0.95, Latent: 2})
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSheet(g.Len(), g.Cols(), 28, 28, 1)
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if err := png.Encode(&buf, s.Image()); err != nil {
		t.Fatal(err)
	}
	c, err := png.DecodeConfig(&buf)
	if err != nil {
		t.Fatal(err)
	}
	if c.Width != 420 || c.Height != 420 {
		t.Errorf("PNG is %dx%d, want 420x420", c.Width, c.Height)
	}
}

func TestSheetErrors(t *testing.T) {
	const huge = math.MaxInt
	tests := []struct {
		name                 string
		n, cols, h, w, scale int
		want                 string
	}{
		{"no images", 0, 1, 28, 28, 1, "the sheet has 0 images: must be at least 1"},
		{"no columns", 1, 0, 28, 28, 1, "the sheet has 0 columns: must be at least 1"},
		{"no height", 1, 1, 0, 28, 1, "images are 0x28 pixels: must be at least 1x1"},
		{"negative width", 1, 1, 28, -28, 1, "images are 28x-28 pixels"},
		{"scale 0", 1, 1, 28, 28, 0, "scale is 0: must be 1 to 64"},
		{"scale 65", 1, 1, 28, 28, 65, "scale is 65: must be 1 to 64"},
		{"one row too many", 16385, 1, 1, 16384, 1, "16385 by 1 images of 1x16384 pixels at scale 1: the picture must not exceed 268435456 pixels"},
		{"large grid enlarged", 256 * 256, 256, 28, 28, 3, "must not exceed"},
		{"overflowing columns", 1, huge, 28, 28, 64, "must not exceed"},
		{"overflowing height", 1, 1, huge, 1, 64, "must not exceed"},
		{"overflowing images", huge, 1, huge, huge, 64, "must not exceed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewSheet(tt.n, tt.cols, tt.h, tt.w, tt.scale)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}
