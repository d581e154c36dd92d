package chart

import (
	"errors"
	"fmt"
	"image"
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Scatter is a picture of where images lie in the latent space.
type Scatter struct {
	Title  string
	XName  string // of the latent dimension to the right
	YName  string // of the one upwards
	X      []float64
	Y      []float64 // one a point; nil where there is one dimension: then a band a label
	Labels []byte    // one a point; nil where they are not known

	// Ellipses draws, for about as many points spread over all, the ellipse one
	// standard deviation around it: SDX and SDY, one a point.
	Ellipses int
	SDX, SDY []float64

	// Over is the manifold that the points are laid over, or nil.
	Over *Manifold
}

// Manifold is a picture of images decoded at the quantiles of the standard
// normal distribution: column j and row i at the quantiles of Lo + j*Step and
// Lo + i*Step.
type Manifold struct {
	Image  *image.Gray
	N      int     // images a side, 2 or more
	Lo, Hi float64 // probabilities of the first and the last
	YUp    bool    // the lowest quantile is at the bottom
}

// Latent draws a scatter. Over a manifold, a point z lies at the probability
// that a normal number is below z, on either axis, so that it falls on the image
// decoded nearest to it, and no point falls outside; otherwise axes are linear.
func Latent(s Scatter) (*Figure, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	p := newPlot(s.Title, s.XName, s.YName)
	f := &Figure{width: 7.2 * vg.Inch, height: 6.5 * vg.Inch}
	place := linear
	switch {
	case s.Over != nil:
		place = s.Over.place
		s.Over.addTo(p)
	case s.Y == nil:
		f.height = s.addBands(p)
	default:
		p.Add(gridLines())
	}
	classes := s.classes()
	p.Add(&dots{&s, place, classes})
	if s.Ellipses > 0 {
		p.Add(&ellipses{&s, place, classes})
	}

	var legend []entry
	for label := range 256 {
		if k := classes[label]; k >= 0 && s.Labels != nil && s.Y != nil {
			legend = append(legend, entry{strconv.Itoa(label), thumb(k)})
		}
	}
	f.draw = func(c draw.Canvas) { p.Draw(drawLegend(inset(c), legend)) }
	return f, nil
}

func (s *Scatter) check() error {
	n := len(s.X)
	switch {
	case n == 0:
		return errors.New("no points to draw")
	case s.Y == nil && (s.Over != nil || s.Ellipses > 0):
		return errors.New("manifold and ellipses need two dimensions")
	case s.Over != nil && (s.Over.N < 2 || !(0 < s.Over.Lo && s.Over.Lo < s.Over.Hi && s.Over.Hi < 1)):
		return errors.New("the manifold must have at least 2 images a side, at probabilities between 0 and 1")
	}
	for _, list := range [][]float64{s.X, s.Y, s.SDX, s.SDY} {
		if list != nil && len(list) != n {
			return fmt.Errorf("%d numbers for %d points", len(list), n)
		}
		for i, v := range list {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("point %d is at %v: must be finite", i, v)
			}
		}
	}
	if s.Labels != nil && len(s.Labels) != n {
		return fmt.Errorf("%d labels for %d points", len(s.Labels), n)
	}
	if s.Ellipses > 0 && (s.SDX == nil || s.SDY == nil) {
		return errors.New("ellipses need standard deviations")
	}
	return nil
}

// classes numbers the labels that occur in their order; the others get -1.
// Without labels all points are of label 0.
func (s *Scatter) classes() (class [256]int) {
	var seen [256]bool
	seen[0] = s.Labels == nil
	for _, l := range s.Labels {
		seen[l] = true
	}
	n := 0
	for l, there := range seen {
		class[l] = -1
		if there {
			class[l] = n
			n++
		}
	}
	return class
}

func (s *Scatter) label(i int) byte {
	if s.Labels == nil {
		return 0
	}
	return s.Labels[i]
}

// style makes many points small and lets them shine through.
func (s *Scatter) style(k int) draw.GlyphStyle {
	n := float64(len(s.X))
	radius := min(max(14/math.Sqrt(math.Sqrt(n)), 1.3), 3)
	alpha := min(max(1.5-0.1*math.Log(n), 0.55), 0.9)
	return draw.GlyphStyle{Color: faded(colour(k), alpha), Radius: vg.Points(radius), Shape: mark(k)}
}

// thumb is class k's sign in the legend.
type thumb int

func (k thumb) Thumbnail(c *draw.Canvas) {
	c.DrawGlyphNoClip(draw.GlyphStyle{Color: colour(int(k)), Radius: vg.Points(4), Shape: mark(int(k))}, c.Center())
}

// placing maps a point of the latent space to the plot's coordinates.
type placing func(x, y float64) (float64, float64)

func linear(x, y float64) (float64, float64) { return x, y }

// dots are all points, in the order of the data, so that no class covers
// another.
type dots struct {
	*Scatter
	place   placing
	classes [256]int
}

func (d *dots) at(i int) (x, y float64) {
	if d.Y == nil {
		return d.X[i], d.band(i)
	}
	return d.place(d.X[i], d.Y[i])
}

