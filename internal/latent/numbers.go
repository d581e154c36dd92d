package latent

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// numbersReader reads bare rows of numbers.
type numbersReader struct {
	lines      *bufio.Scanner
	line, rows int
	dim        int
}

func newNumbersReader(in *input, dim int) *numbersReader {
	lines := bufio.NewScanner(in.Reader)
	lines.Buffer(nil, MaxRow)
	return &numbersReader{lines: lines, dim: dim}
}

func (b *numbersReader) Read(row *Row) error {
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
		b.rows++
		return nil
	}
	switch err := b.lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return fmt.Errorf("line %d is %w", b.line+1, errLongRow)
	case err != nil:
		return err
	case b.rows == 0:
		return errNoRows
	}
	return io.EOF
}
