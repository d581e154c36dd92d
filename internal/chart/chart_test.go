package chart

import (
	"bytes"
	"flag"
	"image"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"vaectl/grid"
	"vaectl/internal/imagetest"
	"vaectl/internal/modelfile"
)

var update = flag.Bool("update", false, "write the goldens anew")

// rings is a scatter of three labels, one round the other.
func rings(n int) Scatter {
	rng := rand.New(rand.NewPCG(1, 2))
	s := Scatter{Title: "Rings", XName: "z_1", YName: "z_2"}
	for i := range n {
		r, a := float64(i%3)*0.7+0.15*rng.NormFloat64(), 2*math.Pi*rng.Float64()
		s.X = append(s.X, r*math.Cos(a))
		s.Y = append(s.Y, r*math.Sin(a))
		s.SDX = append(s.SDX, 0.1)
		s.SDY = append(s.SDY, 0.05+0.1*float64(i%3))
		s.Labels = append(s.Labels, []byte{2, 7, 200}[i%3])
	}
	return s
}

// tiles is a manifold whose image at column j and row i has gray 40*i + 12*j.
func tiles(n int) *image.Gray {
	img := image.NewGray(image.Rect(0, 0, 8*n, 8*n))
	for i := range img.Pix {
		x, y := i%img.Stride, i/img.Stride
		img.Pix[i] = uint8(y/8*40 + x/8*12)
	}
	return img
}

func epochs(n int, first float64, validation bool) []modelfile.Epoch {
	var list []modelfile.Epoch
	for k := range n {
		row := modelfile.Epoch{Epoch: k + 1, Loss: first / float64(k+1), Reconstruction: 0.9 * first / float64(k+1), KL: 0.002 + 0.0001*float64(k)}
		if validation {
			loss, recon, kl := 1.1*row.Loss, 1.1*row.Reconstruction, row.KL+0.0002
			row.ValLoss, row.ValReconstruction, row.ValKL = &loss, &recon, &kl
		}
		list = append(list, row)
	}
	return list
}

// figures are one of each kind.
func figures(t *testing.T) map[string]*Figure {
	t.Helper()
	all := map[string]*Figure{}
	add := func(name string, f *Figure, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[name] = f
	}
	latent := func(name string, change func(*Scatter)) {
		t.Helper()
		s := rings(240)
		change(&s)
		f, err := Latent(s)
		add(name, f, err)
	}
	latent("latent", func(s *Scatter) { s.Ellipses = 30 })
	latent("latent_over", func(s *Scatter) {
		s.Ellipses = 10
		s.Over = &Manifold{Image: tiles(5), N: 5, Lo: 0.05, Hi: 0.95}
	})
	latent("latent_one", func(s *Scatter) { s.Y = nil })
	latent("latent_plain", func(s *Scatter) { s.Labels = nil })

	f, err := History([]Run{{"first", epochs(14, 0.3, true)}, {"second", epochs(9, 90, false)}})
	add("history", f, err)
	var pairs []Pair
	for range 12 {
		pairs = append(pairs, Pair{tiles(2), tiles(2), "label 7"})
	}
	f, err = Pairs("Reconstructions", pairs)
	add("pairs", f, err)
	f, err = Shares("Concept", "alpha", "share", []Curve{
		{"label 4", []float64{-1, 0, 1}, []float64{1, 0.5, 0.1}, []float64{0, 0.02, 0.01}},
		{"label 9", []float64{-1, 0, 1}, []float64{0, 0.5, 0.8}, []float64{0, 0.02, 0.01}},
	})
	add("shares", f, err)
	return all
}

