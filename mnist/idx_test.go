package mnist

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

// idx builds an IDX file by hand, right or wrong.
func idx(magic uint32, sizes []uint32, data ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, magic)
	for _, n := range sizes {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return append(b, data...)
}

// upTo is the bytes 0 to n-1.
func upTo(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func pack(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 0xff
	return b
}

// readEach reads images one by one, as ReadImages does at one go.
func readEach(src io.Reader) (*Images, error) {
	r, err := NewReader(src)
	if err != nil {
		return nil, err
	}
	m := &Images{Rows: r.Rows(), Cols: r.Cols()}
	image := make([]byte, r.Rows()*r.Cols())
	for {
		switch err := r.Next(image); err {
		case nil:
			m.Pix = append(m.Pix, image...)
		case io.EOF:
			return m, nil
		default:
			return nil, err
		}
	}
}

func TestReadImages(t *testing.T) {
	plain := idx(0x803, []uint32{3, 2, 4}, upTo(24)...)
	for name, file := range map[string][]byte{
		"plain":              plain,
		"gzip":               pack(t, plain),
		"gzip of two pieces": append(pack(t, plain[:20]), pack(t, plain[20:])...),
	} {
		for how, src := range map[string]func(io.Reader) io.Reader{
			"at once":      func(r io.Reader) io.Reader { return r },
			"byte by byte": iotest.OneByteReader,
			"EOF early":    iotest.DataErrReader,
		} {
			for _, read := range []func(io.Reader) (*Images, error){ReadImages, readEach} {
				m, err := read(src(bytes.NewReader(file)))
				if err != nil {
					t.Fatalf("%s, %s: %v", name, how, err)
				}
				if m.Rows != 2 || m.Cols != 4 || m.Len() != 3 || !bytes.Equal(m.Pix, upTo(24)) {
					t.Errorf("%s, %s: got %+v", name, how, m)
				}
			}
		}
	}
}

func TestImagesAt(t *testing.T) {
	m := &Images{Rows: 2, Cols: 4, Pix: upTo(24)}
	if got := m.At(1); !bytes.Equal(got, upTo(16)[8:]) || cap(got) != 8 {
		t.Errorf("image 1 is %v with room for %d", got, cap(got))
	}
	if n := new(Images).Len(); n != 0 {
		t.Errorf("no images: Len is %d", n)
	}
}

func TestReaderLen(t *testing.T) {
	r, err := NewReader(bytes.NewReader(idx(0x803, []uint32{5, 2, 4})))
	if err != nil {
		t.Fatal(err)
	}
	if r.Len() != 5 || r.Rows() != 2 || r.Cols() != 4 {
		t.Errorf("got %d images of %dx%d", r.Len(), r.Rows(), r.Cols())
	}
}

func TestReaderKeepsItsError(t *testing.T) {
	for name, data := range map[string][]byte{
		"end":            upTo(4),
		"trailing bytes": upTo(5),
		"cut short":      upTo(3),
	} {
		r, err := NewReader(bytes.NewReader(idx(0x803, []uint32{1, 2, 2}, data...)))
		if err != nil {
			t.Fatal(err)
		}
		image := make([]byte, 4)
		var first error
		for range 2 {
			if first = r.Next(image); first != nil {
				break
			}
		}
		if first == nil || (first == io.EOF) != (name == "end") {
			t.Errorf("%s: Next ended with %v", name, first)
		}
		if again := r.Next(image); again != first {
			t.Errorf("%s: Next ended with %v, then %v", name, first, again)
		}
	}
}

func TestImagesRefused(t *testing.T) {
	good := idx(0x803, []uint32{3, 2, 2}, upTo(12)...)
	packed := pack(t, good)
	for _, test := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "data end in the IDX header: 0 of 16 bytes"},
		{"one byte", []byte{0x1f}, "data end in the IDX header: 1 of 16 bytes"},
		{"header cut short", good[:15], "data end in the IDX header: 15 of 16 bytes"},
		{"PNG", []byte("\x89PNG\r\n\x1a\n"), "bad magic number 0x89504e47: want 0x00000803, IDX images of unsigned bytes"},
		{"second byte not zero", idx(0x10803, []uint32{1, 1, 1}, 7), "bad magic number 0x00010803: want 0x00000803, IDX images of unsigned bytes"},
		{"labels", idx(0x801, []uint32{1}, 7), "magic number 0x00000801 is that of an IDX file of labels: want 0x00000803, images"},
		{"float elements", idx(0xd03, []uint32{1, 2, 2}), "magic number 0x00000d03: IDX element type 0x0d is not supported: want 0x08, unsigned bytes"},
		{"two dimensions", idx(0x802, []uint32{2, 2}, 1, 2, 3, 4), "magic number 0x00000802: IDX data of 2 dimensions: images have 3"},
		{"no images", idx(0x803, []uint32{0, 28, 28}), "header says 0 images: want 1 to 2147483647"},
		{"too many images", idx(0x803, []uint32{1 << 31, 1, 1}), "header says 2147483648 images: want 1 to 2147483647"},
		{"no rows", idx(0x803, []uint32{1, 0, 28}), "header says images of 0x28: want 1 to 4096 rows and columns"},
		{"no columns", idx(0x803, []uint32{1, 28, 0}), "header says images of 28x0: want 1 to 4096 rows and columns"},
		{"too many rows", idx(0x803, []uint32{1, 4097, 1}), "header says images of 4097x1: want 1 to 4096 rows and columns"},
		{"too many columns", idx(0x803, []uint32{1, 1, 1<<32 - 1}), "header says images of 1x4294967295: want 1 to 4096 rows and columns"},
		{"no data", good[:16], "data end in image 1: header says 3 images of 2x2"},
		{"count too large", idx(0x803, []uint32{5, 2, 2}, upTo(12)...), "data end in image 4: header says 5 images of 2x2"},
		{"image cut short", good[:27], "data end in image 3: header says 3 images of 2x2"},
		{"trailing bytes", append(bytes.Clone(good), 0), "after the last of 3 images of 2x2: trailing bytes"},
		{"gzip header cut short", packed[:5], "gzip stream is cut short"},
		{"gzip cut short in the header inside", pack(t, good[:9]), "data end in the IDX header: 9 of 16 bytes"},
		{"gzip cut short before its checksum", packed[:len(packed)-8], "after the last of 3 images of 2x2: gzip stream is cut short"},
		{"gzip cut short in its checksum", packed[:len(packed)-1], "after the last of 3 images of 2x2: gzip stream is cut short"},
		{"gzip with a wrong checksum", flip(packed, len(packed)-8), "after the last of 3 images of 2x2: gzip: invalid checksum"},
		{"gzip of unknown method", flip(packed, 2), "gzip: invalid header"},
		{"gzip with data too short", pack(t, good[:27]), "data end in image 3: header says 3 images of 2x2"},
		{"gzip with trailing bytes inside", pack(t, append(bytes.Clone(good), 0)), "after the last of 3 images of 2x2: trailing bytes"},
		{"gzip with trailing bytes behind", append(bytes.Clone(packed), make([]byte, 16)...), "after the last of 3 images of 2x2: trailing bytes after the gzip stream"},
		{"gzip in gzip", pack(t, packed), "bad magic number 0x1f8b0800: want 0x00000803, IDX images of unsigned bytes"},
	} {
		for how, read := range map[string]func(io.Reader) (*Images, error){"ReadImages": ReadImages, "Reader": readEach} {
			if m, err := read(bytes.NewReader(test.file)); err == nil || err.Error() != test.want || m != nil {
				t.Errorf("%s, %s:\n got %v\nwant %v", test.name, how, err, test.want)
			}
		}
	}
}

