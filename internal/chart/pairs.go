package chart

import (
	"errors"
	"image"
	"math"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Pair is an image and what the model makes of it, both of the same size.
type Pair struct {
	Original, Reconstruction *image.Gray
	Caption                  string
}

// pairsInRow is the number of pairs from left to right.
const pairsInRow = 10

// Pairs draws originals above their reconstructions, with the captions below.
// All images must have one size.
func Pairs(title string, pairs []Pair) (*Figure, error) {
	if len(pairs) == 0 {
		return nil, errors.New("no images to draw")
	}
	const gap, head, caption = vg.Length(10), vg.Length(26), vg.Length(16)
	size := pairs[0].Original.Bounds().Size()
	side := max(size.X, size.Y)
	scale := max(64/side, 1) // points to a pixel of the image, a whole number so that its edges stay sharp
	fit := min(1, 64/float64(side*scale))
	w, h := vg.Length(fit*float64(size.X*scale)), vg.Length(fit*float64(size.Y*scale))
	cols := min(len(pairs), pairsInRow)
	rows := (len(pairs)-1)/pairsInRow + 1
	cell := 2*h + caption + gap

	style := text.Style{Font: sans(8), Handler: newPlot("", "", "").TextHandler, XAlign: draw.XCenter, YAlign: draw.YTop}
	titleStyle := style
	titleStyle.Font = sans(12)
	f := &Figure{
		width:  vg.Length(math.Ceil(float64(max(vg.Length(cols)*(w+gap)-gap, titleStyle.Width(title))))) + 2*margin,
		height: head + vg.Length(rows)*cell - gap + 2*margin,
	}
	f.draw = func(c draw.Canvas) {
		c = inset(c)
		c.FillText(titleStyle, vg.Point{X: c.Center().X, Y: c.Max.Y}, title)
		left := vg.Length(math.Floor(float64(c.Center().X - (vg.Length(cols)*(w+gap)-gap)/2)))
		for i, p := range pairs {
			x := left + vg.Length(i%cols)*(w+gap)
			top := c.Max.Y - head - vg.Length(i/cols)*cell
			for k, img := range []*image.Gray{p.Original, p.Reconstruction} {
				low := top - vg.Length(k+1)*h
				c.DrawImage(vg.Rectangle{Min: vg.Point{X: x, Y: low}, Max: vg.Point{X: x + w, Y: low + h}}, enlarged(img, scale*dpi/72))
			}
			c.FillText(style, vg.Point{X: x + w/2, Y: top - 2*h - 3}, p.Caption)
		}
	}
	return f, nil
}

// enlarged repeats every pixel, so that no viewer smooths between them.
func enlarged(img *image.Gray, scale int) *image.Gray {
	b := img.Bounds()
	out := image.NewGray(image.Rect(0, 0, b.Dx()*scale, b.Dy()*scale))
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			out.Pix[out.PixOffset(x, y)] = img.Pix[img.PixOffset(b.Min.X+x/scale, b.Min.Y+y/scale)]
		}
	}
	return out
}
