package modelfile

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"unicode/utf8"
)

const (
	stateFormat = "vaectl-state"
	oldestState = 2 // there was none beside the model files of version 1

	// maxStateBody holds the weights, two slots and the best weights.
	maxStateBody = 4 * MaxBody

	maxSource = 4096 // as long as Linux takes a path
)

// State is a training between two steps: all that is needed to go on as if it had
// never stopped. What follows from the history and the settings (the epoch at hand,
// the learning rate, how long nothing has improved, which epoch was the best) is
// not stored again.
//
// Its file has the format "vaectl-state", the metadata of a model file but for
// weights_epoch, the keys source and position, the latter a JSON object, and the
// tensors weights.NAME, slot.SLOT.NAME and best.NAME for every NAME of a model
// file.
type State struct {
	Config   Config
	History  []Epoch // the finished epochs; the one at hand is the next
	Data     Data
	Source   string // where the data were found, for what that is worth; UTF-8
	Position Position
	Weights  []Tensor
	Slots    []Slot   // the optimizer's
	Best     []Tensor // the weights of BestEpoch(History), with KeepBest only
}

// Position is how far the epoch at hand is. JSON gives back the very same numbers.
type Position struct {
	Step           int     `json:"step"` // training steps done
	Loss           float64 `json:"loss"` // sum over the samples of those steps
	Reconstruction float64 `json:"reconstruction"`
	KL             float64 `json:"kl"`
	Shuffle        Stream  `json:"shuffle"` // before it gave the epoch its order
	Noise          Stream  `json:"noise"`   // after those steps
}

// Slot is one of the optimizer's running averages, a tensor for each of the
// model's. Its values may be infinite: the weights are no worse for it.
type Slot struct {
	Name    string
	Tensors []Tensor
}

// Steps is the number of training steps in an epoch.
func (s *State) Steps() int {
	return (s.Data.Train-1)/s.Config.BatchSize + 1
}

// IsState reports whether a file calls itself a training state, by its first bytes:
// StateHead of them, or all if there are fewer. Only reading it shows that it is one.
func IsState(head []byte) bool {
	name := regexp.MustCompile(`"format"\s*:\s*"` + stateFormat + `"`)
	return name.Match(head[:min(len(head), StateHead)])
}

// StateHead is how many bytes IsState looks at.
const StateHead = 1 << 12

// WriteState writes s in safetensors format. A state that ReadState would refuse
// is an error, found before anything is written.
func WriteState(w io.Writer, s *State) error {
	if err := s.validate(); err != nil {
		return err
	}
	if s.hasBest() != (s.Best != nil) {
		return fmt.Errorf("%d best tensors: must be there if and only if the best of one epoch or more is kept", len(s.Best))
	}
	views, err := tensorViews(nil, weightsPrefix, s.Weights, true)
	if err != nil {
		return err
	}
	for _, slot := range s.Slots {
		if views, err = tensorViews(views, slotPrefix(slot.Name), slot.Tensors, false); err != nil {
			return err
		}
	}
	if views, err = tensorViews(views, bestPrefix, s.Best, true); err != nil {
		return err
	}
	meta, err := s.about().encode(stateFormat)
	if err != nil {
		return err
	}
	meta["source"] = s.Source
	if err := encodeJSON(meta, "position", s.Position); err != nil {
		return err
	}
	return writeTensors(w, meta, views, maxStateBody)
}

// ReadState reads a state to the end of r, as carefully as Read reads a model.
// layout tells the model's tensors and the names of the optimizer's slots.
func ReadState(r io.Reader, layout func(Config) (model []Spec, slots []string, err error)) (*State, error) {
	h, err := readHeader(r)
	if err != nil {
		return nil, err
	}
	version, err := checkFormat(h.meta, stateFormat, "training state", oldestState)
	if err != nil {
		return nil, err
	}
	a, err := decodeAbout(h.meta, version)
	if err != nil {
		return nil, err
	}
	s := &State{Config: a.Config, History: a.History, Data: a.Data}
	var ok bool
	if s.Source, ok = h.meta["source"]; !ok {
		return nil, errors.New("source is missing from the metadata")
	}
	if err := decodeJSON(h.meta, "position", &s.Position, version); err != nil {
		return nil, err
	}
	if err := s.validate(); err != nil {
		return nil, err
	}
	specs, slots, err := layout(s.Config)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}

	wants := wanted(nil, weightsPrefix, specs)
	for _, name := range slots {
		wants = wanted(wants, slotPrefix(name), specs)
	}
	if s.hasBest() {
		wants = wanted(wants, bestPrefix, specs)
	}
	data, err := h.readTensors(r, wants, maxStateBody)
	if err != nil {
		return nil, err
	}
	groups := slices.Collect(slices.Chunk(data, len(specs)))
	if s.Weights, err = tensorsOf(weightsPrefix, specs, groups[0], true); err != nil {
		return nil, err
	}
	for i, name := range slots {
		tensors, err := tensorsOf(slotPrefix(name), specs, groups[1+i], false)
		if err != nil {
			return nil, err
		}
		s.Slots = append(s.Slots, Slot{name, tensors})
	}
	if s.hasBest() {
		s.Best, err = tensorsOf(bestPrefix, specs, groups[1+len(slots)], true)
	}
	return s, err
}

const (
	weightsPrefix = "weights."
	bestPrefix    = "best."
)

func slotPrefix(name string) string { return "slot." + name + "." }

func (s *State) about() about { return about{s.Config, s.History, s.Data} }

// hasBest reports whether the state must hold the best weights.
func (s *State) hasBest() bool {
	return s.Config.Keep == KeepBest && len(s.History) > 0
}

func (s *State) validate() error {
	if err := s.about().validate(); err != nil {
		return err
	}
	for _, e := range s.History {
		if (e.ValLoss != nil) != (s.Data.Val > 0) {
			return fmt.Errorf("history: epoch %d: val_loss must be there if and only if there is a validation set", e.Epoch)
		}
	}
	if len(s.Source) > maxSource || !utf8.ValidString(s.Source) {
		return fmt.Errorf("source is %s: must be at most %d bytes of UTF-8", quote(s.Source), maxSource)
	}
	p := s.Position
	if p.Step < 0 || p.Step > s.Steps() {
		return fmt.Errorf("position: step is %d: must be 0 to %d", p.Step, s.Steps())
	}
	for _, f := range []struct {
		key string
		v   float64
	}{{"loss", p.Loss}, {"reconstruction", p.Reconstruction}, {"kl", p.KL}} {
		if !finite(f.v) || p.Step == 0 && f.v != 0 {
			return fmt.Errorf("position: %s is %v: must be finite, and 0 before the first step", f.key, f.v)
		}
	}
	return nil
}