// Deflate packs in blocks, so only a file of some size can be cut within its
// pixels.
func TestGzipCutInAnImage(t *testing.T) {
	packed := pack(t, idx(0x803, []uint32{300, 16, 16}, noise(300*256)...))
	want := "of 300: gzip stream is cut short"
	for how, read := range map[string]func(io.Reader) (*Images, error){"ReadImages": ReadImages, "Reader": readEach} {
		_, err := read(bytes.NewReader(packed[:len(packed)/2]))
		if err == nil || !strings.HasPrefix(err.Error(), "image 1") || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%s: got %v, want it to end in %q", how, err, want)
		}
	}
}

// noise is n bytes that do not compress.
func noise(n int) []byte {
	b, x := make([]byte, n), uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}

func TestReadErrorsAreKept(t *testing.T) {
	broken := errors.New("disk on fire")
	images := idx(0x803, []uint32{2, 2, 2}, upTo(8)...)
	labels := idx(0x801, []uint32{3}, upTo(3)...)
	for _, test := range []struct {
		n    int // bytes that can be read
		want string
	}{
		{0, "disk on fire"},
		{3, "IDX header: disk on fire"},
		{19, "image 1 of 2: disk on fire"},
		{20, "image 2 of 2: disk on fire"},
		{24, "after the last of 2 images of 2x2: disk on fire"},
	} {
		src := io.MultiReader(bytes.NewReader(images[:test.n]), iotest.ErrReader(broken))
		if _, err := ReadImages(src); !errors.Is(err, broken) || err.Error() != test.want {
			t.Errorf("images, %d bytes: got %v, want %s", test.n, err, test.want)
		}
	}
	for _, test := range []struct {
		n    int
		want string
	}{
		{0, "disk on fire"},
		{9, "label 2 of 3: disk on fire"},
		{11, "after the last of 3 labels: disk on fire"},
	} {
		src := io.MultiReader(bytes.NewReader(labels[:test.n]), iotest.ErrReader(broken))
		if _, err := ReadLabels(src); !errors.Is(err, broken) || err.Error() != test.want {
			t.Errorf("labels, %d bytes: got %v, want %s", test.n, err, test.want)
		}
	}
}

