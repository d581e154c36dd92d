package chart

import (
	"errors"
	"fmt"
	"image/color"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"vaectl/internal/modelfile"
)

// Run is a model's training, under the name that the legend calls it by.
type Run struct {
	Name   string
	Epochs []modelfile.Epoch
}

// measure is one of the numbers that training tells of each epoch; val is nil
// where there was no validation.
type measure struct {
	name string
	of   func(modelfile.Epoch) (train float64, val *float64)
}

func measures() []measure {
	return []measure{
		{"loss", func(e modelfile.Epoch) (float64, *float64) { return e.Loss, e.ValLoss }},
		{"reconstruction", func(e modelfile.Epoch) (float64, *float64) { return e.Reconstruction, e.ValReconstruction }},
		{"kl", func(e modelfile.Epoch) (float64, *float64) { return e.KL, e.ValKL }},
	}
}

// History draws loss, reconstruction and KL against the epoch, one above the
// other: a colour a run, a full line for training, a dashed one for validation.
// A panel whose numbers span more than a factor of wideRange, all above 0, has a
// logarithmic axis.
func History(runs []Run) (*Figure, error) {
	if len(runs) == 0 {
		return nil, errors.New("no runs to draw")
	}
	for _, r := range runs {
		if len(r.Epochs) == 0 {
			return nil, fmt.Errorf("%s has no history: it was trained for no epoch", r.Name)
		}
	}
	panels := make([][]*plot.Plot, 0, 3)
	for _, m := range measures() {
		p, err := m.panel(runs)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		panels = append(panels, []*plot.Plot{p})
	}
	panels[len(panels)-1][0].X.Label.Text = "epoch"

	legend := historyLegend(runs)
	f := &Figure{width: 8 * vg.Inch, height: 9 * vg.Inch}
	f.draw = func(c draw.Canvas) {
		c = drawLegend(inset(c), legend)
		tiles := draw.Tiles{Rows: len(panels), Cols: 1, PadY: vg.Points(10)}
		for i, row := range plot.Align(panels, tiles, c) {
			panels[i][0].Draw(row[0])
		}
	}
	return f, nil
}

// wideRange is the ratio of the largest to the smallest number above which a
// panel gets a logarithmic axis: a loss that jumped would hide all the others.
const wideRange = 20

func (m measure) panel(runs []Run) (*plot.Plot, error) {
	p := newPlot("", "", m.name)
	p.Add(gridLines())
	epochs := 0
	least, most := math.Inf(1), math.Inf(-1)
	for k, r := range runs {
		var train, val plotter.XYs
		for _, e := range r.Epochs {
			t, v := m.of(e)
			train = append(train, plotter.XY{X: float64(e.Epoch), Y: t})
			least, most = min(least, t), max(most, t)
			if v != nil {
				val = append(val, plotter.XY{X: float64(e.Epoch), Y: *v})
				least, most = min(least, *v), max(most, *v)
			}
			epochs = max(epochs, e.Epoch)
		}
		for i, points := range []plotter.XYs{train, val} {
			if len(points) == 0 {
				continue
			}
			line, dots, err := plotter.NewLinePoints(points)
			if err != nil {
				return nil, err
			}
			line.LineStyle = curveStyle(k, i == 1)
			dots.GlyphStyle = draw.GlyphStyle{Color: colour(k), Radius: vg.Points(1.8), Shape: mark(k)}
			p.Add(line, dots)
		}
	}
	p.X.Min, p.X.Max = 1, float64(max(epochs, 2))
	p.X.Tick.Marker = wholeNumbers{}
	if least > 0 && most > wideRange*least {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	}
	return p, nil
}

func curveStyle(k int, validation bool) draw.LineStyle {
	style := draw.LineStyle{Color: colour(k), Width: vg.Points(1.3)}
	if validation {
		style.Dashes = []vg.Length{vg.Points(4), vg.Points(3)}
	}
	return style
}

func historyLegend(runs []Run) []entry {
	var legend []entry
	for k, r := range runs {
		legend = append(legend, entry{r.Name, stroke(curveStyle(k, false))})
	}
	gray := color.Gray{Y: 80}
	train, val := curveStyle(0, false), curveStyle(0, true)
	train.Color, val.Color = gray, gray
	return append(legend, entry{"train", stroke(train)}, entry{"validation", stroke(val)})
}

// stroke is a line's sign in the legend.
type stroke draw.LineStyle

func (s stroke) Thumbnail(c *draw.Canvas) {
	y := c.Center().Y
	c.StrokeLine2(draw.LineStyle(s), c.Min.X, y, c.Max.X, y)
}

// wholeNumbers are ticks at epochs: all of them, or as many as there is room for.
type wholeNumbers struct{}

func (wholeNumbers) Ticks(lo, hi float64) []plot.Tick {
	step := 1.0
	for k := 0; (hi-lo)/step > 12; k++ {
		step *= []float64{2, 2.5, 2}[k%3] // 1, 2, 5, 10, 20, ...
	}
	var ticks []plot.Tick
	for x := step * math.Ceil(lo/step); x <= hi; x += step {
		ticks = append(ticks, plot.Tick{Value: x, Label: strconv.FormatFloat(x, 'f', -1, 64)})
	}
	return ticks
}
