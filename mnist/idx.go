package mnist

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// An IDX file is, in big-endian order, a magic number (two zero bytes, the
// element type, the number of dimensions), one uint32 a dimension, and then
// the elements. See http://yann.lecun.com/exdb/mnist/.
const (
	typeUint8   = 0x08
	magicLabels = typeUint8<<8 | 1 // [N]
	magicImages = typeUint8<<8 | 3 // [N][Rows][Cols]
)

// Limits on what a header may ask for.
const (
	maxSide  = 4096          // rows, and columns
	maxCount = math.MaxInt32 // images or labels in a file
	maxBytes = math.MaxInt32 // pixels that ReadImages takes into memory: 2 GiB less one
)

// A gzip stream may unpack to freeBytes, and beyond that to maxRatio times what
// it takes packed: digits shrink 5 to 10 times, and only what is next to empty a
// hundred times. So some kB that unpack to gigabytes are found out early.
const (
	freeBytes = 32 << 20
	maxRatio  = 100
)

// firstChunk is what is allocated before any data have been seen.
const firstChunk = 1 << 20

// A Reader reads the images of an IDX file one by one, in memory that does
// not depend on their number.
type Reader struct {
	src               io.Reader
	count, rows, cols int
	done              int   // images handed out so far
	err               error // what Next has ended with
}

// NewReader reads and checks the header of an IDX file of images, plain or
// gzip'd (its first bytes tell). Files of 1 to 2^31-1 images of 1 to 4096 rows
// and columns are accepted, the elements being unsigned bytes.
func NewReader(r io.Reader) (*Reader, error) {
	src, err := Unpack(r)
	if err != nil {
		return nil, err
	}
	var size [3]uint32
	if err := readHeader(src, magicImages, size[:]); err != nil {
		return nil, err
	}
	count, rows, cols := size[0], size[1], size[2]
	if count == 0 || count > maxCount {
		return nil, fmt.Errorf("header says %d images: want 1 to %d", count, maxCount)
	}
	if rows == 0 || cols == 0 || rows > maxSide || cols > maxSide {
		return nil, fmt.Errorf("header says images of %dx%d: want 1 to %d rows and columns", rows, cols, maxSide)
	}
	return &Reader{src: src, count: int(count), rows: int(rows), cols: int(cols)}, nil
}

// Len is the number of images in the file, as its header says.
func (r *Reader) Len() int { return r.count }

// Rows is the height of an image.
func (r *Reader) Rows() int { return r.rows }

// Cols is the width of an image.
func (r *Reader) Cols() int { return r.cols }

// Next reads one image into dst, [Rows][Cols]. After the last it returns
// io.EOF, or another error if the file goes on where it should end: only
// io.EOF says that the file is sound.
func (r *Reader) Next(dst []byte) error {
	if len(dst) != r.rows*r.cols {
		panic("mnist: Next: dst does not have the size of an image")
	}
	if r.err != nil {
		return r.err
	}
	if r.done == r.count {
		r.err = r.finish()
		return r.err
	}
	if _, err := io.ReadFull(r.src, dst); err != nil {
		r.err = r.broken(err)
		return r.err
	}
	r.done++
	return nil
}

// finish checks that the file ends here, and returns io.EOF if so.
func (r *Reader) finish() error {
	if err := expectEnd(r.src); err != nil {
		return fmt.Errorf("after the last of %d images of %dx%d: %w", r.count, r.rows, r.cols, err)
	}
	return io.EOF
}

// broken says where in the file err struck.
func (r *Reader) broken(err error) error {
	if isEnd(err) {
		return fmt.Errorf("data end in image %d: header says %d images of %dx%d", r.done+1, r.count, r.rows, r.cols)
	}
	return fmt.Errorf("image %d of %d: %w", r.done+1, r.count, err)
}

