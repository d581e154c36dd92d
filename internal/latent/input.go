package latent

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"vaectl/internal/npy"
)

// MaxRow is the largest number of bytes that a row may take: 1024 dimensions
// with all their digits need some 20,000.
const MaxRow = 1 << 20

// errLongRow is what an input returns where a row does not end.
var errLongRow = fmt.Errorf("longer than %d bytes: this is no row of latent vectors", MaxRow)

// input is the bytes that a Reader reads. The parsers behind it hold a row until
// it ends, so it hands out no more than MaxRow bytes for each.
type input struct {
	*bufio.Reader
	left int // bytes that the row may still take
}

func newInput(r io.Reader) *input {
	return &input{Reader: bufio.NewReaderSize(r, 1<<16), left: MaxRow}
}

// nextRow lets another row be read.
func (in *input) nextRow() { in.left = MaxRow }

func (in *input) Read(p []byte) (int, error) {
	if in.left == 0 {
		return 0, errLongRow
	}
	n, err := in.Reader.Read(p[:min(len(p), in.left)])
	in.left -= n
	return n, err
}

// skipMark passes over the byte order mark with which some programs begin a text.
func (in *input) skipMark() error {
	const mark = "\ufeff"
	head, err := in.Peek(len(mark))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if string(head) == mark {
		_, err := in.Discard(len(mark))
		return err
	}
	return nil
}

// tell finds out the format from the first bytes: npy by its magic, JSON by a
// brace, and else by the first line, which is a header if it names z_1.
func (in *input) tell() (Format, error) {
	head, err := in.Peek(len(npy.Magic))
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if string(head) == npy.Magic {
		return NPY, nil
	}
	line, err := in.firstLine()
	if err != nil {
		return "", err
	}
	in.Reader = bufio.NewReaderSize(io.MultiReader(bytes.NewReader(line), in.Reader), 1<<16)
	switch {
	case bytes.TrimSpace(line)[0] == '{':
		return NDJSON, nil
	case !bytes.Contains(line, []byte(zColumn(1))):
		return Numbers, nil
	case bytes.ContainsRune(line, '\t'):
		return TSV, nil
	}
	return CSV, nil
}

// firstLine reads up to the end of the first line that is not blank, with the
// blank ones before it. Of a line in one piece of JSON the beginning will do.
func (in *input) firstLine() ([]byte, error) {
	var line []byte
	blank := 0 // bytes of blank lines, not to be looked at again for each line
	for {
		part, err := in.ReadSlice('\n')
		line = append(line, part...)
		text := bytes.TrimSpace(line[blank:])
		if err == nil && len(text) == 0 {
			blank = len(line)
		}
		switch {
		case err == io.EOF && len(text) == 0:
			return nil, errNoRows
		case err == io.EOF, err == nil && len(text) > 0, len(text) > 0 && text[0] == '{':
			return line, nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		case len(line) > MaxRow:
			return nil, fmt.Errorf("line 1 is %w", errLongRow)
		}
	}
}

var errNoRows = errors.New("no rows in the input")
