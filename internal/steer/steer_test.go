package steer

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestLerp(t *testing.T) {
	got := Lerp([]float32{0, 8, -1}, []float32{4, 0, -1}, 5)
	want := []float32{0, 8, -1, 1, 6, -1, 2, 4, -1, 3, 2, -1, 4, 0, -1}
	if !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	a, b := []float32{0.1, -3e7}, []float32{1e-7, 0.3}
	if got := Lerp(a, b, 7); !slices.Equal(got[:2], a) || !slices.Equal(got[12:], b) {
		t.Errorf("the ends are %v and %v", got[:2], got[12:])
	}
}

// In a plane the arc's points are known: equal lengths at even angles.
func TestSlerp(t *testing.T) {
	polar := func(r, degrees float64) []float32 {
		sin, cos := math.Sincos(degrees * math.Pi / 180)
		return []float32{float32(r * cos), float32(r * sin)}
	}
	for _, to := range []float64{90, 170, -60, 0.01, 0} {
		got, err := Slerp(polar(2, 0), polar(2, to), 4)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			want := polar(2, to*float64(i)/3)
			if d := math.Hypot(float64(got[2*i]-want[0]), float64(got[2*i+1]-want[1])); d > 1e-6 {
				t.Errorf("to %v degrees, point %d: %v, want %v", to, i, got[2*i:][:2], want)
			}
		}
	}
}

// In more dimensions: the angles to both ends grow and shrink evenly.
func TestSlerpInManyDimensions(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	a, b := make([]float32, 16), make([]float32, 16)
	for i := range a {
		a[i], b[i] = float32(rng.NormFloat64()), float32(rng.NormFloat64())
	}
	const steps = 6
	got, err := Slerp(a, b, steps)
	if err != nil {
		t.Fatal(err)
	}
	cosine := func(u, v []float32) float64 {
		var uv, uu, vv float64
		for i := range u {
			uv, uu, vv = uv+float64(u[i])*float64(v[i]), uu+float64(u[i])*float64(u[i]), vv+float64(v[i])*float64(v[i])
		}
		return uv / math.Sqrt(uu*vv)
	}
	// The lengths of a and b differ, so the angles are even only where both are
	// brought to one length.
	scaled := slices.Clone(b)
	ratio := math.Sqrt(dot(a, a) / dot(b, b))
	for i := range scaled {
		scaled[i] *= float32(ratio)
	}
	even, err := Slerp(a, scaled, steps)
	if err != nil {
		t.Fatal(err)
	}
	whole := math.Acos(cosine(a, b))
	for k := range steps {
		if angle := math.Acos(min(cosine(a, even[16*k:][:16]), 1)); math.Abs(angle-whole*float64(k)/(steps-1)) > 1e-3 {
			t.Errorf("point %d is at angle %v of %v", k, angle, whole)
		}
	}
	for i := range 16 {
		if math.Abs(float64(got[i]-a[i])) > 1e-6 || math.Abs(float64(got[16*(steps-1)+i]-b[i])) > 1e-6 {
			t.Fatalf("the ends are not a and b in dimension %d", i)
		}
	}
}

func dot(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}

func TestSlerpErrors(t *testing.T) {
	for _, tt := range []struct {
		a, b []float32
		want string
	}{
		{[]float32{1, 2}, []float32{-2, -4}, "no single arc between the two: they lie opposite each other"},
		{[]float32{1}, []float32{-3}, "no single arc between the two: they lie opposite each other"},
		{[]float32{0, 0}, []float32{1, 1}, "no arc between the two: one of them is the origin"},
		{[]float32{1, 1}, []float32{0, 0}, "no arc between the two: one of them is the origin"},
	} {
		if _, err := Slerp(tt.a, tt.b, 3); err == nil || err.Error() != tt.want {
			t.Errorf("%v to %v: %v", tt.a, tt.b, err)
		}
	}
	if got, err := Slerp([]float32{1}, []float32{3}, 3); err != nil || !slices.Equal(got, []float32{1, 2, 3}) {
		t.Errorf("one dimension, the same sign: %v, %v", got, err)
	}
}

func TestQuantiles(t *testing.T) {
	got, err := Quantiles([]float64{4, 1, 3, 2}, 3, 0.25, 0.75)
	if err != nil || !slices.Equal(got, []float64{1, 2, 3}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := Quantiles(nil, 3, 0.1, 0.9); err == nil {
		t.Error("no values: no error")
	}
}

func TestSpan(t *testing.T) {
	if got := Span(-2, 2, 5); !slices.Equal(got, []float64{-2, -1, 0, 1, 2}) {
		t.Errorf("%v", got)
	}
	if got := Span(0.7, 3, 1); !slices.Equal(got, []float64{0.7}) {
		t.Errorf("%v", got)
	}
}

func TestConcept(t *testing.T) {
	from := []float32{1, 1, 3, 1} // mean 2, 1
	to := []float32{0, 5, 0, 6, 3, 7}
	v, err := Concept(from, to, 2)
	if err != nil || !slices.Equal(v, []float32{-1, 5}) {
		t.Fatalf("%v, %v", v, err)
	}
	z := []float32{1, 2, 3, 4}
	if err := Add(z, z, v, -0.5); err != nil || !slices.Equal(z, []float32{1.5, -0.5, 3.5, 1.5}) {
		t.Errorf("moved to %v, %v", z, err)
	}
	if err := Add(z, z, v, 1e38); err == nil || err.Error() != "-0.5 and 1e+38 times 5 is +Inf: must be finite" {
		t.Errorf("%v", err)
	}
	if _, err := Concept(nil, to, 2); err == nil || err.Error() != "from: no images" {
		t.Errorf("%v", err)
	}
	if _, err := Concept(from, nil, 2); err == nil || err.Error() != "to: no images" {
		t.Errorf("%v", err)
	}
}

// On a line, with the sign telling the label, the shares can be counted by hand.
func TestReach(t *testing.T) {
	classify := func(z []float32) ([]byte, error) {
		labels := make([]byte, len(z))
		for i, x := range z {
			switch {
			case x < 0:
				labels[i] = 4
			case x < 3:
				labels[i] = 9
			}
		}
		return labels, nil
	}
	z := []float32{-4, -3, -2, 1}
	got, err := Reach(z, []float32{2}, []float64{-1, 0, 1, 2}, 4, 9, classify)
	want := []Share{{-1, 1, 0}, {0, 0.75, 0.25}, {1, 0.5, 0.25}, {2, 0, 0.75}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v; want %v", got, err, want)
	}
	if !slices.Equal(z, []float32{-4, -3, -2, 1}) {
		t.Errorf("z has become %v", z)
	}
}