func TestReadLabels(t *testing.T) {
	plain := idx(0x801, []uint32{5}, 3, 1, 4, 1, 5)
	for name, file := range map[string][]byte{"plain": plain, "gzip": pack(t, plain)} {
		labels, err := ReadLabels(bytes.NewReader(file))
		if err != nil || !bytes.Equal(labels, []byte{3, 1, 4, 1, 5}) {
			t.Errorf("%s: got %v, %v", name, labels, err)
		}
	}
}

func TestLabelsRefused(t *testing.T) {
	good := idx(0x801, []uint32{3}, 1, 2, 3)
	packed := pack(t, good)
	for _, test := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "data end in the IDX header: 0 of 8 bytes"},
		{"header cut short", good[:7], "data end in the IDX header: 7 of 8 bytes"},
		{"text", []byte("5\n0\n4\n1\n9\n"), "bad magic number 0x350a300a: want 0x00000801, IDX labels of unsigned bytes"},
		{"images", idx(0x803, []uint32{1, 1, 1}, 7), "magic number 0x00000803 is that of an IDX file of images: want 0x00000801, labels"},
		{"int elements", idx(0xc01, []uint32{1}, 7), "magic number 0x00000c01: IDX element type 0x0c is not supported: want 0x08, unsigned bytes"},
		{"two dimensions", idx(0x802, []uint32{1, 8}, upTo(8)...), "magic number 0x00000802: IDX data of 2 dimensions: labels have 1"},
		{"no labels", idx(0x801, []uint32{0}), "header says 0 labels: want 1 to 2147483647"},
		{"too many labels", idx(0x801, []uint32{1 << 31}), "header says 2147483648 labels: want 1 to 2147483647"},
		{"count too large", idx(0x801, []uint32{9}, 1, 2, 3), "data end after 3 labels: header says 9"},
		{"no data", good[:8], "data end after 0 labels: header says 3"},
		{"trailing bytes", append(bytes.Clone(good), 0), "after the last of 3 labels: trailing bytes"},
		{"gzip cut short", packed[:len(packed)-8], "after the last of 3 labels: gzip stream is cut short"},
		{"gzip with data too short", pack(t, good[:10]), "data end after 2 labels: header says 3"},
		{"gzip with trailing bytes inside", pack(t, append(bytes.Clone(good), 0)), "after the last of 3 labels: trailing bytes"},
	} {
		if labels, err := ReadLabels(bytes.NewReader(test.file)); err == nil || err.Error() != test.want || labels != nil {
			t.Errorf("%s:\n got %v\nwant %v", test.name, err, test.want)
		}
	}
}

