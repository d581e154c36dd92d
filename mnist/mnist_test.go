package mnist

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"testing"
)

func TestFill(t *testing.T) {
	s := &Split{Images: Images{Rows: 16, Cols: 8, Pix: upTo(256)}}
	index := []int{1, 0, 1}
	dst := make([]float32, len(index)*128)
	for i := range dst {
		dst[i] = -1
	}
	s.Fill(dst, index)
	for n, i := range index {
		for p := range 128 {
			b := i*128 + p
			if got, want := dst[n*128+p], float32(b)/float32(255); got != want {
				t.Errorf("place %d, byte %d: got %v, want %v", n, b, got, want)
			}
		}
	}
	if dst[127+128] != float32(127)/255 || dst[127] != 1 {
		t.Errorf("the range is not 0 to 1: byte 255 gives %v", dst[127])
	}
}

func TestFillAllocatesNothing(t *testing.T) {
	s := &Split{Images: Images{Rows: 4, Cols: 4, Pix: upTo(256)}}
	index := []int{15, 3, 3, 0}
	dst := make([]float32, len(index)*16)
	if n := testing.AllocsPerRun(10, func() { s.Fill(dst, index) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestFillPanicsOnSize(t *testing.T) {
	s := &Split{Images: Images{Rows: 2, Cols: 2, Pix: upTo(8)}}
	for _, n := range []int{0, 3, 5, 8} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("one image into %d floats: no panic", n)
				}
			}()
			s.Fill(make([]float32, n), []int{0})
		}()
	}
}

func TestHead(t *testing.T) {
	whole := &Split{Name: "train", Images: Images{Rows: 2, Cols: 2, Pix: upTo(12)}, Labels: []byte{7, 8, 9}}
	for _, test := range []struct{ n, want int }{{0, 0}, {1, 1}, {3, 3}, {100, 3}} {
		h := whole.Head(test.n)
		if h.Len() != test.want || cap(h.Pix) != len(h.Pix) || !bytes.Equal(h.Pix, whole.Pix[:4*test.want]) || !bytes.Equal(h.Labels, whole.Labels[:test.want]) {
			t.Errorf("Head(%d): %+v", test.n, h)
		}
		if h.Name != "train" || h.Rows != 2 || h.Cols != 2 {
			t.Errorf("Head(%d) is called %q, of size %dx%d", test.n, h.Name, h.Rows, h.Cols)
		}
	}
	whole.Labels = nil
	if h := whole.Head(2); h.Labels != nil || h.Len() != 2 {
		t.Errorf("without labels: %+v", h)
	}
}

func TestSHA256(t *testing.T) {
	half := func(labels ...byte) *Split {
		return &Split{Images: Images{Rows: 2, Cols: 2, Pix: upTo(8)}, Labels: labels}
	}
	images := idx(0x803, []uint32{2, 2, 2}, upTo(8)...)
	labels := idx(0x801, []uint32{2}, 5, 6)
	seen := map[string]string{}
	for _, test := range []struct {
		name  string
		data  Dataset
		files [][]byte
	}{
		{"all", Dataset{Train: half(5, 6), Val: half(5, 6)}, [][]byte{images, labels, images, labels}},
		{"no labels", Dataset{Train: half(), Val: half()}, [][]byte{images, images}},
		{"train labels", Dataset{Train: half(5, 6), Val: half()}, [][]byte{images, labels, images}},
		{"val labels", Dataset{Train: half(), Val: half(5, 6)}, [][]byte{images, images, labels}},
		{"no val", Dataset{Train: half(5, 6)}, [][]byte{images, labels}},
	} {
		sum := sha256.Sum256(slices.Concat(test.files...))
		got := test.data.SHA256()
		if want := hex.EncodeToString(sum[:]); got != want {
			t.Errorf("%s: got %s, want %s", test.name, got, want)
		}
		if other, ok := seen[got]; ok {
			t.Errorf("%s has the digest of %s", test.name, other)
		}
		seen[got] = test.name
	}
}
