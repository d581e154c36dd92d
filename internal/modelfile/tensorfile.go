package modelfile

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/nlpodyssey/safetensors"
)

// This file is the layer that knows nothing of models: named tensors of any type
// and a map of strings <-> safetensors. The library does the format; what it
// leaves open (repeated keys, a 100 MB header, null, the whole file in memory
// before the first check) is closed here.

const (
	prefix = 8 // bytes of the header's length

	// maxHeader is ample: the longest history takes less than 3 MiB. The format
	// itself allows 100 MB.
	maxHeader = 4 << 20

	// MaxBody bounds the bytes of all tensors of a model: images of about 900x900
	// pixels.
	MaxBody = 2 << 30

	// maxTensors and maxName keep the names of a written file within its header.
	maxTensors = 1024

	metadataKey = "__metadata__"
)

type namedView = safetensors.NamedView[safetensors.View]

// writeTensors writes the tensors, limit bytes at most, and the metadata. The order
// in the file is the library's: by type, then by name.
func writeTensors(w io.Writer, meta map[string]string, tensors []namedView, limit int64) error {
	if len(tensors) > maxTensors {
		return fmt.Errorf("%d tensors: must be at most %d", len(tensors), maxTensors)
	}
	views := make(map[string]safetensors.View, len(tensors))
	var size int64
	for _, t := range tensors {
		if !validName(t.Name) {
			return fmt.Errorf("tensor name is %s: must be 1 to %d letters, digits, '.' and '_'", quote(t.Name), maxName)
		}
		if views[t.Name] != nil {
			return fmt.Errorf("tensor %q is there twice", t.Name)
		}
		views[t.Name] = t.View
		size += int64(t.View.DataLen())
	}
	if size > limit {
		return fmt.Errorf("the tensors take %d bytes: must be at most %d", size, limit)
	}
	return safetensors.SerializeToWriter(views, meta, w)
}

func validName(s string) bool {
	other := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_')
	}
	return s != "" && s != metadataKey && len(s) <= maxName && !strings.ContainsFunc(s, other)
}

// header is the first part of a file, read and checked as far as that is possible
// without knowing what the file should hold.
type header struct {
	file bytes.Buffer // length, header and, later, tensors: as the library wants it
	meta map[string]string
}

// readHeader reads the header and no byte more.
func readHeader(r io.Reader) (*header, error) {
	h := new(header)
	if n, err := h.read(r, prefix); err != nil {
		return nil, err
	} else if n == 0 {
		return nil, errors.New("the file is empty")
	} else if n < prefix {
		return nil, fmt.Errorf("not a safetensors file: it has %d bytes", n)
	}
	length := binary.LittleEndian.Uint64(h.file.Bytes())
	if length > maxHeader {
		return nil, fmt.Errorf("not a safetensors file of vaectl: its header would have %d bytes, at most %d are accepted", length, maxHeader)
	}
	if n, err := h.read(r, int64(length)); err != nil {
		return nil, err
	} else if n < int64(length) {
		return nil, fmt.Errorf("truncated in the header: expected at least %d bytes, the file has %d", prefix+length, prefix+n)
	}
	text := h.text()
	if !bytes.HasPrefix(text, []byte("{")) {
		return nil, errors.New("not a safetensors file: its header is not a JSON object")
	}
	if err := checkJSON(text); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	// The library would refuse an element type it does not know before one could
	// see that the file is another program's, so the metadata is taken first.
	var top map[string]json.RawMessage
	if err := json.Unmarshal(text, &top); err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	var meta map[string]*string
	if raw, ok := top[metadataKey]; ok {
		if err := json.Unmarshal(raw, &meta); err != nil {
			return nil, fmt.Errorf("header: %s must be an object of strings", metadataKey)
		}
	}
	h.meta = make(map[string]string, len(meta))
	for k, v := range meta {
		if v == nil {
			return nil, fmt.Errorf("header: %s: %s is null: must be a string", metadataKey, quote(k))
		}
		h.meta[k] = *v
	}
	return h, nil
}

// read appends n bytes of r to h.file, or those that there are. The buffer grows
// with what arrives, not with n.
func (h *header) read(r io.Reader, n int64) (int64, error) {
	got, err := io.CopyN(&h.file, r, n)
	if err != nil && err != io.EOF {
		return got, fmt.Errorf("after %d bytes: %w", h.file.Len(), err)
	}
	return got, nil
}

