package latent

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// csvWriter writes CSV and TSV.
type csvWriter struct {
	w      *csv.Writer
	record []string
}

func newCSVWriter(w io.Writer, comma rune, dim int, logVar bool) (*csvWriter, error) {
	c := &csvWriter{w: csv.NewWriter(w)}
	c.w.Comma = comma
	header := []string{"id", "label"}
	for i := range dim {
		header = append(header, zColumn(i+1))
	}
	if logVar {
		for i := range dim {
			header = append(header, logVarColumn(i+1))
		}
	}
	return c, c.w.Write(header)
}

func (c *csvWriter) Write(r Row) error {
	c.record = append(c.record[:0], r.ID, r.Label)
	for _, x := range r.Z {
		c.record = append(c.record, format(x))
	}
	for _, x := range r.LogVar {
		c.record = append(c.record, format(x))
	}
	return c.w.Write(c.record)
}

func (c *csvWriter) Flush() error {
	c.w.Flush()
	return c.w.Error()
}

func (c *csvWriter) Close() error { return nil }

// csvReader reads CSV and TSV with a header that names the columns z_1 ... z_dim
// in any order; others but id and label are passed over.
type csvReader struct {
	in        *input
	r         *csv.Reader
	z         []int // the column of each dimension
	id, label int   // or -1
	line      int   // of the latest row
	rows      int
}

func newCSVReader(in *input, comma rune, dim int) (*csvReader, error) {
	c := &csvReader{in: in, r: csv.NewReader(in)}
	c.r.Comma = comma
	c.r.ReuseRecord = true
	header, err := c.read()
	if errors.Is(err, io.EOF) {
		return nil, errNoRows
	}
	if err != nil {
		return nil, err
	}
	for i := range dim {
		col := slices.Index(header, zColumn(i+1))
		if col < 0 {
			return nil, fmt.Errorf("line %d: no column %s: the model has %s", c.line, zColumn(i+1), columns(dim))
		}
		c.z = append(c.z, col)
	}
	if slices.Contains(header, zColumn(dim+1)) {
		return nil, fmt.Errorf("line %d: column %s is one too many: the model has %s", c.line, zColumn(dim+1), columns(dim))
	}
	c.id, c.label = slices.Index(header, "id"), slices.Index(header, "label")
	return c, nil
}

func columns(dim int) string {
	if dim == 1 {
		return zColumn(1) + " only"
	}
	return zColumn(1) + " to " + zColumn(dim)
}

func (c *csvReader) Read(row *Row) error {
	record, err := c.read()
	if errors.Is(err, io.EOF) && c.rows == 0 {
		return errNoRows
	}
	if err != nil {
		return err
	}
	c.rows++
	*row = Row{Z: row.Z[:0]}
	if c.id >= 0 {
		row.ID = strings.Clone(record[c.id])
	}
	if c.label >= 0 {
		row.Label = strings.Clone(record[c.label])
	}
	for i, col := range c.z {
		x, err := parse(record[col])
		if err != nil {
			line, _ := c.r.FieldPos(col)
			return fmt.Errorf("line %d: %s is %w", line, zColumn(i+1), err)
		}
		row.Z = append(row.Z, x)
	}
	return nil
}

// read returns the next record, and puts the parser's complaints into our words.
func (c *csvReader) read() ([]string, error) {
	c.in.nextRow()
	record, err := c.r.Read()
	var p *csv.ParseError
	switch {
	case err == nil:
		c.line, _ = c.r.FieldPos(0)
		return record, nil
	case errors.Is(err, errLongRow):
		return nil, fmt.Errorf("the row after line %d is %w", c.line, err)
	case !errors.As(err, &p):
		return nil, err
	case errors.Is(p.Err, csv.ErrFieldCount):
		return nil, fmt.Errorf("line %d: the number of columns differs from the header's", p.Line)
	}
	return nil, fmt.Errorf("line %d: column %d: %w", p.Line, p.Column, p.Err)
}
