package npy

import (
	"encoding/binary"
	"io"
	"math"

	"vaectl/internal/spool"
)

// Writer writes an array [n][inner...] of float32, n being the number of calls
// of Write. The data are held back in a spool until Flush, which must be called
// after the last; Close releases what the Writer holds.
type Writer struct {
	w     io.Writer
	shape []int
	data  spool.Spool
	buf   []byte
}

// NewWriter returns a Writer of elements of the given sizes.
func NewWriter(w io.Writer, inner ...int) *Writer {
	return &Writer{w: w, shape: append([]int{0}, inner...)}
}

// Write adds one element, whose numbers may come in several parts.
func (n *Writer) Write(parts ...[]float32) error {
	n.buf = n.buf[:0]
	for _, values := range parts {
		for _, x := range values {
			n.buf = binary.LittleEndian.AppendUint32(n.buf, math.Float32bits(x))
		}
	}
	size := 4
	for _, k := range n.shape[1:] {
		size *= k
	}
	if len(n.buf) != size {
		panic("npy: element of another size than the array's")
	}
	n.shape[0]++
	_, err := n.data.Write(n.buf)
	return err
}

func (n *Writer) Flush() error {
	if err := WriteHeader(n.w, n.shape...); err != nil {
		return err
	}
	_, err := n.data.WriteTo(n.w)
	return err
}

func (n *Writer) Close() error { return n.data.Close() }