// A header may announce 2 GiB; a file of some bytes must not cost them.
func TestHeaderSizesNoAllocation(t *testing.T) {
	for name, read := range map[string]func() error{
		"images": func() error {
			_, err := ReadImages(bytes.NewReader(idx(0x803, []uint32{127, 4096, 4096}, 1, 2, 3)))
			return err
		},
		"labels": func() error {
			_, err := ReadLabels(bytes.NewReader(idx(0x801, []uint32{1<<31 - 1}, 1, 2, 3)))
			return err
		},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := read()
		runtime.ReadMemStats(&after)
		if err == nil || !strings.HasPrefix(err.Error(), "data end") {
			t.Errorf("%s: got %v", name, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20 {
			t.Errorf("%s: %d bytes allocated for a file of a few", name, got)
		}
	}
}

// More than 2 GiB may be streamed, but not read into memory.
func TestReadImagesLimit(t *testing.T) {
	file := idx(0x803, []uint32{128, 4096, 4096})
	if _, err := NewReader(bytes.NewReader(file)); err != nil {
		t.Error(err)
	}
	want := "header says 128 images of 4096x4096, 2147483648 bytes: at most 2147483647 are read into memory"
	if _, err := ReadImages(bytes.NewReader(file)); err == nil || err.Error() != want {
		t.Errorf("\n got %v\nwant %v", err, want)
	}
}

// The buffer's growth must neither lose nor repeat a byte, nor end too large.
func TestReadManyImages(t *testing.T) {
	pix := noise(3*firstChunk + 7*16)
	m, err := ReadImages(bytes.NewReader(idx(0x803, []uint32{uint32(len(pix) / 16), 4, 4}, pix...)))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(m.Pix, pix) || cap(m.Pix) != len(pix) {
		t.Errorf("got %d bytes with room for %d, equal: %v", len(m.Pix), cap(m.Pix), bytes.Equal(m.Pix, pix))
	}
}

// A gzip stream that unpacks to far more than its header says is left at the
// first byte too many.
func TestGzipBomb(t *testing.T) {
	bomb := pack(t, append(idx(0x803, []uint32{1, 2, 2}), make([]byte, 64<<20)...))
	src := bytes.NewReader(bomb)
	want := "after the last of 1 images of 2x2: trailing bytes"
	if _, err := ReadImages(src); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if used := len(bomb) - src.Len(); used > 8192 {
		t.Errorf("%d of %d packed bytes were read", used, len(bomb))
	}
}

// A stream of nothing but zeros unpacks to a thousand times its size, and is left
// when that is more than any images do; the same unpacked is read.
func TestGzipRatio(t *testing.T) {
	const side, count = 1 << 10, 48
	const want = "gzip stream unpacks to more than 100 times its size: unpack it yourself if it is sound"
	plain := idx(0x803, []uint32{count, side, side}, make([]byte, count*side*side)...)
	packed := pack(t, plain)
	m, err := ReadImages(bytes.NewReader(packed))
	if err == nil || !strings.HasSuffix(err.Error(), want) || m != nil {
		t.Errorf("packed: %v", err)
	}
	if _, err := readEach(bytes.NewReader(packed)); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("packed, one by one: %v", err)
	}
	if _, err := ReadImages(bytes.NewReader(plain)); err != nil {
		t.Errorf("plain: %v", err)
	}
	// A small stream may shrink as it likes.
	small := idx(0x803, []uint32{16, side, side}, make([]byte, 16*side*side)...)
	if _, err := ReadImages(bytes.NewReader(pack(t, small))); err != nil {
		t.Errorf("small: %v", err)
	}
}

func TestWriteRefused(t *testing.T) {
	full := errors.New("disk full")
	pixel := &Images{Rows: 1, Cols: 1, Pix: []byte{7}}
	for _, test := range []struct {
		name string
		err  error
		want string
	}{
		{"no size", WriteImages(io.Discard, &Images{}), "writing images of 0x0: want 1 to 4096 rows and columns"},
		{"too wide", WriteImages(io.Discard, &Images{Rows: 1, Cols: 4097, Pix: make([]byte, 4097)}), "writing images of 1x4097: want 1 to 4096 rows and columns"},
		{"negative", WriteImages(io.Discard, &Images{Rows: -1, Cols: -1, Pix: upTo(1)}), "writing images of -1x-1: want 1 to 4096 rows and columns"},
		{"no images", WriteImages(io.Discard, &Images{Rows: 2, Cols: 2}), "writing images of 2x2: 0 bytes are not 1 to 2147483647 whole images"},
		{"part of an image", WriteImages(io.Discard, &Images{Rows: 2, Cols: 2, Pix: upTo(7)}), "writing images of 2x2: 7 bytes are not 1 to 2147483647 whole images"},
		{"no labels", WriteLabels(io.Discard, nil), "writing 0 labels: want 1 to 2147483647"},
		{"images, disk full", WriteImages(brokenWriter{full}, pixel), "writing images: disk full"},
		{"labels, disk full", WriteLabels(brokenWriter{full}, []byte{7}), "writing labels: disk full"},
	} {
		if test.err == nil || test.err.Error() != test.want {
			t.Errorf("%s:\n got %v\nwant %v", test.name, test.err, test.want)
		}
		if strings.Contains(test.name, "disk full") && !errors.Is(test.err, full) {
			t.Errorf("%s: the error does not wrap the writer's", test.name)
		}
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }
