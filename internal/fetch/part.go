package fetch

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// PartSuffix ends the name of the file that keeps an unfinished download. Two
// downloads of one file at a time may spoil each other's part, but never the
// file, which is checked.
const PartSuffix = ".part"

// origin is the first line of a part, as JSON: whose bytes follow. An empty
// Validator says that they cannot be resumed.
type origin struct {
	URL       string `json:"url"`
	Validator string `json:"validator"` // the ETag or Last-Modified of the answer
}

// part is an unfinished download on disk. It comes into being with begin.
type part struct {
	path string
	file *os.File // nil if there is none
	origin
	start, size int64 // where the downloaded bytes begin in the file, and how many
	pieced      bool  // whether they came with several answers
}

const (
	maxOrigin    = 1 << 13 // bytes of the longest first line that is believed
	maxValidator = 1 << 10
)

// openPart opens the part that an earlier download left, if any.
func openPart(path string) (*part, error) {
	p := &part{path: path}
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return nil, err
	}
	p.file = file
	line, err := bufio.NewReader(io.LimitReader(file, maxOrigin)).ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &p.origin) != nil {
		p.discard()
		return p, nil
	}
	end, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		file.Close()
		return nil, err
	}
	p.start = int64(len(line))
	p.size = end - p.start
	return p, nil
}

// firstOf returns the URLs with that of the part in front: its bytes are of no
// use to the others.
func (p *part) firstOf(urls []string) []string {
	urls = slices.Clone(urls)
	if i := slices.Index(urls, p.URL); i > 0 && p.size > 0 {
		copy(urls[1:], urls[:i])
		urls[0] = p.URL
	}
	return urls
}

// begin starts afresh with the bytes of another answer.
func (p *part) begin(o origin) error {
	if err := p.create(o); err != nil {
		p.discard()
		return &diskError{err}
	}
	return nil
}

func (p *part) create(o origin) error {
	p.discard()
	line, err := json.Marshal(o)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if err := os.MkdirAll(filepath.Dir(p.path), 0o777); err != nil {
		return err
	}
	if p.file, err = os.OpenFile(p.path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o666); err != nil {
		return err
	}
	p.origin, p.start, p.size = o, int64(len(line)), 0
	_, err = p.file.Write(line)
	return err
}

func (p *part) write(b []byte) error {
	n, err := p.file.Write(b)
	p.size += int64(n)
	if err != nil {
		return &diskError{err}
	}
	return nil
}

// reader reads the downloaded bytes.
func (p *part) reader() io.Reader { return io.NewSectionReader(p.file, p.start, p.size) }

// discard removes the part.
func (p *part) discard() {
	if p.file != nil {
		// Nothing can be done about an error, and nothing depends on it.
		_ = p.file.Close()
		_ = os.Remove(p.path)
	}
	*p = part{path: p.path}
}

// close keeps the part if it is of use to a later download.
func (p *part) close() {
	if p.size == 0 || p.Validator == "" {
		p.discard()
		return
	}
	_ = p.file.Close()
}
