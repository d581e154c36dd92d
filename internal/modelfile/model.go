// Package modelfile reads and writes the model file and the training state beside
// it: weights and what else must be kept as named float32 tensors, and with them
// what was trained, how, and on what data, in the safetensors format. What belongs
// here is the files' schema and the checks that make a foreign or damaged file safe
// to read; which tensors a model has is the caller's to say, and paths are the
// caller's to name in errors.
//
// The model file's __metadata__ map holds strings:
//
//	format          "vaectl"
//	format_version  "2"
//	config          a JSON object, Config
//	history         a JSON array, an Epoch each
//	data            a JSON object, Data
//	weights_epoch   the number of the epoch after which the weights were these
//
// The state's is described at State. A file of a given Model or State always has
// the same bytes. A reader ignores keys that it does not know; a change that it
// must not ignore gets another format_version.
package modelfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/nlpodyssey/safetensors"
)

const format = "vaectl"

// ErrNotFinite says that a tensor cannot be written or read because of a value.
var ErrNotFinite = errors.New("weights must be finite")

// Model is all that a model file holds.
type Model struct {
	Config  Config
	History []Epoch // one for each epoch trained so far, at most Config.Epochs
	Data    Data
	// WeightsEpoch is the epoch whose weights these are: the last of History, or
	// an earlier one with KeepBest. It is 0 before the first.
	WeightsEpoch int
	Tensors      []Tensor
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
	views, err := tensorViews(nil, "", m.Tensors, true)
	if err != nil {
		return err
	}
	meta, err := m.about().encode(format)
	if err != nil {
		return err
	}
	meta["weights_epoch"] = strconv.Itoa(m.WeightsEpoch)
	return writeTensors(w, meta, views, MaxBody)
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
	version, err := checkFormat(h.meta, format, "model", 1)
	if err != nil {
		return nil, err
	}
	a, err := decodeAbout(h.meta, version)
	if err != nil {
		return nil, err
	}
	m := &Model{Config: a.Config, History: a.History, Data: a.Data, WeightsEpoch: len(a.History)}
	if version > 1 {
		if m.WeightsEpoch, err = decodeNumber(h.meta, "weights_epoch"); err != nil {
			return nil, err
		}
	}
	if err := m.validate(); err != nil {
		return nil, err
	}
	specs, err := layout(m.Config)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	data, err := h.readTensors(r, wanted(nil, "", specs), MaxBody)
	if err != nil {
		return nil, err
	}
	m.Tensors, err = tensorsOf("", specs, data, true)
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Model) about() about { return about{m.Config, m.History, m.Data} }

func (m *Model) validate() error {
	if err := m.about().validate(); err != nil {
		return err
	}
	last := len(m.History)
	if m.WeightsEpoch != last && (m.Config.Keep != KeepBest || m.WeightsEpoch < 1 || m.WeightsEpoch > last) {
		return fmt.Errorf("weights_epoch is %d: must be an epoch of the history, which has %d, and its last unless the best is kept", m.WeightsEpoch, last)
	}
	return nil
}

func decodeNumber(meta map[string]string, key string) (int, error) {
	text, ok := meta[key]
	if !ok {
		return 0, fmt.Errorf("%s is missing from the metadata", key)
	}
	n, err := strconv.Atoi(text)
	if err != nil || strconv.Itoa(n) != text {
		return 0, fmt.Errorf("%s is %s: must be a whole number", key, quote(text))
	}
	return n, nil
}

// tensorViews adds to views those of the tensors, with prefix before their names.
func tensorViews(views []namedView, prefix string, tensors []Tensor, mustBeFinite bool) ([]namedView, error) {
	for _, t := range tensors {
		name := prefix + t.Name
		size, err := byteSize(t.Shape, safetensors.F32, MaxBody)
		if err != nil || size != 4*int64(len(t.Data)) {
			return nil, fmt.Errorf("tensor %q has %d values, which do not fill shape %v", name, len(t.Data), t.Shape)
		}
		if mustBeFinite {
			if err := checkFinite(name, t.Data); err != nil {
				return nil, err
			}
		}
		views = append(views, namedView{Name: name, View: float32View{shapeOf(t.Shape), t.Data}})
	}
	return views, nil
}

// wanted adds to wants the tensors that specs name, with prefix before their names.
func wanted(wants []want, prefix string, specs []Spec) []want {
	for _, s := range specs {
		wants = append(wants, want{prefix + s.Name, safetensors.F32, s.Shape})
	}
	return wants
}

// tensorsOf decodes the tensors that specs name from the first of data.
func tensorsOf(prefix string, specs []Spec, data [][]byte, mustBeFinite bool) ([]Tensor, error) {
	tensors := make([]Tensor, len(specs))
	for i, s := range specs {
		tensors[i] = Tensor{Name: s.Name, Shape: s.Shape, Data: float32s(data[i])}
		if mustBeFinite {
			if err := checkFinite(prefix+s.Name, tensors[i].Data); err != nil {
				return nil, err
			}
		}
	}
	return tensors, nil
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

// float32s is the inverse of float32View.Data.
func float32s(b []byte) []float32 {
	values := make([]float32, len(b)/4)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return values
}

func checkFinite(name string, values []float32) error {
	const exponent = 0x7f800000 // all ones: an infinity or NaN
	for i, v := range values {
		if math.Float32bits(v)&exponent == exponent {
			return fmt.Errorf("tensor %q holds %v at index %d: %w", name, v, i, ErrNotFinite)
		}
	}
	return nil
}
