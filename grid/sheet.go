package grid

import (
	"fmt"
	"image"
	"math"
)

const (
	// MaxScale is the largest enlargement of a sheet.
	MaxScale = 64

	// MaxPixels is the largest number of pixels in a sheet, and of bytes in its
	// memory: 16384 x 16384.
	MaxPixels = 1 << 28
)

// Sheet is a picture of equally large images, laid out without gaps in rows of
// a fixed number of columns. Cells that are not set stay black.
type Sheet struct {
	img                  *image.Gray
	n, cols, h, w, scale int
}

// NewSheet returns a black sheet for n images of h x w pixels, cols to a row,
// each pixel enlarged to scale x scale. The last row may be left unfilled; the
// sheet is cols images wide even when n is less than cols.
func NewSheet(n, cols, h, w, scale int) (*Sheet, error) {
	if n < 1 {
		return nil, fmt.Errorf("the sheet has %d images: must be at least 1", n)
	}
	if cols < 1 {
		return nil, fmt.Errorf("the sheet has %d columns: must be at least 1", cols)
	}
	if h < 1 || w < 1 {
		return nil, fmt.Errorf("images are %dx%d pixels: must be at least 1x1", h, w)
	}
	if scale < 1 || scale > MaxScale {
		return nil, fmt.Errorf("scale is %d: must be 1 to %d", scale, MaxScale)
	}
	rows := (n-1)/cols + 1
	height, okH := pixels(rows, h, scale)
	width, okW := pixels(cols, w, scale)
	if !okH || !okW || height*width > MaxPixels {
		return nil, fmt.Errorf("%d by %d images of %dx%d pixels at scale %d: the picture must not exceed %d pixels", rows, cols, h, w, scale, MaxPixels)
	}
	img := image.NewGray(image.Rect(0, 0, int(width), int(height)))
	return &Sheet{img: img, n: n, cols: cols, h: h, w: w, scale: scale}, nil
}

// pixels returns cells*size*scale, and whether that side fits in any sheet.
// Bounding each factor first keeps the products within 64 bits.
func pixels(cells, size, scale int) (int64, bool) {
	if cells > MaxPixels || size > MaxPixels {
		return 0, false
	}
	side := int64(cells) * int64(size)
	if side > MaxPixels {
		return 0, false
	}
	side *= int64(scale)
	return side, side <= MaxPixels
}

// Set puts image i into its cell; p holds its h*w probabilities, row by row.
// It panics when i or the length of p is not what NewSheet was told.
func (s *Sheet) Set(i int, p []float32) {
	if i < 0 || i >= s.n {
		panic("grid: image index outside the sheet")
	}
	if len(p) != s.h*s.w {
		panic("grid: image of another size than the sheet's")
	}
	x0 := i % s.cols * s.w * s.scale
	y0 := i / s.cols * s.h * s.scale
	for y := range s.h {
		top := s.img.Pix[s.img.PixOffset(x0, y0+y*s.scale):][:s.w*s.scale]
		for x, v := range p[y*s.w : (y+1)*s.w] {
			g := Gray8(v)
			for k := range s.scale {
				top[x*s.scale+k] = g
			}
		}
		for k := 1; k < s.scale; k++ {
			copy(s.img.Pix[s.img.PixOffset(x0, y0+y*s.scale+k):], top)
		}
	}
}

// Image returns the picture. It shares the sheet's memory.
func (s *Sheet) Image() *image.Gray { return s.img }

// Gray8 returns round(255*p), below 0 and above 255 clamped; NaN gives 0. The
// product is exact in float64, where the only tie in [0, 1] is p = 0.5: 128 both
// by rounding up and by rounding to even.
func Gray8(p float32) uint8 {
	switch v := math.Floor(255*float64(p) + 0.5); {
	case v >= 255:
		return 255
	case v > 0:
		return uint8(v)
	default:
		return 0
	}
}
