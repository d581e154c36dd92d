package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"vaectl/mnist"
)

// writePackage makes a package with 2+d images of each digit d; image k of
// digit d has pixels of 20d+k all over, rounded as the real ones are.
func writePackage(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "src", "digits"), 0o755); err != nil {
		t.Fatal(err)
	}
	for d := range 10 {
		data := make([]float64, (2+d)*side*side)
		for i := range data {
			data[i] = math.Round(float64(20*d+i/(side*side))/255*1000) / 1000
		}
		text, err := json.Marshal(map[string]any{"data": data})
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, "src", "digits", fmt.Sprintf("%d.json", d)), text)
	}
	return dir
}

func writeFile(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestRun(t *testing.T) {
	pkg, out, again := writePackage(t), t.TempDir(), t.TempDir()
	for _, dir := range []string{out, again} {
		if err := run(pkg, dir, 13); err != nil {
			t.Fatal(err)
		}
	}
	d, err := mnist.OpenDir(out)
	if err != nil {
		t.Fatal(err)
	}
	if d.Train.Len() != 52 || d.Val.Len() != 13 {
		t.Errorf("%d and %d images, want 52 and 13", d.Train.Len(), d.Val.Len())
	}

	// Every image comes once, whole and under its label, the later ones of a
	// digit in the validation half.
	next := [10]int{}
	for _, s := range []*mnist.Split{d.Train, d.Val} {
		for i, digit := range s.Labels {
			want := bytes.Repeat([]byte{20*digit + byte(next[digit])}, side*side)
			if !bytes.Equal(s.At(i), want) {
				t.Fatalf("%s image %d, labelled %d, has bytes %d, want %d", s.Name, i, digit, s.At(i)[0], want[0])
			}
			next[digit]++
		}
	}
	for digit, n := range next {
		if n != 2+digit {
			t.Errorf("%d images of digit %d, want %d", n, digit, 2+digit)
		}
	}

	files, err := os.ReadDir(out)
	if err != nil || len(files) != 4 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		a, errA := os.ReadFile(filepath.Join(out, f.Name()))
		b, errB := os.ReadFile(filepath.Join(again, f.Name()))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: two runs differ: %v, %v", f.Name(), errA, errB)
		}
	}
}

func TestRunRefused(t *testing.T) {
	for _, test := range []struct {
		name, text, want string
	}{
		{"no JSON", "<html>", "invalid character"},
		{"no digits", `{"data": []}`, "0 numbers are no whole images of 784"},
		{"part of a digit", `{"data": [0, 1]}`, "2 numbers are no whole images of 784"},
		{"too large", `{"data": [1.01` + strings.Repeat(",0", 783) + `]}`, "number 0, 1.01, is no byte/255"},
		{"negative", `{"data": [0,-0.004` + strings.Repeat(",0", 782) + `]}`, "number 1, -0.004, is no byte/255"},
		{"between bytes", `{"data": [0.007` + strings.Repeat(",0", 783) + `]}`, "number 0, 0.007, is no byte/255"},
	} {
		pkg, out := writePackage(t), t.TempDir()
		writeFile(t, filepath.Join(pkg, "src", "digits", "3.json"), []byte(test.text))
		if err := run(pkg, out, 13); err == nil || !strings.Contains(err.Error(), "3.json: "+test.want) {
			t.Errorf("%s: got %v, want %s", test.name, err, test.want)
		}
	}
	if err := run(t.TempDir(), t.TempDir(), 13); err == nil || !strings.Contains(err.Error(), "0.json") {
		t.Errorf("no package: got %v", err)
	}
	want := "65 images: want more than the 65 to validate with"
	if err := run(writePackage(t), t.TempDir(), 65); err == nil || err.Error() != want {
		t.Errorf("nothing left to train on: got %v", err)
	}
}

func TestShares(t *testing.T) {
	for _, test := range []struct {
		counts []int
		total  int
		want   []int
	}{
		{[]int{10, 20, 70}, 10, []int{1, 2, 7}},
		{[]int{1, 1, 1}, 2, []int{1, 1, 0}}, // equal remainders: the lower index
		{[]int{5, 14, 1}, 10, []int{3, 7, 0}},
		{[]int{16, 13, 1}, 3, []int{2, 1, 0}},
		{[]int{7}, 4, []int{4}},
		{[]int{1, 2, 3}, 0, []int{0, 0, 0}},
	} {
		if got := shares(test.counts, test.total); !slices.Equal(got, test.want) {
			t.Errorf("%d of %v: got %v, want %v", test.total, test.counts, got, test.want)
		}
	}
}

func TestMix(t *testing.T) {
	counts := []int{40, 10, 50}
	list := mix(counts, rand.New(rand.NewPCG(1, 2)))
	got := make([]int, len(counts))
	for i, kind := range list {
		got[kind]++
		share := float64((i+1)*counts[kind]) / 100
		if math.Abs(float64(got[kind])-share) >= 2 {
			t.Errorf("%d of the first %d are of kind %d: a fair share is %.1f", got[kind], i+1, kind, share)
		}
	}
	if !slices.Equal(got, counts) {
		t.Errorf("got %v of each, want %v", got, counts)
	}
	if slices.Equal(list, mix(counts, rand.New(rand.NewPCG(2, 2)))) {
		t.Error("the random numbers do not matter")
	}
}