func write(t *testing.T, f *Figure, format string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f.Write(&b, format); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestGoldens(t *testing.T) {
	for name, f := range figures(t) {
		if err := imagetest.Golden(filepath.Join("testdata", name+".png"), write(t, f, "png"), *update); err != nil {
			t.Error(err)
		}
	}
}

// The same data give the same bytes, in every format, and none tells the time.
func TestSameBytes(t *testing.T) {
	again := figures(t)
	for name, f := range figures(t) {
		for _, format := range Formats() {
			a, b := write(t, f, format), write(t, again[name], format)
			if !bytes.Equal(a, b) {
				t.Errorf("%s: two %s files differ", name, format)
			}
			if format == "pdf" && !bytes.Contains(a, []byte("/CreationDate (D:19700101000000)")) {
				t.Errorf("%s: the PDF has another date than the fixed one", name)
			}
		}
	}
}

func TestFormats(t *testing.T) {
	f := figures(t)["pairs"]
	for format, magic := range map[string]string{"png": "\x89PNG", "svg": "<?xml", "pdf": "%PDF-"} {
		if got := write(t, f, format); !strings.HasPrefix(string(got), magic) {
			t.Errorf("%s begins with %q", format, got[:8])
		}
	}
	if svg := write(t, f, "svg"); bytes.Count(svg, []byte(`"data:image/png;base64,iVBOR`)) != 24 {
		t.Error("the SVG does not hold the 24 images as PNG")
	}
	if err := f.Write(new(bytes.Buffer), "bmp"); err == nil {
		t.Error("no error for bmp")
	}
}

// A point lies at the middle of the image that the grid decodes from it.
func TestPointsLieOnTheirImage(t *testing.T) {
	const n, side = 15, 28.0
	for _, up := range []bool{false, true} {
		g, err := grid.New(grid.Spec{N: n, Lo: 0.05, Hi: 0.95, YUp: up, Latent: 2})
		if err != nil {
			t.Fatal(err)
		}
		z := make([]float32, 2*g.Len())
		g.Fill(z, 0)
		m := &Manifold{Image: image.NewGray(image.Rect(0, 0, n*side, n*side)), N: n, Lo: 0.05, Hi: 0.95, YUp: up}
		left, right, bottom, top := m.edges()
		for k := range g.Len() {
			x, y := m.place(float64(z[2*k]), float64(z[2*k+1]))
			// In pixels of the manifold's image, from its upper left corner.
			px, py := (x-left)/(right-left)*n*side, (top-y)/(top-bottom)*n*side
			wantX, wantY := (float64(k%n)+0.5)*side, (float64(k/n)+0.5)*side
			if math.Abs(px-wantX) > 1e-3 || math.Abs(py-wantY) > 1e-3 {
				t.Fatalf("y-up %v, image %d: its z lies at %.4f,%.4f, its middle at %v,%v", up, k, px, py, wantX, wantY)
			}
		}
	}
}

func TestClassesDiffer(t *testing.T) {
	type sign struct{ colour, mark any }
	seen := map[sign]int{}
	for k := range 50 {
		s := sign{colour(k), mark(k)}
		if other, there := seen[s]; there {
			t.Errorf("classes %d and %d look alike", other, k)
		}
		seen[s] = k
	}
}

func TestErrors(t *testing.T) {
	latent := func(change func(*Scatter)) func() error {
		return func() error {
			s := rings(6)
			change(&s)
			_, err := Latent(s)
			return err
		}
	}
	tests := []struct {
		name string
		run  func() error
		want string
	}{
		{"no points", latent(func(s *Scatter) { *s = Scatter{} }), "no points to draw"},
		{"NaN", latent(func(s *Scatter) { s.Y[3] = math.NaN() }), "point 3 is at NaN: must be finite"},
		{"Inf", latent(func(s *Scatter) { s.SDX[5] = math.Inf(1) }), "point 5 is at +Inf: must be finite"},
		{"labels", latent(func(s *Scatter) { s.Labels = s.Labels[1:] }), "5 labels for 6 points"},
		{"lengths", latent(func(s *Scatter) { s.Y = s.Y[1:] }), "5 numbers for 6 points"},
		{"one dimension over a manifold", latent(func(s *Scatter) { s.Y, s.Over = nil, &Manifold{} }), "manifold and ellipses need two dimensions"},
		{"one image a side", latent(func(s *Scatter) { s.Over = &Manifold{N: 1, Lo: 0.1, Hi: 0.9} }), "at least 2 images a side"},
		{"no deviations", latent(func(s *Scatter) { s.Ellipses, s.SDX = 1, nil }), "ellipses need standard deviations"},
		{"no runs", func() error { _, err := History(nil); return err }, "no runs to draw"},
		{"no epochs", func() error { _, err := History([]Run{{"x", nil}}); return err }, "x has no history"},
		{"no pairs", func() error { _, err := Pairs("", nil); return err }, "no images to draw"},
		{"no curves", func() error { _, err := Shares("", "", "", nil); return err }, "no curves to draw"},
		{"uneven curve", func() error { _, err := Shares("", "", "", []Curve{{"c", []float64{1}, nil, nil}}); return err }, "curve c: 1, 0 and 0 numbers"},
	}
	for _, tt := range tests {
		err := tt.run()
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
}
