// Package latent reads and writes rows of latent vectors, the table that encode
// prints and decode reads: an id, a label where one is known, and z.
//
// Each format has a file of its own with its Writer and its Reader; what the
// numbers mean is the caller's business. Readers and writers stream: a row is
// all that they hold, and a row may take MaxRow bytes at most.
package latent

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Row is one image's place in the latent space.
type Row struct {
	ID     string
	Label  string // empty where it is not known
	Z      []float32
	LogVar []float32 // empty unless asked for
}

// A Writer writes rows one after another. Flush must be called after the last.
// Close releases what the Writer holds, after Flush or after an error.
type Writer interface {
	Write(Row) error
	Flush() error
	Close() error
}

// A Reader reads rows one after another. Read overwrites the row, whose Z is
// valid until the next call, and returns io.EOF after the last.
type Reader interface {
	Read(*Row) error
}

// Format is a way to write rows down.
type Format string

const (
	// CSV and TSV have the header id,label,z_1,...,z_d[,log_var_1,...,log_var_d].
	CSV Format = "csv"
	TSV Format = "tsv"
	// NDJSON has an object a line: {"id":"a.png","label":7,"z":[0.5,-1]}.
	NDJSON Format = "ndjson"
	// NPY is NumPy's array file, float32 [rows][d] or, with log_var behind z,
	// [rows][2d]. It has neither ids nor labels.
	NPY Format = "npy"
	// Numbers are bare rows of numbers between commas, tabs or spaces. They are
	// read, never written.
	Numbers Format = "numbers"
)

// Formats lists the formats that can be written; Numbers can be read besides.
func Formats() []string { return []string{string(CSV), string(TSV), string(NDJSON), string(NPY)} }

// NewWriter returns a Writer of rows with dim latent dimensions and, if logVar,
// as many logarithms of the variance. All but NPY write each row at once; an
// NPY file begins with the number of rows, and is held back until Flush.
func NewWriter(w io.Writer, f Format, dim int, logVar bool) (Writer, error) {
	switch f {
	case CSV:
		return newCSVWriter(w, ',', dim, logVar)
	case TSV:
		return newCSVWriter(w, '\t', dim, logVar)
	case NDJSON:
		return newNDJSONWriter(w), nil
	case NPY:
		return newNPYWriter(w, dim, logVar), nil
	}
	return nil, fmt.Errorf("format %q cannot be written: must be one of %s", f, strings.Join(Formats(), ", "))
}

// NewReader returns a Reader of rows with dim latent dimensions in format f;
// for "" the first bytes tell which it is.
func NewReader(r io.Reader, f Format, dim int) (Reader, error) {
	in := newInput(r)
	if err := in.skipMark(); err != nil {
		return nil, err
	}
	if f == "" {
		var err error
		if f, err = in.tell(); err != nil {
			return nil, err
		}
	}
	switch f {
	case CSV:
		return newCSVReader(in, ',', dim)
	case TSV:
		return newCSVReader(in, '\t', dim)
	case NDJSON:
		return newNDJSONReader(in, dim), nil
	case NPY:
		return newNPYReader(in, dim)
	case Numbers:
		return newNumbersReader(in, dim), nil
	}
	return nil, fmt.Errorf("format %q cannot be read: must be one of %s, %s", f, strings.Join(Formats(), ", "), Numbers)
}

// zColumn and logVarColumn name the columns of dimension i, counted from 1.
func zColumn(i int) string      { return "z_" + strconv.Itoa(i) }
func logVarColumn(i int) string { return "log_var_" + strconv.Itoa(i) }

// format returns the shortest text that reads back as the same float32.
func format(x float32) string { return strconv.FormatFloat(float64(x), 'g', -1, 32) }

// parse is the inverse of format. Its errors go on from "... is ".
func parse(s string) (float32, error) {
	x, err := strconv.ParseFloat(strings.TrimSpace(s), 32)
	switch {
	case err == nil && finite(float32(x)):
		return float32(x), nil
	case err == nil, errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("%.40q: must be a finite number", s)
	}
	return 0, fmt.Errorf("%.40q: must be a number", s)
}

func finite(x float32) bool { return !math.IsNaN(float64(x)) && !math.IsInf(float64(x), 0) }
