package latent

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// zColumn and logVarColumn name the columns of dimension i, counted from 1.
func zColumn(i int) string      { return "z_" + strconv.Itoa(i) }
func logVarColumn(i int) string { return "log_var_" + strconv.Itoa(i) }

// csvWriter writes the header id,label,z_1,...,z_d[,log_var_1,...,log_var_d]
// and a record a row. Numbers are the shortest that read back as the same
// float32.
type csvWriter struct {
	w      *csv.Writer
	record []string
}

// NewCSVWriter returns a Writer of CSV with dim latent dimensions and, if
// logVar, as many columns for the logarithm of the variance.
func NewCSVWriter(w io.Writer, dim int, logVar bool) (Writer, error) {
	c := &csvWriter{w: csv.NewWriter(w)}
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

func format(x float32) string { return strconv.FormatFloat(float64(x), 'g', -1, 32) }

// maxLine bounds the length of the first line, which tells a header from
// numbers, and of each bare row.
const maxLine = 1 << 20

// NewReader returns a Reader of either CSV with a header that names the columns
// z_1 ... z_dim (others but id and label are passed over), or bare rows of dim
// numbers separated by commas, tabs or spaces. The first line tells which.
func NewReader(r io.Reader, dim int) (Reader, error) {
	br := bufio.NewReaderSize(r, 1<<16)
	first, err := firstLine(br)
	if err != nil {
		return nil, err
	}
	whole := io.MultiReader(bytes.NewReader(first), br)
	if bytes.Contains(first, []byte(zColumn(1))) {
		return newCSVReader(whole, dim)
	}
	lines := bufio.NewScanner(whole)
	lines.Buffer(nil, maxLine)
	return &bareReader{lines: lines, dim: dim}, nil
}

// firstLine reads up to the end of the first line that is not blank.
func firstLine(br *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := br.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == io.EOF && len(bytes.TrimSpace(line)) == 0:
			return nil, errors.New("no rows in the input")
		case err == io.EOF:
			return line, nil
		case err == nil && len(bytes.TrimSpace(line)) > 0:
			return line, nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(line) > maxLine:
			return nil, fmt.Errorf("line 1 is longer than %d bytes: this is no table of latent vectors", maxLine)
		}
	}
}

type csvReader struct {
	r         *csv.Reader
	z         []int // the column of each dimension
	id, label int   // or -1
}

func newCSVReader(r io.Reader, dim int) (*csvReader, error) {
	c := &csvReader{r: csv.NewReader(r)}
	c.r.ReuseRecord = true
	header, err := c.r.Read()
	if err != nil {
		return nil, csvError(err)
	}
	for i := range dim {
		col := slices.Index(header, zColumn(i+1))
		if col < 0 {
			return nil, fmt.Errorf("line 1: no column %s: the model has %s", zColumn(i+1), columns(dim))
		}
		c.z = append(c.z, col)
	}
	if slices.Contains(header, zColumn(dim+1)) {
		return nil, fmt.Errorf("line 1: column %s is one too many: the model has %s", zColumn(dim+1), columns(dim))
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
	record, err := c.r.Read()
	if err != nil {
		return csvError(err)
	}
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

// csvError puts the reader's complaint into our words.
func csvError(err error) error {
	var p *csv.ParseError
	switch {
	case !errors.As(err, &p):
		return err
	case errors.Is(p.Err, csv.ErrFieldCount):
		return fmt.Errorf("line %d: the number of columns differs from the header's", p.Line)
	}
	return fmt.Errorf("line %d: column %d: %w", p.Line, p.Column, p.Err)
}

type bareReader struct {
	lines *bufio.Scanner
	line  int
	dim   int
}

func (b *bareReader) Read(row *Row) error {
	for b.lines.Scan() {
		b.line++
		fields := strings.FieldsFunc(b.lines.Text(), func(r rune) bool {
			return r == ',' || r == ' ' || r == '\t' || r == '\r'
		})
		if len(fields) == 0 {
			continue
		}
		if len(fields) != b.dim {
			return fmt.Errorf("line %d: %d columns: the model takes %d", b.line, len(fields), b.dim)
		}
		*row = Row{Z: row.Z[:0]}
		for i, f := range fields {
			x, err := parse(f)
			if err != nil {
				return fmt.Errorf("line %d: column %d is %w", b.line, i+1, err)
			}
			row.Z = append(row.Z, x)
		}
		return nil
	}
	if err := b.lines.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("line %d is longer than %d bytes", b.line+1, maxLine)
	} else if err != nil {
		return err
	}
	return io.EOF
}

func parse(s string) (float32, error) {
	x, err := strconv.ParseFloat(strings.TrimSpace(s), 32)
	switch {
	case errors.Is(err, strconv.ErrRange) || math.IsNaN(x) || math.IsInf(x, 0):
		return 0, fmt.Errorf("%.40q: must be a finite number", s)
	case err != nil:
		return 0, fmt.Errorf("%.40q: must be a number", s)
	}
	return float32(x), nil
}
