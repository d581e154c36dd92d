// Package imagetest compares pictures in tests: with goldens, pixel by pixel, and
// with the tolerance that the last bits of a float and the edges of letters need.
package imagetest

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io/fs"
	"os"
)

// Two pictures are alike where at most MaxShare of the pixels differ by more than
// MaxStep in a channel of 0 to 255, and the mean difference is at most MaxMean.
const (
	MaxStep  = 24
	MaxShare = 0.002
	MaxMean  = 0.25
)

// Alike returns nil where the pictures are, and otherwise an error that says how
// they differ.
func Alike(got, want image.Image) error {
	if g, w := got.Bounds().Size(), want.Bounds().Size(); g != w {
		return fmt.Errorf("the picture is %dx%d, want %dx%d", g.X, g.Y, w.X, w.Y)
	}
	size := got.Bounds().Size()
	a, b := got.Bounds().Min, want.Bounds().Min
	far, sum := 0, 0
	for y := range size.Y {
		for x := range size.X {
			step, total := difference(got.At(a.X+x, a.Y+y), want.At(b.X+x, b.Y+y))
			sum += total
			if step > MaxStep {
				far++
			}
		}
	}
	pixels := float64(size.X * size.Y)
	share, mean := float64(far)/pixels, float64(sum)/pixels/4
	if share > MaxShare || mean > MaxMean {
		return fmt.Errorf("%.2f%% of the pixels differ by more than %d (at most %.2f%% may), all by %.3f in the mean (at most %.2f)",
			100*share, MaxStep, 100*MaxShare, mean, MaxMean)
	}
	return nil
}

// difference is the largest difference in a channel, and the sum over the four.
func difference(p, q color.Color) (largest, sum int) {
	a, b := color.NRGBAModel.Convert(p).(color.NRGBA), color.NRGBAModel.Convert(q).(color.NRGBA)
	for _, c := range [][2]uint8{{a.R, b.R}, {a.G, b.G}, {a.B, b.B}, {a.A, b.A}} {
		d := max(int(c[0])-int(c[1]), int(c[1])-int(c[0]))
		largest, sum = max(largest, d), sum+d
	}
	return largest, sum
}

// Golden compares a PNG with the golden file of that path, or writes it there
// with update. A golden that is missing is an error.
func Golden(path string, got []byte, update bool) error {
	if update {
		return os.WriteFile(path, got, 0o666)
	}
	want, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: -update makes it", err)
	}
	if err != nil {
		return err
	}
	g, err := png.Decode(bytes.NewReader(got))
	if err != nil {
		return fmt.Errorf("decoding the picture: %w", err)
	}
	w, err := png.Decode(bytes.NewReader(want))
	if err != nil {
		return fmt.Errorf("decoding %s: %w", path, err)
	}
	if err := Alike(g, w); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
