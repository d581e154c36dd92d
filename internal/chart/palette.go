package chart

import (
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// colours returns Paul Tol's "muted" scheme, which people with any of the usual
// kinds of colour blindness can tell apart, with black for his grey, which is
// for missing data (https://personal.sron.nl/~pault).
func colours() []color.NRGBA {
	return []color.NRGBA{
		{0x33, 0x22, 0x88, 255}, // indigo
		{0x88, 0xCC, 0xEE, 255}, // cyan
		{0x44, 0xAA, 0x99, 255}, // teal
		{0x11, 0x77, 0x33, 255}, // green
		{0x99, 0x99, 0x33, 255}, // olive
		{0xDD, 0xCC, 0x77, 255}, // sand
		{0xCC, 0x66, 0x77, 255}, // rose
		{0x88, 0x22, 0x55, 255}, // wine
		{0xAA, 0x44, 0x99, 255}, // purple
		{0x11, 0x11, 0x11, 255}, // black
	}
}

// colour returns class k's, which repeats after ten.
func colour(k int) color.NRGBA {
	all := colours()
	return all[k%len(all)]
}

// mark returns class k's shape. Colour and shape together repeat after fifty
// classes.
func mark(k int) draw.GlyphDrawer {
	marks := []draw.GlyphDrawer{
		draw.CircleGlyph{}, draw.PyramidGlyph{}, draw.BoxGlyph{}, diamond{}, nabla{},
	}
	return marks[(k+k/len(colours()))%len(marks)]
}

func faded(c color.NRGBA, alpha float64) color.NRGBA {
	c.A = uint8(255 * alpha)
	return c
}

// diamond is a filled square that stands on a corner.
type diamond struct{}

func (diamond) DrawGlyph(c *draw.Canvas, s draw.GlyphStyle, at vg.Point) {
	r := s.Radius * 1.2
	fillPolygon(c, at, [][2]vg.Length{{0, r}, {-r, 0}, {0, -r}, {r, 0}})
}

// nabla is a filled triangle that stands on a corner.
type nabla struct{}

func (nabla) DrawGlyph(c *draw.Canvas, s draw.GlyphStyle, at vg.Point) {
	r := s.Radius * 1.25
	fillPolygon(c, at, [][2]vg.Length{{0, -r}, {0.866 * r, 0.5 * r}, {-0.866 * r, 0.5 * r}})
}

func fillPolygon(c *draw.Canvas, at vg.Point, corners [][2]vg.Length) {
	var p vg.Path
	for i, d := range corners {
		pt := vg.Point{X: at.X + d[0], Y: at.Y + d[1]}
		if i == 0 {
			p.Move(pt)
		} else {
			p.Line(pt)
		}
	}
	p.Close()
	c.Fill(p)
}
