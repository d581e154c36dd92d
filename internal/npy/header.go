// Package npy reads and writes the header of NumPy's array files, and writes
// arrays of float32 whose first size is known last.
//
// It is our own because github.com/sbinet/npyio allocates as the header says,
// before the data are there, looks for a header's keys with regular expressions,
// and brings a reader of Python pickles along.
package npy

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// An npy file is Magic, two bytes of version, the length of a header (two bytes
// in version 1, four later), the header, a Python dictionary padded with spaces
// so that the data begin at a multiple of 64, and then the data. See
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
const (
	Magic     = "\x93NUMPY"
	maxHeader = 1 << 16 // a plain array's takes 118 bytes
)

// Header is what a header says.
type Header struct {
	Descr   string // the element type: "<f4" is little-endian float32
	Fortran bool   // the first size varies fastest in memory, not the last
	Shape   []uint64
}

// WriteHeader writes the header of an array of little-endian float32 numbers in
// C order.
func WriteHeader(w io.Writer, shape ...int) error {
	var sizes strings.Builder
	for _, n := range shape {
		fmt.Fprintf(&sizes, "%d, ", n)
	}
	dict := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", strings.TrimSuffix(sizes.String(), " "))
	if len(shape) > 1 {
		dict = strings.Replace(dict, ",)", ")", 1) // as NumPy writes it
	}
	const before = len(Magic) + 2 + 2
	length := (before+len(dict)+1+63)/64*64 - before
	header := append([]byte(Magic), 1, 0)
	header = binary.LittleEndian.AppendUint16(header, uint16(length))
	header = fmt.Appendf(header, "%-*s\n", length-1, dict)
	_, err := w.Write(header)
	return err
}

// ReadHeader reads up to the first byte of the data. The sizes in it are
// unchecked numbers.
func ReadHeader(r io.Reader) (Header, error) {
	ended := func(err error) error {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return errors.New("the input ends in the npy header")
		}
		return err
	}
	head := make([]byte, len(Magic)+2, 16)
	if _, err := io.ReadFull(r, head); err != nil {
		return Header{}, ended(err)
	}
	if string(head[:len(Magic)]) != Magic {
		return Header{}, errors.New("not an npy file: it does not begin with \\x93NUMPY")
	}
	version := head[len(Magic)]
	size := make([]byte, 4)
	switch version {
	case 1:
		size = size[:2]
	case 2, 3:
	default:
		return Header{}, fmt.Errorf("npy version %d is not known: must be 1, 2 or 3", version)
	}
	if _, err := io.ReadFull(r, size); err != nil {
		return Header{}, ended(err)
	}
	length := binary.LittleEndian.Uint32(append(size, 0, 0)) // the zeros count in version 1 alone
	if length > maxHeader {
		return Header{}, fmt.Errorf("npy header of %d bytes: must be at most %d", length, maxHeader)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return Header{}, ended(err)
	}
	h, err := parseHeader(string(text))
	if err != nil {
		return Header{}, fmt.Errorf("npy header: %w", err)
	}
	return h, nil
}

// parseHeader reads a dictionary of the keys descr, fortran_order and shape,
// each once, in any order.
func parseHeader(text string) (h Header, err error) {
	d := dict{strings.TrimRight(text, " \n\x00")}
	var seen []string
	if !d.take("{") {
		return h, d.unexpected("{")
	}
	for !d.take("}") {
		key, ok := d.quoted()
		if !ok || !d.take(":") {
			return h, d.unexpected("a key and a colon")
		}
		if slices.Contains(seen, key) {
			return h, fmt.Errorf("%q appears twice", key)
		}
		seen = append(seen, key)
		switch key {
		case "descr":
			if h.Descr, ok = d.quoted(); !ok {
				return h, d.unexpected("one element type")
			}
		case "fortran_order":
			if h.Fortran = d.take("True"); !h.Fortran && !d.take("False") {
				return h, d.unexpected("True or False")
			}
		case "shape":
			if h.Shape, ok = d.tuple(); !ok {
				return h, d.unexpected("a tuple of sizes")
			}
		default:
			return h, fmt.Errorf("key %.40q is not known", key)
		}
		if !d.take(",") && !strings.HasPrefix(d.rest, "}") {
			return h, d.unexpected("a comma or }")
		}
	}
	if d.rest != "" {
		return h, d.unexpected("nothing more")
	}
	for _, key := range []string{"descr", "fortran_order", "shape"} {
		if !slices.Contains(seen, key) {
			return h, fmt.Errorf("no key %q", key)
		}
	}
	return h, nil
}

// dict is the part of a Python literal that is still to be read.
type dict struct{ rest string }

// take passes over s and the spaces around it, if it comes next.
func (d *dict) take(s string) bool {
	d.rest = strings.TrimLeft(d.rest, " \n")
	rest, ok := strings.CutPrefix(d.rest, s)
	if ok {
		d.rest = strings.TrimLeft(rest, " \n")
	}
	return ok
}

func (d *dict) quoted() (string, bool) {
	for _, quote := range []string{"'", `"`} {
		if d.take(quote) {
			s, rest, ok := strings.Cut(d.rest, quote)
			if !ok {
				return "", false
			}
			d.rest = rest
			d.take("")
			return s, true
		}
	}
	return "", false
}

// tuple reads (), (3,) or (3, 2), of up to 32 sizes as NumPy has it.
func (d *dict) tuple() (sizes []uint64, ok bool) {
	if !d.take("(") {
		return nil, false
	}
	for !d.take(")") {
		digits := len(d.rest) - len(strings.TrimLeft(d.rest, "0123456789"))
		n, err := strconv.ParseUint(d.rest[:digits], 10, 63)
		if err != nil || len(sizes) == 32 {
			return nil, false
		}
		sizes = append(sizes, n)
		d.rest = d.rest[digits:]
		if !d.take(",") && !strings.HasPrefix(d.rest, ")") {
			return nil, false
		}
	}
	return sizes, true
}

func (d *dict) unexpected(want string) error {
	if d.rest == "" {
		return fmt.Errorf("the dictionary ends where %s should be", want)
	}
	return fmt.Errorf("%.40q stands where %s should be", d.rest, want)
}
