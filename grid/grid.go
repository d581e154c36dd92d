// Package grid is the geometry of a latent manifold: which latent vector each
// cell of an n x n grid stands for, and how the decoded images are laid out in
// one picture. What belongs here is arithmetic on coordinates and pixels;
// decoding a latent, PNG and files belong to the callers.
//
// The usual round is New, then in batches Grid.Fill, the caller's decoder and
// Sheet.Set, so that a large grid never needs all its latents or images at once.
package grid

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mathext"
)

// MaxN is the largest number of cells along one side of a grid.
const MaxN = 256

// Spec describes a grid in the words of the command line.
type Spec struct {
	N      int     // cells a side, 1 to MaxN
	Lo, Hi float64 // quantiles of the first and last cell, 0 < Lo < Hi < 1
	YUp    bool    // the vertical axis grows upwards; the default is downwards
	Latent int     // latent dimensions of the model

	// Axes are the dimensions, counted from 1, that grow to the right and
	// down. The zero value means 1 and 2, or 1 alone when Latent is 1.
	Axes [2]int

	// At is the point, Latent numbers long, that the grid runs through: it
	// gives the dimensions that are not in Axes. Nil means 0 everywhere.
	At []float64
}

// Grid maps cells, numbered in picture order (left to right, then downwards),
// to latent vectors.
type Grid struct {
	rows, cols int
	x, y       int       // the axes counted from 0; y is -1 when there is one row
	right      []float32 // right[j] is the x coordinate of column j
	down       []float32 // down[i] is the y coordinate of row i
	at         []float32 // the vector every cell starts from
}

// New returns the grid that s describes. Cell (i, j) has q[j] on the first axis
// and q[i] on the second, q being Quantiles(N, Lo, Hi), or q[N-1-i] with YUp. A
// model with one latent dimension gives a single row of N cells.
func New(s Spec) (*Grid, error) {
	q, err := Quantiles(s.N, s.Lo, s.Hi)
	if err != nil {
		return nil, err
	}
	if s.Latent < 1 {
		return nil, fmt.Errorf("latent dimension is %d: must be at least 1", s.Latent)
	}
	x, y, err := s.axes()
	if err != nil {
		return nil, err
	}
	at, err := s.at()
	if err != nil {
		return nil, err
	}
	g := &Grid{rows: s.N, cols: s.N, x: x, y: y, at: at}
	g.right = make([]float32, s.N)
	g.down = make([]float32, s.N)
	for i, v := range q {
		g.right[i] = float32(v)
		if s.YUp {
			g.down[s.N-1-i] = float32(v)
		} else {
			g.down[i] = float32(v)
		}
	}
	if y < 0 {
		g.rows = 1
	}
	return g, nil
}

// axes checks s.Axes and returns them counted from 0.
func (s Spec) axes() (x, y int, err error) {
	if s.Latent == 1 {
		if s.Axes != [2]int{} {
			return 0, 0, fmt.Errorf("axes are %d,%d: a model with 1 latent dimension has no two axes to choose", s.Axes[0], s.Axes[1])
		}
		return 0, -1, nil
	}
	a := s.Axes
	if a == [2]int{} {
		a = [2]int{1, 2}
	}
	if a[0] == a[1] || min(a[0], a[1]) < 1 || max(a[0], a[1]) > s.Latent {
		return 0, 0, fmt.Errorf("axes are %d,%d: must be two different numbers from 1 to %d", a[0], a[1], s.Latent)
	}
	return a[0] - 1, a[1] - 1, nil
}

// at checks s.At and returns it in the decoder's precision.
func (s Spec) at() ([]float32, error) {
	at := make([]float32, s.Latent)
	if s.At == nil {
		return at, nil
	}
	if len(s.At) != s.Latent {
		return nil, fmt.Errorf("at has %d numbers: must have %d, one for each latent dimension", len(s.At), s.Latent)
	}
	for k, v := range s.At {
		at[k] = float32(v)
		if f := float64(at[k]); math.IsNaN(f) || math.IsInf(f, 0) {
			return nil, fmt.Errorf("at: number %d is %v: must be finite in 32 bits", k+1, v)
		}
	}
	return at, nil
}

// Rows returns the number of cells from top to bottom.
func (g *Grid) Rows() int { return g.rows }

// Cols returns the number of cells from left to right.
func (g *Grid) Cols() int { return g.cols }

// Len returns the number of cells, Rows() * Cols().
func (g *Grid) Len() int { return g.rows * g.cols }

// Latent returns the length of one cell's latent vector.
func (g *Grid) Latent() int { return len(g.at) }

// Fill writes the latents of cells first, first+1, ... into z, a [len][Latent]
// array, and returns how many it wrote: as many as fit into z and remain.
func (g *Grid) Fill(z []float32, first int) int {
	if first < 0 || first > g.Len() {
		panic("grid: first cell outside the grid")
	}
	d := len(g.at)
	n := min(len(z)/d, g.Len()-first)
	for k := range n {
		i, j := (first+k)/g.cols, (first+k)%g.cols
		v := z[k*d : (k+1)*d]
		copy(v, g.at)
		v[g.x] = g.right[j]
		if g.y >= 0 {
			v[g.y] = g.down[i]
		}
	}
	return n
}

// Quantiles returns the standard normal quantiles of n probabilities spaced
// evenly from lo to hi, both included. As in numpy.linspace, n = 1 gives lo alone.
// It wants n from 1 to MaxN and 0 < lo < hi < 1.
func Quantiles(n int, lo, hi float64) ([]float64, error) {
	if n < 1 || n > MaxN {
		return nil, fmt.Errorf("n is %d: must be 1 to %d", n, MaxN)
	}
	if !(0 < lo && lo < hi && hi < 1) {
		return nil, fmt.Errorf("lo and hi are %v and %v: must satisfy 0 < lo < hi < 1", lo, hi)
	}
	q := make([]float64, n)
	for i := range q {
		p := lo
		switch {
		case i > 0 && i == n-1:
			p = hi
		case i > 0:
			p = lo + float64(i)*((hi-lo)/float64(n-1))
		}
		q[i] = mathext.NormalQuantile(p)
	}
	return q, nil
}
