package grid

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// bisect finds x with Phi(x) = p through math.Erfc, which shares no formula with
// the rational approximation of gonum.
func bisect(p float64) float64 {
	lo, hi := -40.0, 40.0
	for range 200 {
		mid := (lo + hi) / 2
		if math.Erfc(-mid/math.Sqrt2)/2 < p {
			lo = mid
		} else {
			hi = mid
		}
	}
	return (lo + hi) / 2
}

func TestQuantilesAgainstTables(t *testing.T) {
	// Percentage points of the normal distribution to ten decimals, as in
	// Abramowitz and Stegun, table 26.5.
	tests := []struct {
		p, want float64
	}{
		{0.05, -1.6448536270},
		{0.10, -1.2815515655},
		{0.25, -0.6744897502},
		{0.50, 0},
		{0.75, 0.6744897502},
		{0.90, 1.2815515655},
		{0.95, 1.6448536270},
		{0.975, 1.9599639845},
		{0.99, 2.3263478740},
		{0.999, 3.0902323062},
	}
	for _, tt := range tests {
		q, err := Quantiles(1, tt.p, math.Nextafter(1, 0))
		if err != nil {
			t.Fatal(err)
		}
		if len(q) != 1 || math.Abs(q[0]-tt.want) > 5.1e-11 {
			t.Errorf("quantile of %v = %v, want %v", tt.p, q, tt.want)
		}
	}
}

func TestQuantilesAgainstBisection(t *testing.T) {
	for _, tt := range []struct {
		n      int
		lo, hi float64
	}{{2, 0.05, 0.95}, {15, 0.05, 0.95}, {30, 0.01, 0.99}, {256, 1e-9, 0.7}} {
		q, err := Quantiles(tt.n, tt.lo, tt.hi)
		if err != nil {
			t.Fatal(err)
		}
		if len(q) != tt.n {
			t.Fatalf("n = %d gives %d quantiles", tt.n, len(q))
		}
		for i, got := range q {
			w := float64(i) / float64(tt.n-1)
			want := bisect(tt.lo*(1-w) + tt.hi*w)
			if math.Abs(got-want) > 1e-12*max(1, math.Abs(want)) {
				t.Errorf("n = %d: q[%d] = %v, want %v", tt.n, i, got, want)
			}
		}
	}
}

func fill(t *testing.T, s Spec) (*Grid, [][]float32) {
	t.Helper()
	g, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	z := make([]float32, g.Len()*g.Latent())
	if n := g.Fill(z, 0); n != g.Len() {
		t.Fatalf("Fill wrote %d of %d cells", n, g.Len())
	}
	return g, slices.Collect(slices.Chunk(z, g.Latent()))
}

func TestOrientation(t *testing.T) {
	const n = 3
	q64, err := Quantiles(n, 0.05, 0.95)
	if err != nil {
		t.Fatal(err)
	}
	q := make([]float32, n)
	for i, v := range q64 {
		q[i] = float32(v)
	}
	tests := []struct {
		name string
		spec Spec
		want func(i, j int) []float32
	}{
		{"down", Spec{Latent: 2}, func(i, j int) []float32 { return []float32{q[j], q[i]} }},
		{"up", Spec{Latent: 2, YUp: true}, func(i, j int) []float32 { return []float32{q[j], q[n-1-i]} }},
		{"swapped", Spec{Latent: 2, Axes: [2]int{2, 1}}, func(i, j int) []float32 { return []float32{q[i], q[j]} }},
		{"first two of four", Spec{Latent: 4}, func(i, j int) []float32 { return []float32{q[j], q[i], 0, 0} }},
		{"axes 4,2", Spec{Latent: 4, Axes: [2]int{4, 2}}, func(i, j int) []float32 { return []float32{0, q[i], 0, q[j]} }},
		{"at", Spec{Latent: 4, Axes: [2]int{1, 3}, At: []float64{9, -1, 9, 0.5}}, func(i, j int) []float32 { return []float32{q[j], -1, q[i], 0.5} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.spec.N, tt.spec.Lo, tt.spec.Hi = n, 0.05, 0.95
			g, z := fill(t, tt.spec)
			if g.Rows() != n || g.Cols() != n {
				t.Fatalf("grid is %dx%d", g.Rows(), g.Cols())
			}
			for i := range n {
				for j := range n {
					if got, want := z[i*n+j], tt.want(i, j); !slices.Equal(got, want) {
						t.Errorf("row %d, column %d: z = %v, want %v", i, j, got, want)
					}
				}
			}
		})
	}
}

