package eval

import (
	"context"
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"vaectl/internal/parallel"
)

// Neighbours finds the nearest of a set of points by Euclidean distance, exactly.
//
// A matrix product gives all distances to rounding; those near enough to matter
// are then computed again in float64. A k-d tree is faster in two or three
// dimensions, where this takes a few seconds for 10,000 queries among 60,000
// points; in 16 a tree visits nearly all of its points, and this takes no longer.
type Neighbours struct {
	points []float32 // [n, dim]
	dim    int
	norms  []float32 // squared lengths
	radius float64   // the largest length
}

// NewNeighbours prepares a search among points [n, dim], which it keeps.
func NewNeighbours(points []float32, dim int) *Neighbours {
	s := &Neighbours{points: points, dim: dim, norms: make([]float32, len(points)/dim)}
	for i := range s.norms {
		square := squaredLength(s.at(i))
		s.norms[i] = float32(square)
		s.radius = max(s.radius, math.Sqrt(square))
	}
	return s
}

// Len is the number of points.
func (s *Neighbours) Len() int { return len(s.norms) }

func (s *Neighbours) at(i int) []float32 { return s.points[i*s.dim:][:s.dim] }

// A block of queries against a block of points is one product. Its result stays
// in a core's own cache.
const (
	queryBlock = 32
	pointBlock = 1024
	// roundBlocks query blocks pass between two looks at the context.
	roundBlocks = 16
)

// Nearest returns the indexes of the k points nearest to each of the queries
// [n, dim], as [n, k] with the nearest first; of points at equal distance, the
// first comes first. With own, query i is point i where there is one, and is not
// its own neighbour. k must be at most the number of points, less one with own.
// It returns ctx's error soon after ctx ends.
func (s *Neighbours) Nearest(ctx context.Context, pool *parallel.Pool, queries []float32, k int, own bool) ([]int32, error) {
	n := len(queries) / s.dim
	found := make([]int32, n*k)
	searches := make([]search, pool.Workers())
	for i := range searches {
		searches[i] = search{Neighbours: s, products: make([]float32, queryBlock*pointBlock), near: make([]nearest, queryBlock)}
		for q := range searches[i].near {
			searches[i].near[q] = nearest{index: make([]int32, k), distance: make([]float64, k)}
		}
	}
	blocks := (n + queryBlock - 1) / queryBlock
	for lo := 0; lo < blocks; lo += roundBlocks {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		pool.Run(min(roundBlocks, blocks-lo), func(worker, task int) {
			first := (lo + task) * queryBlock
			count := min(queryBlock, n-first)
			search := &searches[worker]
			search.block(queries[first*s.dim:][:count*s.dim], first, own)
			for q := range count {
				copy(found[(first+q)*k:][:k], search.near[q].index)
			}
		})
	}
	return found, nil
}

// search is one worker's memory.
type search struct {
	*Neighbours
	products []float32
	near     []nearest
}

// block finds the neighbours of the queries from number first on.
func (s *search) block(queries []float32, first int, own bool) {
	count := len(queries) / s.dim
	for q := range count {
		s.near[q].reset(queries[q*s.dim:][:s.dim], s.Neighbours)
	}
	for lo := 0; lo < s.Len(); lo += pointBlock {
		n := min(pointBlock, s.Len()-lo)
		blas32.Gemm(blas.NoTrans, blas.Trans, 1,
			blas32.General{Rows: count, Cols: s.dim, Stride: s.dim, Data: queries},
			blas32.General{Rows: n, Cols: s.dim, Stride: s.dim, Data: s.points[lo*s.dim:]},
			0, blas32.General{Rows: count, Cols: n, Stride: n, Data: s.products})
		for q := range count {
			near, norms := &s.near[q], s.norms[lo:lo+n]
			for i, product := range s.products[q*n:][:n] {
				// So written, what is NaN is looked at.
				if norms[i]-2*product > near.bound || own && lo+i == first+q {
					continue
				}
				near.offer(lo+i, s.at(lo+i))
			}
		}
	}
}

// nearest are the nearest points to one query so far, the nearest first.
type nearest struct {
	index    []int32
	distance []float64 // squared

	query         []float32
	square, slack float64
	// bound: a point whose |p|² - 2 q·p, computed in float32, is above it is
	// farther than the last of the nearest.
	bound float32
}

func (n *nearest) reset(query []float32, s *Neighbours) {
	n.query, n.square = query, squaredLength(query)
	for i := range n.distance {
		n.index[i], n.distance[i] = -1, math.Inf(1)
	}
	// A float32 product of dim terms is off by at most dim*2^-24 of |q||p|
	// (Higham, Accuracy and Stability, 3.1); the rest of the expression and the
	// rounding of the bound itself add less than four such of (|q|+|p|)². Twice
	// that is taken.
	reach := math.Sqrt(n.square) + s.radius
	n.slack = 4 * float64(s.dim+4) * 0x1p-24 * reach * reach
	if !(reach < 1e18) { // whose square overflows: compute all distances
		n.slack = math.Inf(1)
	}
	n.bound = float32(math.Inf(1))
}

// offer takes point i if it is nearer than one of the nearest.
func (n *nearest) offer(i int, point []float32) {
	distance := squaredDistance(n.query, point)
	at := len(n.distance) - 1
	if !(distance < n.distance[at]) {
		return
	}
	for ; at > 0 && distance < n.distance[at-1]; at-- {
		n.index[at], n.distance[at] = n.index[at-1], n.distance[at-1]
	}
	n.index[at], n.distance[at] = int32(i), distance
	n.bound = float32(n.distance[len(n.distance)-1] - n.square + n.slack)
}

func squaredLength(a []float32) (sum float64) {
	for _, x := range a {
		sum += float64(x) * float64(x)
	}
	return sum
}

func squaredDistance(a, b []float32) (sum float64) {
	for i, x := range a {
		d := float64(x) - float64(b[i])
		sum += d * d
	}
	return sum
}

// vote returns the label that most of the neighbours have, the smallest of those
// that equally many have: scikit-learn's rule.
func vote(labels []byte, neighbours []int32) byte {
	var counts [256]int
	for _, i := range neighbours {
		counts[labels[i]]++
	}
	best := 0
	for label, count := range counts {
		if count > counts[best] {
			best = label
		}
	}
	return byte(best)
}