// text is the header's JSON; what follows in the buffer is not part of it.
func (h *header) text() []byte {
	b := h.file.Bytes()
	return b[prefix : prefix+binary.LittleEndian.Uint64(b)]
}

// want is a tensor that a file must have.
type want struct {
	name  string
	dtype safetensors.DType
	shape []int
}

// readTensors reads the rest of the file, which must hold the wanted tensors,
// limit bytes at most, and nothing else. It returns their bytes in the order of
// wants.
func (h *header) readTensors(r io.Reader, wants []want, limit int64) ([][]byte, error) {
	var meta safetensors.Metadata
	if err := json.Unmarshal(h.text(), &meta); err != nil {
		return nil, fmt.Errorf("header: %s", clip(err.Error()))
	}
	size, err := compare(meta.Tensors(), wants, limit)
	if err != nil {
		return nil, err
	}

	total := int64(h.file.Len()) + size
	h.file.Grow(int(min(size, 4<<20)) + bytes.MinRead) // spares small models the copying
	if n, err := h.read(r, size); err != nil {
		return nil, err
	} else if n < size {
		return nil, fmt.Errorf("truncated: expected %d bytes, the file has %d", total, total-size+n)
	}
	if n, err := io.CopyN(io.Discard, r, 1); n > 0 {
		return nil, fmt.Errorf("too long: expected %d bytes, the file goes on", total)
	} else if err != io.EOF {
		return nil, fmt.Errorf("after %d bytes: %w", total, err)
	}

	// Here the library checks that the offsets agree with the shapes and leave
	// neither holes nor overlaps.
	file, err := safetensors.Deserialize(h.file.Bytes())
	if err != nil {
		return nil, fmt.Errorf("header: %s", clip(err.Error()))
	}
	data := make([][]byte, len(wants))
	for i, w := range wants {
		view, _ := file.Tensor(w.name)
		data[i] = view.Data()
	}
	return data, nil
}

// compare checks the tensors that a header announces against those wanted, and
// returns the bytes that those take.
func compare(infos map[string]*safetensors.TensorInfo, wants []want, limit int64) (int64, error) {
	wanted := make(map[string]bool, len(wants))
	var total int64
	for _, w := range wants {
		wanted[w.name] = true
		info, ok := infos[w.name]
		if !ok {
			return 0, fmt.Errorf("tensor %q is missing", w.name)
		}
		if info.DType != w.dtype {
			return 0, fmt.Errorf("tensor %q has element type %v: must be %v", w.name, info.DType, w.dtype)
		}
		if !slices.Equal(info.Shape, shapeOf(w.shape)) {
			return 0, fmt.Errorf("tensor %q has shape %s: must be %v", w.name, clip(fmt.Sprint(info.Shape)), w.shape)
		}
		size, err := byteSize(w.shape, w.dtype, limit)
		if err == nil && total+size > limit {
			err = tooLarge(limit)
		}
		if err != nil {
			return 0, fmt.Errorf("tensor %q: %w", w.name, err)
		}
		total += size
	}
	extra := ""
	for name := range infos {
		if !wanted[name] && (extra == "" || name < extra) {
			extra = name
		}
	}
	if len(infos) > len(wanted) {
		return 0, fmt.Errorf("tensor %s does not belong to this model", quote(extra))
	}
	return total, nil
}

func shapeOf(shape []int) []uint64 {
	s := make([]uint64, len(shape)) // never nil, which JSON would have as null
	for i, d := range shape {
		s[i] = uint64(d)
	}
	return s
}

// byteSize returns the bytes of a tensor, limit at most. Every step is bounded, so
// that the product cannot overflow.
func byteSize(shape []int, dtype safetensors.DType, limit int64) (int64, error) {
	size := int64(dtype.Size())
	for _, d := range shape {
		if d < 1 {
			return 0, fmt.Errorf("shape %v: every dimension must be at least 1", shape)
		}
		if int64(d) > limit/size {
			return 0, tooLarge(limit)
		}
		size *= int64(d)
	}
	return size, nil
}

func tooLarge(limit int64) error {
	return fmt.Errorf("with it the tensors take more than %d bytes, which is the most accepted", limit)
}