// ReadImages reads a whole IDX file of images, plain or gzip'd, up to 2 GiB of
// pixels. Memory grows with the data that arrive, not with what the header
// announces.
func ReadImages(src io.Reader) (*Images, error) {
	r, err := NewReader(src)
	if err != nil {
		return nil, err
	}
	size := int64(r.rows * r.cols)
	if n := int64(r.count) * size; n > maxBytes {
		return nil, fmt.Errorf("header says %d images of %dx%d, %d bytes: at most %d are read into memory",
			r.count, r.rows, r.cols, n, maxBytes)
	}
	pix, err := readN(r.src, r.count*int(size))
	if err != nil {
		r.done = len(pix) / int(size)
		return nil, r.broken(err)
	}
	if err := r.finish(); err != io.EOF {
		return nil, err
	}
	return &Images{Rows: r.rows, Cols: r.cols, Pix: pix}, nil
}

// ReadLabels reads an IDX file of labels, unsigned bytes, plain or gzip'd.
// There must be at least one.
func ReadLabels(r io.Reader) ([]byte, error) {
	src, err := Unpack(r)
	if err != nil {
		return nil, err
	}
	var size [1]uint32
	if err := readHeader(src, magicLabels, size[:]); err != nil {
		return nil, err
	}
	count := size[0]
	if count == 0 || count > maxCount {
		return nil, fmt.Errorf("header says %d labels: want 1 to %d", count, maxCount)
	}
	labels, err := readN(src, int(count))
	if isEnd(err) {
		return nil, fmt.Errorf("data end after %d labels: header says %d", len(labels), count)
	}
	if err != nil {
		return nil, fmt.Errorf("label %d of %d: %w", len(labels)+1, count, err)
	}
	if err := expectEnd(src); err != nil {
		return nil, fmt.Errorf("after the last of %d labels: %w", count, err)
	}
	return labels, nil
}

// WriteImages writes images as a plain IDX file.
func WriteImages(w io.Writer, m *Images) error {
	if m.Rows < 1 || m.Cols < 1 || m.Rows > maxSide || m.Cols > maxSide {
		return fmt.Errorf("writing images of %dx%d: want 1 to %d rows and columns", m.Rows, m.Cols, maxSide)
	}
	n := m.Len()
	if n < 1 || n > maxCount || n*m.Rows*m.Cols != len(m.Pix) {
		return fmt.Errorf("writing images of %dx%d: %d bytes are not 1 to %d whole images", m.Rows, m.Cols, len(m.Pix), maxCount)
	}
	if err := writeIDX(w, magicImages, m.Pix, n, m.Rows, m.Cols); err != nil {
		return fmt.Errorf("writing images: %w", err)
	}
	return nil
}

// WriteLabels writes labels as a plain IDX file.
func WriteLabels(w io.Writer, labels []byte) error {
	if n := len(labels); n < 1 || n > maxCount {
		return fmt.Errorf("writing %d labels: want 1 to %d", n, maxCount)
	}
	if err := writeIDX(w, magicLabels, labels, len(labels)); err != nil {
		return fmt.Errorf("writing labels: %w", err)
	}
	return nil
}

