package imagefile

import (
	"bytes"
	"compress/gzip"
	"errors"
	"image"
	"image/color"
	"image/png"
	"io"
	"slices"
	"strings"
	"testing"

	"vaectl/mnist"
)

func encodePNG(t *testing.T, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func idxBytes(t *testing.T, m *mnist.Images) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := mnist.WriteImages(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return z.Bytes()
}

// read returns all images of 2 x 3 pixels in data.
func read(data []byte) (images [][]byte, many bool, err error) {
	r, err := NewReader(bytes.NewReader(data), 2, 3)
	if err != nil {
		return nil, false, err
	}
	for {
		dst := bytes.Repeat([]byte{99}, 6)
		if err := r.Next(dst); errors.Is(err, io.EOF) {
			return images, r.Many(), nil
		} else if err != nil {
			return images, r.Many(), err
		}
		images = append(images, dst)
	}
}

func TestRead(t *testing.T) {
	pix := []byte{0, 1, 2, 128, 254, 255}
	gray := &image.Gray{Pix: pix, Stride: 3, Rect: image.Rect(0, 0, 3, 2)}
	gray16 := image.NewGray16(gray.Rect)
	rgba := image.NewRGBA(gray.Rect)
	palette := image.NewPaletted(gray.Rect, nil)
	for i, p := range pix {
		gray16.SetGray16(i%3, i/3, color.Gray16{Y: uint16(p) * 257})
		rgba.Set(i%3, i/3, color.Gray{Y: p})
		palette.Palette = append(palette.Palette, color.Gray{Y: p})
		palette.Pix[i] = byte(i)
	}
	for name, img := range map[string]image.Image{"gray": gray, "gray16": gray16, "rgba": rgba, "palette": palette} {
		got, many, err := read(encodePNG(t, img))
		if err != nil || many || len(got) != 1 || !slices.Equal(got[0], pix) {
			t.Errorf("%s: %v, many %v, %v", name, got, many, err)
		}
	}
	two := idxBytes(t, &mnist.Images{Rows: 2, Cols: 3, Pix: slices.Concat(pix, []byte{6, 5, 4, 3, 2, 1})})
	for name, data := range map[string][]byte{"idx": two, "idx.gz": gzipped(t, two)} {
		got, many, err := read(data)
		if err != nil || !many || len(got) != 2 || !slices.Equal(got[0], pix) || got[1][0] != 6 {
			t.Errorf("%s: %v, many %v, %v", name, got, many, err)
		}
	}
}

func TestReadErrors(t *testing.T) {
	good := encodePNG(t, image.NewGray(image.Rect(0, 0, 3, 2)))
	other := encodePNG(t, image.NewGray(image.Rect(0, 0, 20, 20)))
	idx := idxBytes(t, &mnist.Images{Rows: 2, Cols: 3, Pix: make([]byte, 12)})
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "empty: expected a PNG image or an IDX file"},
		{"text", []byte("hello world"), "neither a PNG image nor an IDX file"},
		{"png of another size", other, "image is 20x20 (height x width): the model takes 2x3"},
		{"png turned", encodePNG(t, image.NewGray(image.Rect(0, 0, 2, 3))), "image is 3x2 (height x width): the model takes 2x3"},
		{"png cut in its header", good[:20], "decoding the PNG image: "},
		{"png cut", good[:len(good)-20], "decoding the PNG image: "},
		{"png broken", append(slices.Clone(good[:40]), bytes.Repeat([]byte{1}, 60)...), "decoding the PNG image: "},
		{"idx of another size", idxBytes(t, &mnist.Images{Rows: 4, Cols: 3, Pix: make([]byte, 12)}), "images are 4x3 (height x width): the model takes 2x3"},
		{"idx cut", idx[:len(idx)-1], ""},
		{"idx.gz cut", gzipped(t, idx)[:30], ""},
		{"labels", []byte{0, 0, 8, 1, 0, 0, 0, 1, 7}, ""},
	}
	for _, tt := range tests {
		_, _, err := read(tt.data)
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %s", tt.name, err, tt.want)
		}
	}
}
