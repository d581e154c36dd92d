package imagefile

import (
	"image"
	"math"

	"golang.org/x/image/draw"
)

// fitter brings images to the size and polarity that are wanted.
type fitter struct {
	Want
	from   image.Point // the size that scaler was made for
	scaler draw.Scaler
}

// ground is the gray that lies behind transparent pixels, before any inversion:
// that without strokes.
func (f *fitter) ground() uint32 {
	if f.Invert {
		return 0xffff
	}
	return 0
}

// put writes src to dst [Height, Width]. An image of another size is scaled as
// it is, without changing its proportions, and centred on the ground.
func (f *fitter) put(dst []byte, src *image.Gray) {
	out := &image.Gray{Pix: dst, Stride: f.Width, Rect: image.Rect(0, 0, f.Width, f.Height)}
	size := src.Rect.Size()
	if size == out.Rect.Size() {
		copy(dst, src.Pix)
	} else {
		for i := range dst {
			dst[i] = byte(f.ground())
		}
		inner := f.place(size)
		if f.scaler == nil || f.from != size {
			f.from, f.scaler = size, draw.CatmullRom.NewScaler(inner.Dx(), inner.Dy(), size.X, size.Y)
		}
		f.scaler.Scale(out, inner, src, src.Rect, draw.Src, nil)
	}
	if f.Invert {
		for i := range dst {
			dst[i] = 255 - dst[i]
		}
	}
}

// place is where an image of the given size goes.
func (f *fitter) place(size image.Point) image.Rectangle {
	scale := min(float64(f.Width)/float64(size.X), float64(f.Height)/float64(size.Y))
	w := max(1, int(math.Round(scale*float64(size.X))))
	h := max(1, int(math.Round(scale*float64(size.Y))))
	at := image.Pt((f.Width-w)/2, (f.Height-h)/2)
	return image.Rectangle{Min: at, Max: at.Add(image.Pt(w, h))}
}

// gray converts img as color.GrayModel does, with a ground of the given gray, up
// to 0xffff, behind what is transparent.
func gray(img image.Image, ground uint32) *image.Gray {
	if g, ok := img.(*image.Gray); ok && g.Stride == g.Rect.Dx() {
		return g
	}
	src := img.(image.RGBA64Image) // as all images of the standard decoders are
	b := img.Bounds()
	out := image.NewGray(image.Rect(0, 0, b.Dx(), b.Dy()))
	i := 0
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := src.RGBA64At(x, y)
			sum := 19595*uint32(c.R) + 38470*uint32(c.G) + 7471*uint32(c.B) + 1<<15
			behind := ground * (0xffff - uint32(c.A)) / 0xffff
			out.Pix[i] = uint8(min(sum>>16+behind, 0xffff) >> 8)
			i++
		}
	}
	return out
}
