package animation

import (
	"bytes"
	"image"
	"slices"
	"strings"
	"testing"
	"time"
)

// walk is a GIF of three frames of 31x17, the second without a comment.
func walk(t *testing.T) []byte {
	t.Helper()
	a := Animation{Delay: 50 * time.Millisecond, Last: time.Second}
	for k, comment := range []string{"first", "", strings.Repeat("x", 255)} {
		if err := a.Add(picture(k, 31, 17), comment); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := a.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// What is read back, cut short and added to is what was never interrupted.
func TestReadGoesOn(t *testing.T) {
	want := walk(t)
	a, err := Read(bytes.NewReader(want), image.Pt(31, 17))
	if err != nil {
		t.Fatal(err)
	}
	if a.Len() != 3 || a.Comment(0) != "first" || a.Comment(1) != "" || len(a.Comment(2)) != 255 {
		t.Fatalf("%d frames, comments %q", a.Len(), a.frames)
	}
	a.Truncate(1)
	if err := a.Add(picture(0, 31, 18), ""); err == nil {
		t.Error("a frame of another size was added")
	}
	if err := a.Add(picture(1, 31, 17), ""); err != nil {
		t.Fatal(err)
	}
	if err := a.Add(picture(2, 31, 17), strings.Repeat("x", 255)); err != nil {
		t.Fatal(err)
	}
	a.Delay, a.Last = 50*time.Millisecond, time.Second
	var got bytes.Buffer
	if err := a.Write(&got); err != nil || !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the animation that was gone on with is another: %v", err)
	}
}

func TestReadRefuses(t *testing.T) {
	good := walk(t)
	size := image.Pt(31, 17)
	for n := range good {
		if _, err := Read(bytes.NewReader(good[:n]), size); err == nil {
			t.Fatalf("the first %d of %d bytes: no error", n, len(good))
		}
	}
	begin := len(head(size))
	poke := func(at int, b byte) []byte {
		p := slices.Clone(good)
		p[at] = b
		return p
	}
	short := &Animation{size: size, frames: []frame{{picture: append(descriptor(size), 0)}}}
	var shortFile bytes.Buffer
	if err := short.Write(&shortFile); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"behind the end":      append(slices.Clone(good), 0),
		"another palette":     poke(20, 77),
		"another extension":   poke(begin+1, 1),
		"a longer comment":    poke(begin+2, 6),
		"a shorter comment":   poke(begin+2, 4),
		"a comment in two":    slices.Replace(slices.Clone(good), begin+2, begin+9, 2, 'f', 'i', 3, 'r', 's', 't', 0),
		"transparency":        poke(begin+8+3, 1),
		"a smaller frame":     poke(begin+8+8+5, 30),
		"its own palette":     poke(begin+8+8+9, 0x87),
		"other codes":         poke(begin+8+8+10, 7),
		"a frame of no codes": shortFile.Bytes(),
	} {
		if _, err := Read(bytes.NewReader(data), size); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for _, other := range []image.Point{{31, 18}, {17, 31}, {0, 17}, {65536, 1}} {
		if _, err := Read(bytes.NewReader(good), other); err == nil {
			t.Errorf("size %v: no error", other)
		}
	}
}

// What Read accepts, Write writes so that Read returns the same.
func FuzzRead(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		size := image.Pt(31, 17)
		a, err := Read(bytes.NewReader(data), size)
		if err != nil || a.Len() == 0 {
			return
		}
		var b bytes.Buffer
		if err := a.Write(&b); err != nil {
			t.Fatal(err)
		}
		again, err := Read(&b, size)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.EqualFunc(a.frames, again.frames, func(x, y frame) bool {
			return x.comment == y.comment && bytes.Equal(x.picture, y.picture)
		}) {
			t.Error("the frames that come back are others")
		}
	})
}