func TestOneLatentDimensionIsOneRow(t *testing.T) {
	g, z := fill(t, Spec{N: 5, Lo: 0.05, Hi: 0.95, Latent: 1, YUp: true})
	if g.Rows() != 1 || g.Cols() != 5 || g.Latent() != 1 {
		t.Fatalf("grid is %dx%d of %d", g.Rows(), g.Cols(), g.Latent())
	}
	for j := 1; j < 5; j++ {
		if z[j][0] <= z[j-1][0] {
			t.Errorf("z_1 does not grow to the right: %v", z)
		}
	}
}

func TestFillInPieces(t *testing.T) {
	s := Spec{N: 5, Lo: 0.1, Hi: 0.8, Latent: 3, At: []float64{0, 0, 7}}
	g, all := fill(t, s)
	for batch := 1; batch <= g.Len()+1; batch++ {
		z := make([]float32, batch*3+2) // two floats too many for another point
		var cells, n int
		for first := 0; first < g.Len(); first += n {
			n = g.Fill(z, first)
			for k := range n {
				if !slices.Equal(z[k*3:k*3+3], all[first+k]) {
					t.Fatalf("batch %d: cell %d = %v, want %v", batch, first+k, z[k*3:k*3+3], all[first+k])
				}
			}
			cells += n
		}
		if cells != g.Len() || z[batch*3] != 0 || z[batch*3+1] != 0 {
			t.Errorf("batch %d: %d cells, tail %v", batch, cells, z[batch*3:])
		}
	}
}

func TestSpecErrors(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Spec)
		want   string
	}{
		{"n 0", func(s *Spec) { s.N = 0 }, "n is 0: must be 1 to 256"},
		{"n 257", func(s *Spec) { s.N = 257 }, "n is 257: must be 1 to 256"},
		{"n negative", func(s *Spec) { s.N = -3 }, "n is -3"},
		{"lo 0", func(s *Spec) { s.Lo = 0 }, "lo and hi are 0 and 0.95: must satisfy 0 < lo < hi < 1"},
		{"hi 1", func(s *Spec) { s.Hi = 1 }, "0.05 and 1:"},
		{"lo = hi", func(s *Spec) { s.Hi = s.Lo }, "0.05 and 0.05:"},
		{"lo NaN", func(s *Spec) { s.Lo = math.NaN() }, "NaN and 0.95:"},
		{"hi NaN", func(s *Spec) { s.Hi = math.NaN() }, "0.05 and NaN:"},
		{"hi Inf", func(s *Spec) { s.Hi = math.Inf(1) }, "0.05 and +Inf:"},
		{"latent 0", func(s *Spec) { s.Latent = 0 }, "latent dimension is 0: must be at least 1"},
		{"same axes", func(s *Spec) { s.Axes = [2]int{2, 2} }, "axes are 2,2: must be two different numbers from 1 to 3"},
		{"axis 0", func(s *Spec) { s.Axes = [2]int{0, 2} }, "axes are 0,2:"},
		{"axis 4", func(s *Spec) { s.Axes = [2]int{1, 4} }, "axes are 1,4:"},
		{"axes of one", func(s *Spec) { s.Latent, s.Axes = 1, [2]int{1, 2} }, "axes are 1,2: a model with 1 latent dimension"},
		{"at short", func(s *Spec) { s.At = []float64{1, 2} }, "at has 2 numbers: must have 3"},
		{"at empty", func(s *Spec) { s.At = []float64{} }, "at has 0 numbers: must have 3"},
		{"at NaN", func(s *Spec) { s.At = []float64{1, math.NaN(), 3} }, "at: number 2 is NaN: must be finite"},
		{"at too large", func(s *Spec) { s.At = []float64{1, 2, -1e39} }, "at: number 3 is -1e+39: must be finite"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := Spec{N: 15, Lo: 0.05, Hi: 0.95, Latent: 3}
			tt.change(&s)
			_, err := New(s)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}
