package eval

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"

	"vaectl/internal/parallel"
	"vaectl/mnist"
	"vaectl/nn"
)

// naiveNearest sorts all points by their distance.
func naiveNearest(points []float32, dim int, query []float32, k, except int) []int32 {
	type neighbour struct {
		index    int32
		distance float64
	}
	var all []neighbour
	for i := 0; i < len(points)/dim; i++ {
		sum := 0.0
		for j := range dim {
			d := float64(points[i*dim+j]) - float64(query[j])
			sum += d * d
		}
		if i != except {
			all = append(all, neighbour{int32(i), sum})
		}
	}
	slices.SortStableFunc(all, func(a, b neighbour) int { return cmp.Compare(a.distance, b.distance) })
	var found []int32
	for _, n := range all[:k] {
		found = append(found, n.index)
	}
	return found
}

func TestNearest(t *testing.T) {
	tests := []struct {
		name   string
		points int
		draw   func(*rand.Rand) float32
	}{
		{"normal", 2*pointBlock + 17, func(r *rand.Rand) float32 { return float32(r.NormFloat64()) }},
		{"many at equal distance", pointBlock + 5, func(r *rand.Rand) float32 { return float32(r.IntN(3)) }},
		{"all in one place", 40, func(*rand.Rand) float32 { return 1.5 }},
		{"far from zero", pointBlock + 5, func(r *rand.Rand) float32 { return 3e4 + float32(r.NormFloat64()) }},
		{"one outlier in a hundred", pointBlock, func(r *rand.Rand) float32 {
			if r.IntN(100) == 0 {
				return 1e6
			}
			return float32(r.NormFloat64())
		}},
		{"some squares overflow", 18, func(r *rand.Rand) float32 { return 4e18 + 2e19*r.Float32() }},
		{"as few as wanted", 16, func(r *rand.Rand) float32 { return float32(r.NormFloat64()) }},
	}
	pool := parallel.New(2)
	defer pool.Close()
	for _, tt := range tests {
		for _, dim := range []int{1, 2, 3, 16, 33} {
			rng := rand.New(rand.NewPCG(1, uint64(dim)))
			points := make([]float32, tt.points*dim)
			for i := range points {
				points[i] = tt.draw(rng)
			}
			const n, k = queryBlock + 9, 15
			others := make([]float32, n*dim)
			for i := range others {
				others[i] = tt.draw(rng)
			}
			for _, own := range []bool{false, true} {
				queries := others
				if own { // the first points, and then some that are none of them
					copy(queries, points)
				}
				got, err := NewNeighbours(points, dim).Nearest(t.Context(), pool, queries, k, own)
				if err != nil {
					t.Fatal(err)
				}
				for q := range n {
					except := -1
					if own {
						except = q
					}
					want := naiveNearest(points, dim, queries[q*dim:][:dim], k, except)
					if !slices.Equal(got[q*k:][:k], want) {
						t.Fatalf("%s, %d dimensions, own %v, query %d: %v, want %v", tt.name, dim, own, q, got[q*k:][:k], want)
					}
				}
			}
		}
	}
}

func TestVote(t *testing.T) {
	labels := []byte{7, 3, 3, 255, 7, 0}
	tests := []struct {
		neighbours []int32
		want       byte
	}{
		{[]int32{0}, 7}, {[]int32{3}, 255}, {[]int32{0, 1, 2}, 3}, {[]int32{0, 4, 1, 2}, 3}, {[]int32{3, 4, 5}, 0}, {[]int32{4, 0, 1}, 7},
	}
	for _, tt := range tests {
		if got := vote(labels, tt.neighbours); got != tt.want {
			t.Errorf("%v: %d, want %d", tt.neighbours, got, tt.want)
		}
	}
}

// pcScores are the images' coordinates along the principal components of the
// references, as gonum's stat.PC finds them.
func pcScores(t *testing.T, references, images *mnist.Split, dim int) []float32 {
	t.Helper()
	dense := func(s *mnist.Split) *mat.Dense {
		m := mat.NewDense(s.Len(), s.Rows*s.Cols, nil)
		for i := range s.Len() {
			for j, b := range s.At(i) {
				m.Set(i, j, float64(b))
			}
		}
		return m
	}
	var pc stat.PC
	if !pc.PrincipalComponents(dense(references), nil) {
		t.Fatal("no principal components")
	}
	var vectors, scores mat.Dense
	pc.VectorsTo(&vectors)
	scores.Mul(dense(images), vectors.Slice(0, references.Rows*references.Cols, 0, dim))
	var z []float32
	for _, x := range scores.RawMatrix().Data {
		z = append(z, float32(x))
	}
	return z
}

// The sums are those of whole numbers, bright as the images may be.
func TestCovarianceIsExact(t *testing.T) {
	const n, rows, cols, pixels = 2*exactRows + 3, 10, 8, 80 // more than a stripe
	rng := rand.New(rand.NewPCG(2, 2))
	s := &mnist.Split{Images: mnist.Images{Rows: rows, Cols: cols}}
	for range n * pixels {
		s.Pix = append(s.Pix, byte(253+rng.IntN(3)))
	}
	pool := parallel.New(3)
	defer pool.Close()
	got, err := covariance(t.Context(), pool, s)
	if err != nil {
		t.Fatal(err)
	}
	for i := range pixels {
		for j := range pixels {
			both, first, second := 0, 0, 0
			for _, image := range slices.Collect(slices.Chunk(s.Pix, pixels)) {
				both += int(image[i]) * int(image[j])
				first += int(image[i])
				second += int(image[j])
			}
			want := float64(both)/n - float64(first)/n*(float64(second)/n)
			if got.At(i, j) != want {
				t.Fatalf("pixels %d and %d: %v, want %v", i, j, got.At(i, j), want)
			}
		}
	}
}

