// Package steer is arithmetic on latent vectors: ways from one to another, values
// along one dimension, and concepts, the directions that turn one kind of image
// into another. Vectors come and go as plain numbers; encoding and decoding them
// is the callers' business.
package steer

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/stat"
)

// Lerp returns the given number of points, 2 or more, spaced evenly on the
// straight line from a to b, both included: [steps, len(a)].
func Lerp(a, b []float32, steps int) []float32 {
	line := make([]float32, 0, steps*len(a))
	for _, t := range Span(0, 1, steps) {
		line = appendMix(line, a, b, 1-t, t)
	}
	return line
}

// Slerp does the same on the arc from a to b around the origin, at even angles
// (Shoemake, 1985):
//
//	sin((1-t)w)/sin(w) a + sin(tw)/sin(w) b, w being the angle between a and b
//
// so that the points keep the distance from the origin that samples from the
// prior have. Vectors that point in opposite directions, or have no direction,
// have no such arc: an error. Where they point the same way it is the line.
func Slerp(a, b []float32, steps int) ([]float32, error) {
	angle, err := angleBetween(a, b)
	if err != nil {
		return nil, err
	}
	sin := math.Sin(angle)
	if sin < 1e-6 { // the formula's limit
		return Lerp(a, b, steps), nil
	}
	arc := make([]float32, 0, steps*len(a))
	for _, t := range Span(0, 1, steps) {
		arc = appendMix(arc, a, b, math.Sin((1-t)*angle)/sin, math.Sin(t*angle)/sin)
	}
	return arc, nil
}

func angleBetween(a, b []float32) (float64, error) {
	u, v := unit(a), unit(b)
	if u == nil || v == nil {
		return 0, errors.New("no arc between the two: one of them is the origin")
	}
	// By the lengths of u-v and u+v, exact where the cosine is not (Kahan).
	angle := 2 * math.Atan2(floats.Distance(u, v, 2), floats.Norm(floats.AddTo(make([]float64, len(u)), u, v), 2))
	if math.Pi-angle < 1e-6 {
		return 0, errors.New("no single arc between the two: they lie opposite each other")
	}
	return angle, nil
}

// unit returns v at length 1, or nil where it has no length.
func unit(v []float32) []float64 {
	u := make([]float64, len(v))
	for i, x := range v {
		u[i] = float64(x)
	}
	length := floats.Norm(u, 2)
	if length == 0 {
		return nil
	}
	floats.Scale(1/length, u)
	return u
}

func appendMix(dst, a, b []float32, s, t float64) []float32 {
	for i := range a {
		dst = append(dst, float32(s*float64(a[i])+t*float64(b[i])))
	}
	return dst
}

// Quantiles returns those of the values for n probabilities, 2 or more, spaced
// evenly from lo to hi, between the values by linear interpolation. It sorts the
// values.
func Quantiles(values []float64, n int, lo, hi float64) ([]float64, error) {
	if len(values) == 0 {
		return nil, errors.New("no values to take quantiles of")
	}
	slices.Sort(values)
	q := Span(lo, hi, n)
	for i, p := range q {
		q[i] = stat.Quantile(p, stat.LinInterp, values, nil)
	}
	return q, nil
}

// Span returns n numbers spaced evenly from lo to hi, both included; lo alone
// where n is 1.
func Span(lo, hi float64, n int) []float64 {
	if n == 1 {
		return []float64{lo}
	}
	return floats.Span(make([]float64, n), lo, hi)
}

// Concept returns the direction from one set of vectors to another, both
// [n, dim]: the difference between their means.
func Concept(from, to []float32, dim int) ([]float32, error) {
	a, err := mean(from, dim)
	if err != nil {
		return nil, fmt.Errorf("from: %w", err)
	}
	b, err := mean(to, dim)
	if err != nil {
		return nil, fmt.Errorf("to: %w", err)
	}
	v := make([]float32, dim)
	for i := range v {
		v[i] = float32(b[i] - a[i])
	}
	return v, nil
}

func mean(z []float32, dim int) ([]float64, error) {
	n := len(z) / dim
	if n == 0 {
		return nil, errors.New("no images")
	}
	m := make([]float64, dim)
	for i, x := range z {
		m[i%dim] += float64(x)
	}
	floats.Scale(1/float64(n), m)
	return m, nil
}

// Add overwrites dst with z + alpha*v; dst may be z. Both are [n, len(v)]. What
// comes out must be finite.
func Add(dst, z, v []float32, alpha float64) error {
	for i, x := range z {
		dst[i] = float32(float64(x) + alpha*float64(v[i%len(v)]))
		if y := float64(dst[i]); math.IsNaN(y) || math.IsInf(y, 0) {
			return fmt.Errorf("%v and %v times %v is %v: must be finite", x, alpha, v[i%len(v)], y)
		}
	}
	return nil
}

// Share is how many of some images count as one kind and as the other.
type Share struct {
	Alpha    float64
	From, To float64 // from 0 to 1
}

// Reach tells how well the concept v turns images of one label into another's:
// for each alpha, the share of z + alpha*v, z being [n, len(v)], that classify
// gives either label.
func Reach(z, v []float32, alphas []float64, from, to byte, classify func(z []float32) ([]byte, error)) ([]Share, error) {
	moved := make([]float32, len(z))
	var shares []Share
	for _, alpha := range alphas {
		if err := Add(moved, z, v, alpha); err != nil {
			return nil, err
		}
		labels, err := classify(moved)
		if err != nil {
			return nil, err
		}
		s := Share{Alpha: alpha}
		for _, l := range labels {
			switch l {
			case from:
				s.From += 1 / float64(len(labels))
			case to:
				s.To += 1 / float64(len(labels))
			}
		}
		shares = append(shares, s)
	}
	return shares, nil
}