func writeIDX(w io.Writer, magic uint32, data []byte, sizes ...int) error {
	header := binary.BigEndian.AppendUint32(nil, magic)
	for _, n := range sizes {
		header = binary.BigEndian.AppendUint32(header, uint32(n))
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	_, err := w.Write(data)
	return err
}

// readHeader checks the magic number and fills size, one number a dimension.
func readHeader(r io.Reader, magic uint32, size []uint32) error {
	b := make([]byte, 4+4*len(size))
	n, err := io.ReadFull(r, b)
	if err != nil && !isEnd(err) {
		return fmt.Errorf("IDX header: %w", err)
	}
	// A wrong magic number says more than a short header does.
	if n >= 4 {
		if err := checkMagic(binary.BigEndian.Uint32(b), magic); err != nil {
			return err
		}
	}
	if n < len(b) {
		return fmt.Errorf("data end in the IDX header: %d of %d bytes", n, len(b))
	}
	for i := range size {
		size[i] = binary.BigEndian.Uint32(b[4+4*i:])
	}
	return nil
}

func checkMagic(got, want uint32) error {
	names := map[uint32]string{magicImages: "images", magicLabels: "labels"}
	elem, dims := got>>8&0xff, got&0xff
	switch {
	case got == want:
		return nil
	case names[got] != "":
		return fmt.Errorf("magic number 0x%08x is that of an IDX file of %s: want 0x%08x, %s", got, names[got], want, names[want])
	case got>>16 != 0:
		return fmt.Errorf("bad magic number 0x%08x: want 0x%08x, IDX %s of unsigned bytes", got, want, names[want])
	case elem != typeUint8:
		return fmt.Errorf("magic number 0x%08x: IDX element type 0x%02x is not supported: want 0x%02x, unsigned bytes", got, elem, typeUint8)
	default:
		return fmt.Errorf("magic number 0x%08x: IDX data of %d dimensions: %s have %d", got, dims, names[want], want&0xff)
	}
}

// readN reads n bytes, or fewer and an error; isEnd tells of one that means
// that there are no more. The buffer doubles as data arrive.
func readN(r io.Reader, n int) ([]byte, error) {
	var buf []byte
	for len(buf) < n {
		have := len(buf)
		grown := make([]byte, have+min(n-have, max(have, firstChunk)))
		copy(grown, buf)
		m, err := io.ReadFull(r, grown[have:])
		buf = grown[:have+m]
		if err != nil {
			return buf, err
		}
	}
	return buf, nil
}

// expectEnd returns an error unless r ends here. For a gzip stream this is
// also what has its checksum verified.
func expectEnd(r io.Reader) error {
	var b [1]byte
	switch _, err := io.ReadFull(r, b[:]); err {
	case io.EOF:
		return nil
	case nil:
		return errors.New("trailing bytes")
	default:
		return err
	}
}

// isEnd tells whether io.ReadFull met the end of the data.
func isEnd(err error) bool { return err == io.EOF || err == io.ErrUnexpectedEOF }

// Unpack returns r, or what is inside if r begins as a gzip stream. Bytes behind
// the stream are an error.
func Unpack(r io.Reader) (io.Reader, error) {
	br := bufio.NewReader(r)
	head, err := br.Peek(2)
	if err != nil && err != io.EOF {
		return nil, err
	}
	if len(head) < 2 || head[0] != 0x1f || head[1] != 0x8b {
		return br, nil
	}
	packed := &counter{r: br}
	z, err := gzip.NewReader(bufio.NewReader(packed))
	if isEnd(err) {
		return nil, errGzipCut
	}
	if err != nil {
		return nil, err
	}
	return &gunzip{z: z, packed: packed}, nil
}

var (
	errGzipCut  = errors.New("gzip stream is cut short")
	errGzipTail = errors.New("trailing bytes after the gzip stream")
)

// gunzip ends a stream that unpacks to far too much. And it gives the two faults
// of a gzip stream that read like something else a name of their own: an end too
// early would pass for the end of the data inside, and bytes behind the stream
// for a bad header.
type gunzip struct {
	z        *gzip.Reader
	packed   *counter
	unpacked int64
}

func (g *gunzip) Read(p []byte) (int, error) {
	n, err := g.z.Read(p)
	g.unpacked += int64(n)
	switch {
	case err == io.ErrUnexpectedEOF:
		err = errGzipCut
	case err == gzip.ErrHeader:
		err = errGzipTail
	case g.unpacked > freeBytes+maxRatio*g.packed.n:
		err = fmt.Errorf("gzip stream unpacks to more than %d times its size: unpack it yourself if it is sound", maxRatio)
	}
	return n, err
}

// counter counts the bytes read through it.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
