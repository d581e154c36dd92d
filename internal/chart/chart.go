// Package chart draws what is known about a model: its latent space, its
// training history, its reconstructions, how well a concept works. Data comes
// in, a Figure goes out as PNG, SVG or PDF, of which the same data always gives
// the same bytes. What belongs here is how a picture looks; where its data comes
// from, flags and files are the callers'.
package chart

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"io"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgpdf"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Formats are the formats that Write knows, which are the endings of its files
// too.
func Formats() []string { return []string{"png", "svg", "pdf"} }

// dpi makes a pixel half a point: fine enough for marks of a point and a half.
const dpi = 144

// Figure is a finished picture that can be written in any format.
type Figure struct {
	width, height vg.Length
	draw          func(draw.Canvas)
}

// Write writes the figure in one of Formats. It must not be called by two
// goroutines at once with "pdf", whose library keeps its settings in one place.
func (f *Figure) Write(w io.Writer, format string) (err error) {
	defer func() { // the PDF and SVG canvases panic where a font or image fails
		if p := recover(); p != nil {
			err = fmt.Errorf("drawing the %s: %v", format, p)
		}
	}()
	var c vg.CanvasWriterTo
	out := w
	var svg bytes.Buffer
	switch format {
	case "png":
		c = vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(f.width, f.height), vgimg.UseDPI(dpi))}
	case "svg":
		c, out = vgsvg.New(f.width, f.height), &svg
	case "pdf":
		// Otherwise the file holds the time of day, and its fonts in the order of a map.
		fpdf.SetDefaultCreationDate(time.Unix(0, 0).UTC())
		fpdf.SetDefaultModificationDate(time.Unix(0, 0).UTC())
		fpdf.SetDefaultCatalogSort(true)
		c = pdfCanvas{vgpdf.New(f.width, f.height)}
	default:
		return fmt.Errorf("format %q: must be one of %v", format, Formats())
	}
	f.draw(draw.New(c))
	if _, err := c.WriteTo(out); err != nil {
		return fmt.Errorf("writing the %s: %w", format, err)
	}
	// The SVG canvas calls its PNG images JPEG, and not every viewer forgives it.
	if _, err := w.Write(bytes.ReplaceAll(svg.Bytes(), []byte("data:image/jpg;"), []byte("data:image/png;"))); err != nil {
		return fmt.Errorf("writing the %s: %w", format, err)
	}
	return nil
}

// pdfCanvas turns images over: the library's canvas, whose vertical axis grows
// upwards, draws them upside down.
type pdfCanvas struct{ *vgpdf.Canvas }

func (c pdfCanvas) DrawImage(rect vg.Rectangle, img image.Image) {
	b := img.Bounds()
	over := image.NewNRGBA(b)
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			over.Set(x, y, img.At(x, b.Min.Y+b.Max.Y-1-y))
		}
	}
	c.Canvas.DrawImage(rect, over)
}

// sans is the text of all figures, embedded in the program.
func sans(size vg.Length) font.Font {
	return font.From(font.Font{Typeface: "Liberation", Variant: "Sans"}, size)
}

// newPlot is an empty plot in the look that all figures share.
func newPlot(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.Title.Padding = title, vg.Points(8)
	p.X.Label.Text, p.Y.Label.Text = x, y
	p.Title.TextStyle.Font = sans(12)
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Label.TextStyle.Font = sans(10)
		axis.Tick.Label.Font = sans(9)
		axis.LineStyle.Width = vg.Points(0.75)
		axis.Tick.LineStyle.Width = vg.Points(0.75)
	}
	return p
}

func gridLines() *plotter.Grid {
	g := plotter.NewGrid()
	for _, style := range []*draw.LineStyle{&g.Horizontal, &g.Vertical} {
		style.Color, style.Width, style.Dashes = color.Gray{Y: 228}, vg.Points(0.5), nil
	}
	return g
}

// entry is a line of a legend.
type entry struct {
	name  string
	thumb plot.Thumbnailer
}

// drawLegend draws the entries at the right edge of c, from the top, and returns
// what is left of c.
func drawLegend(c draw.Canvas, entries []entry) draw.Canvas {
	if len(entries) == 0 {
		return c
	}
	const gap = 12
	columns := (len(entries) + legendRows - 1) / legendRows
	for k := columns - 1; k >= 0; k-- {
		l := plot.NewLegend()
		l.Top, l.Left = true, true
		l.TextStyle.Font, l.Padding = sans(9), vg.Points(4)
		l.YPosition, l.ThumbnailWidth = draw.PosCenter, vg.Points(18)
		for _, e := range entries[k*legendRows : min((k+1)*legendRows, len(entries))] {
			l.Add(e.name, e.thumb)
		}
		width := l.Rectangle(c).Size().X + vg.Points(gap)
		l.Draw(draw.Crop(c, c.Size().X-width+vg.Points(gap), 0, 0, -vg.Points(20)))
		c = draw.Crop(c, 0, -width, 0, 0)
	}
	return c
}

// legendRows is the height of a legend; longer ones get columns.
const legendRows = 25

// margin is kept free around every figure.
const margin = vg.Length(10)

func inset(c draw.Canvas) draw.Canvas { return draw.Crop(c, margin, -margin, margin, -margin) }
