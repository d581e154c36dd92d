// Package modelfile reads and writes the model file: the weights as named float32
// tensors, and beside them what was trained, how, and on what data, in the
// safetensors format. What belongs here is the file's schema and the checks that
// make a foreign or damaged file safe to read; which tensors a model has is the
// caller's to say, and paths are the caller's to name in errors.
//
// The file's __metadata__ map holds strings:
//
//	format          "vaectl"
//	format_version  "1"
//	config          a JSON object, Config
//	history         a JSON array, an Epoch each
//	data            a JSON object, Data
//
// A file of a given Model always has the same bytes. A reader ignores keys that it
// does not know; a change that it must not ignore gets another format_version.
package modelfile

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/nlpodyssey/safetensors"
)

const (
	format        = "vaectl"
	formatVersion = 1
)

// Model is all that a model file holds.
type Model struct {
	Config  Config
	History []Epoch // one for each epoch trained so far, at most Config.Epochs
	Data    Data
	Tensors []Tensor
}

// Tensor is a named array in row-major order.
type Tensor struct {
	Name  string // letters, digits, '.' and '_'
	Shape []int
	Data  []float32 // as many as the product of Shape
}

// Spec names a tensor that a model must have.
type Spec struct {
	Name  string
	Shape []int
}

// Write writes m in safetensors format. A model that Read would refuse is an
// error, found before anything is written.
func Write(w io.Writer, m *Model) error {
	if err := m.validate(); err != nil {
		return err
	}
	tensors := make([]namedView, len(m.Tensors))
	for i, t := range m.Tensors {
		size, err := byteSize(t.Shape, safetensors.F32)
		if err != nil || size != 4*int64(len(t.Data)) {
			return fmt.Errorf("tensor %q has %d values, which do not fill shape %v", t.Name, len(t.Data), t.Shape)
		}
		for k, v := range t.Data {
			if f := float64(v); math.IsNaN(f) || math.IsInf(f, 0) {
				return notFinite(t.Name, k, v)
			}
		}
		tensors[i] = namedView{Name: t.Name, View: float32View{shapeOf(t.Shape), t.Data}}
	}
	meta := map[string]string{"format": format, "format_version": strconv.Itoa(formatVersion)}
	history := m.History
	if history == nil {
		history = []Epoch{} // "[]", not "null"
	}
	for key, v := range map[string]any{"config": m.Config, "history": history, "data": m.Data} {
		text, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("encoding %s: %w", key, err)
		}
		meta[key] = string(text)
	}
	return writeTensors(w, meta, tensors)
}

// Read reads a model to the end of r. It calls layout, with a config that is
// within its limits, to learn which tensors the model must have, and returns
// exactly those in that order. Whatever r holds, the memory taken stays in
// proportion to the bytes that have arrived, and below a fixed bound.
func Read(r io.Reader, layout func(Config) ([]Spec, error)) (*Model, error) {
	h, err := readHeader(r)
	if err != nil {
		return nil, err
	}
	if err := checkFormat(h.meta); err != nil {
		return nil, err
	}
	m := new(Model)
	if err := m.decodeMeta(h.meta); err != nil {
		return nil, err
	}
	if err := m.validate(); err != nil {
		return nil, err
	}
	specs, err := layout(m.Config)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	wants := make([]want, len(specs))
	for i, s := range specs {
		wants[i] = want{s.Name, safetensors.F32, s.Shape}
	}
	data, err := h.readTensors(r, wants)
	if err != nil {
		return nil, err
	}
	m.Tensors = make([]Tensor, len(specs))
	for i, s := range specs {
		values, bad := float32s(data[i])
		if bad >= 0 {
			return nil, notFinite(s.Name, bad, values[bad])
		}
		m.Tensors[i] = Tensor{Name: s.Name, Shape: s.Shape, Data: values}
	}
	return m, nil
}

// checkFormat tells another program's file and a later version's from ours.
func checkFormat(meta map[string]string) error {
	name, ok := meta["format"]
	if !ok {
		return errors.New("a safetensors file, but not a vaectl model: its metadata names no format")
	}
	if name != format {
		return fmt.Errorf("a safetensors file, but not a vaectl model: its metadata names the format %s", quote(name))
	}
	version, ok := meta["format_version"]
	if !ok {
		return errors.New("format_version is missing")
	}
	n, err := strconv.Atoi(version)
	switch {
	case err == nil && n > formatVersion:
		return fmt.Errorf("format version %d is newer than this vaectl, which reads version %d", n, formatVersion)
	case version != strconv.Itoa(formatVersion):
		return fmt.Errorf("format_version is %s: must be \"%d\"", quote(version), formatVersion)
	}
	return nil
}

// decodeMeta fills m from the JSON texts in meta.
func (m *Model) decodeMeta(meta map[string]string) error {
	for _, key := range []string{"config", "history", "data"} {
		text, ok := meta[key]
		if !ok {
			return fmt.Errorf("%s is missing from the metadata", key)
		}
		if err := checkJSON([]byte(text)); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	if err := decodeObject([]byte(meta["config"]), &m.Config); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	if err := decodeObject([]byte(meta["data"]), &m.Data); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	rows, err := decodeArray([]byte(meta["history"]))
	if err != nil {
		return fmt.Errorf("history: %w", err)
	}
	for i, row := range rows {
		var e Epoch
		if err := decodeObject(row, &e); err != nil {
			return fmt.Errorf("history: row %d: %w", i+1, err)
		}
		m.History = append(m.History, e)
	}
	return nil
}

// float32View lets safetensors write a slice of float32 without holding all
// tensors' bytes at once.
type float32View struct {
	shape []uint64
	data  []float32
}

func (v float32View) DType() safetensors.DType { return safetensors.F32 }
func (v float32View) Shape() []uint64          { return v.shape }
func (v float32View) DataLen() uint64          { return 4 * uint64(len(v.data)) }

func (v float32View) Data() []byte {
	b := make([]byte, 4*len(v.data))
	for i, x := range v.data {
		binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(x))
	}
	return b
}

// float32s is the inverse of float32View.Data. bad is the index of the first
// value that is not finite, where it stops, or -1.
func float32s(b []byte) (values []float32, bad int) {
	const exponent = 0x7f800000 // all ones: an infinity or NaN
	values = make([]float32, len(b)/4)
	for i := range values {
		bits := binary.LittleEndian.Uint32(b[4*i:])
		values[i] = math.Float32frombits(bits)
		if bits&exponent == exponent {
			return values, i
		}
	}
	return values, -1
}

func notFinite(name string, i int, v float32) error {
	return fmt.Errorf("tensor %q holds %v at index %d: weights must be finite", name, v, i)
}
