package latent

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"vaectl/internal/npy"
)

// npyWriter writes a row as z and, where asked for, log_var behind it.
type npyWriter struct{ *npy.Writer }

func newNPYWriter(w io.Writer, dim int, logVar bool) npyWriter {
	if logVar {
		dim *= 2
	}
	return npyWriter{npy.NewWriter(w, dim)}
}

func (n npyWriter) Write(r Row) error { return n.Writer.Write(r.Z, r.LogVar) }

// npyReader reads an array [rows][dim], or [dim], which is one row, or [rows]
// where dim is 1.
type npyReader struct {
	r          io.Reader
	rows, done uint64
	row        []byte
	double     bool // float64 rather than float32
}

func newNPYReader(in *input, dim int) (*npyReader, error) {
	h, err := npy.ReadHeader(in.Reader)
	if err != nil {
		return nil, err
	}
	n := &npyReader{r: in.Reader}
	size := 4
	switch h.Descr {
	case "<f4":
	case "<f8":
		n.double, size = true, 8
	default:
		return nil, fmt.Errorf("npy header: descr is %.40q: must be '<f4' or '<f8', little-endian float32 or float64", h.Descr)
	}
	if h.Fortran {
		return nil, errors.New("npy header: the array is in Fortran order: must be in C order, as numpy.ascontiguousarray makes it")
	}
	var width uint64
	switch len(h.Shape) {
	case 1:
		n.rows, width = 1, h.Shape[0]
		if dim == 1 {
			n.rows, width = h.Shape[0], 1
		}
	case 2:
		n.rows, width = h.Shape[0], h.Shape[1]
	default:
		return nil, fmt.Errorf("npy header: the array has %d dimensions: must have 2, rows and %d columns", len(h.Shape), dim)
	}
	if width != uint64(dim) {
		return nil, fmt.Errorf("npy header: the array has %d columns: the model takes %d", width, dim)
	}
	if n.rows == 0 {
		return nil, errNoRows
	}
	n.row = make([]byte, dim*size)
	return n, nil
}

func (n *npyReader) Read(row *Row) error {
	if n.done == n.rows {
		switch _, err := io.ReadFull(n.r, n.row[:1]); err {
		case io.EOF:
			return io.EOF
		case nil:
			return fmt.Errorf("bytes after the last of %d rows that the npy header names", n.rows)
		default:
			return err
		}
	}
	_, err := io.ReadFull(n.r, n.row)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("the input ends in row %d of %d that the npy header names", n.done+1, n.rows)
	}
	if err != nil {
		return err
	}
	n.done++
	*row = Row{Z: row.Z[:0]}
	for i := 0; i < len(n.row); {
		var x float64
		if n.double {
			x = math.Float64frombits(binary.LittleEndian.Uint64(n.row[i:]))
			i += 8
		} else {
			x = float64(math.Float32frombits(binary.LittleEndian.Uint32(n.row[i:])))
			i += 4
		}
		if !finite(float32(x)) {
			return fmt.Errorf("row %d: %s is %v: must be a finite number in 32 bits", n.done, zColumn(len(row.Z)+1), x)
		}
		row.Z = append(row.Z, float32(x))
	}
	return nil
}