// The accuracies of a report against stat.PC and the naive search, also where the
// images are the references and not their own neighbours.
func TestAccuracy(t *testing.T) {
	const dim = 2
	model, pool := newModel(t, nn.Config{Height: 6, Width: 4, LatentDim: dim, Noise: nn.BookNoise, Convolution: nn.Winograd}, 1, 2, 16)
	references := newImages(2*exactRows+70, 6, 4, 1) // more than one block of exact sums
	for _, own := range []bool{false, true} {
		images := newImages(80, 6, 4, 2)
		if own {
			images = references.Head(80)
		}
		r, err := Run(t.Context(), Options{Model: model, Pool: pool, Images: images, References: references, Own: own}, func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		from, err := Encode(t.Context(), model, references)
		if err != nil {
			t.Fatal(err)
		}
		at, err := Encode(t.Context(), model, images)
		if err != nil {
			t.Fatal(err)
		}
		naive := func(points, queries []float32, k int) float64 {
			right := 0
			for i := range images.Len() {
				except := -1
				if own {
					except = i
				}
				counts := map[byte]int{}
				for _, j := range naiveNearest(points, dim, queries[i*dim:][:dim], k, except) {
					counts[references.Labels[j]]++
				}
				best := byte(0)
				for label := range byte(10) {
					if counts[label] > counts[best] {
						best = label
					}
				}
				if best == images.Labels[i] {
					right++
				}
			}
			return float64(right) / float64(images.Len())
		}
		if len(r.Accuracy) != 3 {
			t.Fatalf("accuracies %v", r.Accuracy)
		}
		for i, k := range []int{1, 5, 15} {
			a, what := r.Accuracy[i], fmt.Sprintf("own %v, k %d", own, k)
			latent := naive(from.Mean, at.Mean, k)
			near(t, what+": by z_mean", a.Latent.Value, latent, 1e-12)
			near(t, what+": by PCA", a.PCA.Value, naive(pcScores(t, references, references, dim), pcScores(t, references, images, dim), k), 1e-12)
			if latent < 0.2 || latent == 1 {
				t.Errorf("%s: accuracy %v: the case shows nothing", what, latent)
			}
		}
	}
}

func TestAccuracyLeftOut(t *testing.T) {
	unlabelled := func(s *mnist.Split) *mnist.Split { s.Labels = nil; return s }
	tests := []struct {
		name               string
		images, references *mnist.Split
		own                bool
		accuracies         int
		notes              []string
	}{
		{"no labels", unlabelled(newImages(9, 6, 4, 1)), newImages(20, 6, 4, 2), false, 0,
			[]string{"no accuracy of neighbours: it takes labels of both the training and the measured images"}},
		{"no labels to learn from", newImages(9, 6, 4, 1), unlabelled(newImages(20, 6, 4, 2)), false, 0,
			[]string{"no accuracy of neighbours: it takes labels of both the training and the measured images"}},
		{"few references", newImages(9, 6, 4, 1), newImages(14, 6, 4, 2), false, 2,
			[]string{"no accuracy of 15 neighbours: there are 14 to choose from"}},
		{"enough references", newImages(9, 6, 4, 1), newImages(15, 6, 4, 2), false, 3, nil},
		{"few but itself", newImages(15, 6, 4, 2), newImages(15, 6, 4, 2), true, 2,
			[]string{"no accuracy of 15 neighbours: there are 14 to choose from"}},
		{"more dimensions than pixels", newImages(9, 2, 2, 1), newImages(15, 2, 2, 2), false, 3, nil},
		{"large images", newImages(2, 50, 48, 1), newImages(5, 50, 48, 2), false, 2, []string{
			"no accuracy of 15 neighbours: there are 5 to choose from",
			"no PCA to compare with: images have more than 2304 pixels",
		}},
	}
	for _, tt := range tests {
		model, pool := newModel(t, nn.Config{Height: tt.images.Rows, Width: tt.images.Cols, LatentDim: 5, Noise: nn.BookNoise, Convolution: nn.Winograd}, 1, 1, 4)
		r, err := Run(t.Context(), Options{Model: model, Pool: pool, Images: tt.images, References: tt.references, Own: tt.own}, func(string) {})
		if err != nil || len(r.Accuracy) != tt.accuracies || !slices.Equal(r.Notes, tt.notes) {
			t.Errorf("%s: %+v, %v", tt.name, r, err)
		}
	}
}

func BenchmarkNearest(b *testing.B) {
	for _, dim := range []int{2, 16} {
		b.Run(fmt.Sprintf("1000 among 60000 in %d", dim), func(b *testing.B) {
			pool := parallel.New(1)
			defer pool.Close()
			rng := rand.New(rand.NewPCG(1, 1))
			points := make([]float32, 60000*dim)
			for i := range points {
				points[i] = float32(rng.NormFloat64())
			}
			s := NewNeighbours(points, dim)
			for b.Loop() {
				if _, err := s.Nearest(b.Context(), pool, points[:1000*dim], 15, true); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