// band is the height of point i where there is one latent dimension: its class,
// and a little more so that points do not cover each other.
func (d *dots) band(i int) float64 {
	return float64(d.classes[d.label(i)]) + 0.8*(spread(i)-0.5)
}

// spread is the fractional part of the multiples of the golden section, which
// fill the interval from 0 to 1 evenly and in no step with the data's order.
func spread(i int) float64 {
	_, fraction := math.Modf(float64(i) * (math.Phi - 1))
	return fraction
}

func (d *dots) Plot(c draw.Canvas, p *plot.Plot) {
	trX, trY := p.Transforms(&c)
	var styles [256]draw.GlyphStyle
	for label, k := range d.classes {
		styles[label] = d.style(max(k, 0))
	}
	for i := range d.X {
		x, y := d.at(i)
		c.DrawGlyphNoClip(styles[d.label(i)], vg.Point{X: trX(x), Y: trY(y)})
	}
}

func (d *dots) DataRange() (xmin, xmax, ymin, ymax float64) {
	xmin, ymin = math.Inf(1), math.Inf(1)
	xmax, ymax = math.Inf(-1), math.Inf(-1)
	for i := range d.X {
		x, y := d.at(i)
		xmin, xmax, ymin, ymax = min(xmin, x), max(xmax, x), min(ymin, y), max(ymax, y)
	}
	return xmin, xmax, ymin, ymax
}

// ellipses are the posteriors of some points.
type ellipses struct {
	*Scatter
	place   placing
	classes [256]int
}

func (e *ellipses) Plot(c draw.Canvas, p *plot.Plot) {
	trX, trY := p.Transforms(&c)
	for k := range min(e.Ellipses, len(e.X)) {
		i := int(spread(k) * float64(len(e.X)))
		e.outline(i, func(corners []vg.Point) {
			style := draw.LineStyle{Color: colour(e.classes[e.label(i)]), Width: vg.Points(0.8)}
			c.StrokeLines(style, c.ClipLinesXY(corners)...)
		}, trX, trY)
	}
}

func (e *ellipses) outline(i int, stroke func([]vg.Point), trX, trY func(float64) vg.Length) {
	const corners = 48
	line := make([]vg.Point, corners+1)
	for k := range line {
		sin, cos := math.Sincos(2 * math.Pi * float64(k) / corners)
		x, y := e.place(e.X[i]+e.SDX[i]*cos, e.Y[i]+e.SDY[i]*sin)
		line[k] = vg.Point{X: trX(x), Y: trY(y)}
	}
	stroke(line)
}

// addBands prepares the plot for one latent dimension and returns its height.
func (s *Scatter) addBands(p *plot.Plot) vg.Length {
	classes := s.classes()
	var ticks plot.ConstantTicks
	for label, k := range classes {
		if k >= 0 && s.Labels != nil {
			ticks = append(ticks, plot.Tick{Value: float64(k), Label: strconv.Itoa(label)})
		}
	}
	p.Y.Tick.Marker, p.Y.Tick.Length = ticks, 0
	p.Y.Min, p.Y.Max = -0.5, max(float64(len(ticks)), 1)-0.5
	if s.Labels != nil {
		p.Y.Label.Text = "label"
	}
	lines := gridLines()
	lines.Horizontal.Width = 0
	p.Add(lines)
	return min(1.6*vg.Inch+vg.Length(len(ticks))*0.4*vg.Inch, 12*vg.Inch)
}

// place maps a latent vector to probabilities, downwards unless YUp.
func (m *Manifold) place(x, y float64) (float64, float64) {
	v := normalCDF(y)
	if !m.YUp {
		v = 1 - v
	}
	return normalCDF(x), v
}

func normalCDF(x float64) float64 { return math.Erfc(-x/math.Sqrt2) / 2 }

// edges are those of the manifold's picture, in the plot's coordinates.
func (m *Manifold) edges() (left, right, bottom, top float64) {
	half := (m.Hi - m.Lo) / float64(m.N-1) / 2
	lo, hi := m.Lo-half, m.Hi+half
	if m.YUp {
		return lo, hi, lo, hi
	}
	return lo, hi, 1 - hi, 1 - lo
}

// addTo puts the manifold, pale, behind the plot's points.
func (m *Manifold) addTo(p *plot.Plot) {
	left, right, bottom, top := m.edges()
	p.Add(plotter.NewImage(pale(m.Image), left, bottom, right, top))
	for _, axis := range []*plot.Axis{&p.X, &p.Y} {
		axis.Min, axis.Max = min(axis.Min, 0), max(axis.Max, 1)
		axis.Padding = 0
	}
	var across, up plot.ConstantTicks
	for _, z := range []float64{-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2} {
		x, y := m.place(z, z)
		name := strconv.FormatFloat(z, 'g', -1, 64)
		across = append(across, plot.Tick{Value: x, Label: name})
		up = append(up, plot.Tick{Value: y, Label: name})
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = across, up
}

// pale turns light strokes on a dark ground to light gray ones on white,
// enlarged so that a viewer that smooths images leaves their pixels visible.
func pale(img *image.Gray) *image.Gray {
	const scale, strength = 2, 0.35
	out := enlarged(img, scale)
	for i, v := range out.Pix {
		out.Pix[i] = uint8(255 - strength*float64(v))
	}
	return out
}
