package mnist

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math"
	"testing"
)

// The digests are of the files inside the gzip streams, which the packer's
// version cannot change.
func TestSampleFiles(t *testing.T) {
	for name, want := range map[string]string{
		"train-images-idx3-ubyte.gz": "c8c28689f2217c922bf5075642285a135167c414e6d731c8f6900e35078d247a",
		"train-labels-idx1-ubyte.gz": "5de32cbb4a1afbefab7fca780a79bbfea64911ee22f7a366b74b3209098aa740",
		"t10k-images-idx3-ubyte.gz":  "8e4e54fe2cd6de143e47a60787a7af78cd7dfb0509f3583e37f711af82a55e10",
		"t10k-labels-idx1-ubyte.gz":  "5dc4df98f77bd4fb1cc09e39aa06dc22e0de2858f64e642ce987e6a51b9f0eab",
	} {
		packed, err := sampleFiles.ReadFile("sample/" + name)
		if err != nil {
			t.Fatal(err)
		}
		z, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		if !z.ModTime.IsZero() || z.Name != "" {
			t.Errorf("%s: packed as %q at %v, want no trace of either", name, z.Name, z.ModTime)
		}
		h := sha256.New()
		if _, err := io.Copy(h, z); err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(h.Sum(nil)); got != want {
			t.Errorf("%s: digest %s, want %s", name, got, want)
		}
	}
}

func TestSample(t *testing.T) {
	d, err := Sample()
	if err != nil {
		t.Fatal(err)
	}
	if d.Name != "sample" || d.Train.Name != "train" || d.Val.Name != "val" {
		t.Errorf("names are %q, %q, %q", d.Name, d.Train.Name, d.Val.Name)
	}
	if d.Train.Len() != 9000 || d.Val.Len() != 1000 || d.Train.Rows != 28 || d.Train.Cols != 28 {
		t.Fatalf("%d and %d images of %dx%d", d.Train.Len(), d.Val.Len(), d.Train.Rows, d.Train.Cols)
	}

	// What the npm package holds of each digit, and the tenth of it that
	// validates: proportional, rounded so that the sum is 1,000.
	all := [10]int{1001, 1127, 991, 1032, 980, 863, 1014, 1070, 944, 978}
	held := [10]int{100, 113, 99, 103, 98, 86, 102, 107, 94, 98}
	train, val := perDigit(d.Train.Labels), perDigit(d.Val.Labels)
	for digit := range 10 {
		if n := train[digit] + val[digit]; n != all[digit] || val[digit] != held[digit] {
			t.Errorf("digit %d: %d, of them %d to validate; want %d and %d", digit, n, val[digit], all[digit], held[digit])
		}
	}

	seen := map[string]bool{}
	for _, s := range []*Split{d.Train, d.Val} {
		for i := range s.Len() {
			seen[string(s.At(i))] = true
		}
	}
	if len(seen) != 10000 {
		t.Errorf("%d different images, want 10000: some are in there twice", len(seen))
	}
}

// The first n images are a fair mixture, whatever n: within two of each
// digit's share.
func TestSampleHeadIsMixed(t *testing.T) {
	d, err := Sample()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*Split{d.Train, d.Val} {
		total := perDigit(s.Labels)
		var sofar [10]int
		for i, label := range s.Labels {
			sofar[label]++
			for digit, n := range sofar {
				share := float64(i+1) * float64(total[digit]) / float64(s.Len())
				if math.Abs(float64(n)-share) >= 2 {
					t.Fatalf("%s: %d of the first %d are digit %d: a fair share is %.1f", s.Name, n, i+1, digit, share)
				}
			}
		}
	}
}

func perDigit(labels []byte) (n [10]int) {
	for _, l := range labels {
		n[l]++
	}
	return n
}
