package chart

import (
	"errors"
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Curve is a share, from 0 to 1, against something. X, Y and SE, the standard
// errors of Y, are equally long.
type Curve struct {
	Name     string
	X, Y, SE []float64
}

// Shares draws curves with bars of one standard error.
func Shares(title, x, y string, curves []Curve) (*Figure, error) {
	if len(curves) == 0 {
		return nil, errors.New("no curves to draw")
	}
	p := newPlot(title, x, y)
	p.Add(gridLines())
	var legend []entry
	for k, c := range curves {
		if len(c.X) == 0 || len(c.Y) != len(c.X) || len(c.SE) != len(c.X) {
			return nil, fmt.Errorf("curve %s: %d, %d and %d numbers", c.Name, len(c.X), len(c.Y), len(c.SE))
		}
		var points struct {
			plotter.XYs
			plotter.YErrors
		}
		for i := range c.X {
			points.XYs = append(points.XYs, plotter.XY{X: c.X[i], Y: c.Y[i]})
			points.YErrors = append(points.YErrors, struct{ Low, High float64 }{c.SE[i], c.SE[i]})
		}
		line, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return nil, fmt.Errorf("curve %s: %w", c.Name, err)
		}
		bars, err := plotter.NewYErrorBars(points)
		if err != nil {
			return nil, fmt.Errorf("curve %s: %w", c.Name, err)
		}
		line.LineStyle = curveStyle(k, false)
		bars.LineStyle = draw.LineStyle{Color: colour(k), Width: vg.Points(0.8)}
		dots.GlyphStyle = draw.GlyphStyle{Color: colour(k), Radius: vg.Points(2.5), Shape: mark(k)}
		p.Add(line, bars, dots)
		legend = append(legend, entry{c.Name, stroke(line.LineStyle)})
	}
	p.Y.Min, p.Y.Max = 0, 1
	var ticks plot.ConstantTicks
	for i := range 6 {
		ticks = append(ticks, plot.Tick{Value: float64(i) / 5, Label: fmt.Sprintf("%.1f", float64(i)/5)})
	}
	p.Y.Tick.Marker = ticks
	return &Figure{
		width: 7.5 * vg.Inch, height: 4.5 * vg.Inch,
		draw: func(c draw.Canvas) { p.Draw(drawLegend(inset(c), legend)) },
	}, nil
}
