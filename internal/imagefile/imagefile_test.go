package imagefile

import (
	"bytes"
	"compress/gzip"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
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

// read returns all images in data, which must have 2 x 3 pixels.
func read(data []byte) (images [][]byte, many bool, err error) {
	return readAs(data, Want{Height: 2, Width: 3})
}

func readAs(data []byte, want Want) (images [][]byte, many bool, err error) {
	r, err := NewReader(bytes.NewReader(data), want)
	if err != nil {
		return nil, false, err
	}
	for {
		dst := bytes.Repeat([]byte{99}, want.Height*want.Width)
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

// PNG pictures may follow one another; what else follows a picture is nothing.
func TestReadSequence(t *testing.T) {
	var all []byte
	for i := range 3 {
		all = append(all, encodePNG(t, &image.Gray{Pix: []byte{byte(i), 1, 2, 3, 4, 5}, Stride: 3, Rect: image.Rect(0, 0, 3, 2)})...)
	}
	got, many, err := read(append(all, "some more"...))
	if err != nil || !many || len(got) != 3 || got[0][0] != 0 || got[2][0] != 2 {
		t.Errorf("%v, many %v, %v", got, many, err)
	}
	_, _, err = read(append(all, all[:20]...))
	if err == nil || !strings.HasPrefix(err.Error(), "image 4: decoding the PNG picture: ") {
		t.Errorf("error %v", err)
	}
}

func encodeJPEG(t *testing.T, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReadJPEG(t *testing.T) {
	pix := []byte{0, 50, 100, 150, 200, 250}
	gray := &image.Gray{Pix: pix, Stride: 3, Rect: image.Rect(0, 0, 3, 2)}
	colour := image.NewRGBA(gray.Rect)
	for i, p := range pix {
		colour.Set(i%3, i/3, color.Gray{Y: p})
	}
	for name, img := range map[string]image.Image{"gray": gray, "colour": colour} {
		got, many, err := read(append(encodeJPEG(t, img), "more"...))
		if err != nil || many || len(got) != 1 {
			t.Fatalf("%s: %v, many %v, %v", name, got, many, err)
		}
		for i, p := range pix {
			if d := int(got[0][i]) - int(p); d < -6 || d > 6 {
				t.Errorf("%s: %v, want about %v", name, got[0], pix)
			}
		}
	}
}

// What is transparent is ground, whichever colour that has.
func TestReadTransparent(t *testing.T) {
	ink := image.NewNRGBA(image.Rect(0, 0, 3, 2))
	ink.Set(0, 0, color.NRGBA{R: 255, G: 255, B: 255, A: 255})
	ink.Set(1, 0, color.NRGBA{A: 255})
	ink.Set(2, 0, color.NRGBA{R: 9, A: 0})
	ink.Set(0, 1, color.NRGBA{A: 128})
	for invert, want := range map[bool][]byte{
		false: {255, 0, 0, 0, 0, 0},
		true:  {0, 255, 0, 128, 0, 0},
	} {
		got, _, err := readAs(encodePNG(t, ink), Want{Height: 2, Width: 3, Invert: invert})
		if err != nil || len(got) != 1 || !slices.Equal(got[0], want) {
			t.Errorf("invert %v: %v, %v, want %v", invert, got, err, want)
		}
	}
}

func TestResize(t *testing.T) {
	flat := func(w, h int, v byte) *image.Gray {
		return &image.Gray{Pix: bytes.Repeat([]byte{v}, w*h), Stride: w, Rect: image.Rect(0, 0, w, h)}
	}
	half := flat(8, 8, 0) // its right half is bright
	for i := range half.Pix {
		if i%8 >= 4 {
			half.Pix[i] = 200
		}
	}
	tests := []struct {
		name   string
		img    *image.Gray
		invert bool
		want   []byte // 4 x 4
	}{
		{name: "smaller", img: half, want: slices.Concat([]byte{0, 0, 200, 200}, []byte{0, 0, 200, 200}, []byte{0, 0, 200, 200}, []byte{0, 0, 200, 200})},
		{name: "larger", img: flat(1, 1, 7), want: bytes.Repeat([]byte{7}, 16)},
		{name: "wide", img: flat(20, 10, 9), want: slices.Concat(make([]byte, 4), bytes.Repeat([]byte{9}, 8), make([]byte, 4))},
		{name: "tall, inverted", img: flat(3, 6, 250), invert: true, want: bytes.Repeat([]byte{0, 5, 5, 0}, 4)},
		{name: "very wide", img: flat(100, 1, 50), want: slices.Concat(make([]byte, 4), bytes.Repeat([]byte{50}, 4), make([]byte, 8))},
	}
	for _, tt := range tests {
		want := Want{Height: 4, Width: 4, Resize: true, Invert: tt.invert}
		b := tt.img.Rect
		for kind, data := range map[string][]byte{
			"png": encodePNG(t, tt.img),
			"idx": idxBytes(t, &mnist.Images{Rows: b.Dy(), Cols: b.Dx(), Pix: tt.img.Pix}),
		} {
			got, _, err := readAs(data, want)
			if err != nil || len(got) != 1 {
				t.Fatalf("%s as %s: %v", tt.name, kind, err)
			}
			for i := range got[0] { // the kernel rings by a few grays at an edge
				if d := int(got[0][i]) - int(tt.want[i]); d < -15 || d > 15 || tt.want[i] < 100 && tt.name != "smaller" && d != 0 {
					t.Errorf("%s as %s: %v, want %v", tt.name, kind, got[0], tt.want)
					break
				}
			}
		}
	}
}

func TestReadErrors(t *testing.T) {
	good := encodePNG(t, image.NewGray(image.Rect(0, 0, 3, 2)))
	photo := encodeJPEG(t, image.NewGray(image.Rect(0, 0, 3, 2)))
	other := encodePNG(t, image.NewGray(image.Rect(0, 0, 20, 20)))
	idx := idxBytes(t, &mnist.Images{Rows: 2, Cols: 3, Pix: make([]byte, 12)})
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "empty: expected a PNG or JPEG picture or an IDX file"},
		{"text", []byte("hello world"), "neither a PNG or JPEG picture nor an IDX file"},
		{"png of another size", other, "image is 20x20 (height x width): the model takes 2x3; --resize fits them"},
		{"png turned", encodePNG(t, image.NewGray(image.Rect(0, 0, 2, 3))), "image is 3x2 (height x width): the model takes 2x3; --resize fits them"},
		{"png cut in its header", good[:20], "decoding the PNG picture: "},
		{"png cut", good[:len(good)-20], "decoding the PNG picture: "},
		{"png broken", append(slices.Clone(good[:40]), bytes.Repeat([]byte{1}, 60)...), "decoding the PNG picture: "},
		{"jpeg cut in its header", photo[:20], "decoding the JPEG picture: "},
		{"jpeg cut", photo[:len(photo)-10], "decoding the JPEG picture: "},
		{"jpeg of another size", encodeJPEG(t, image.NewGray(image.Rect(0, 0, 2, 3))), "image is 3x2 (height x width): the model takes 2x3; --resize fits them"},
		{"idx of another size", idxBytes(t, &mnist.Images{Rows: 4, Cols: 3, Pix: make([]byte, 12)}), "images are 4x3 (height x width): the model takes 2x3; --resize fits them"},
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
