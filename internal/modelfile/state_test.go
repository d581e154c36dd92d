package modelfile

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// smallState is the training that small is the model of, in its third epoch.
func smallState() *State {
	m := small()
	m.History[1].ValLoss, m.History[1].ValReconstruction, m.History[1].ValKL = ptr(0.24), ptr(0.2), ptr(0.04)
	tensors := func(factor float32) []Tensor {
		var copies []Tensor
		for _, t := range m.Tensors {
			t.Data = slices.Clone(t.Data)
			t.Data[0] *= factor
			copies = append(copies, t)
		}
		return copies
	}
	s := &State{
		Config: m.Config, History: m.History, Data: m.Data, Source: "/data/é",
		Position: Position{
			Step: 3750, Loss: 0.30000000000000004, Reconstruction: -math.MaxFloat64, KL: math.SmallestNonzeroFloat64,
			Shuffle: Stream{*rand.NewPCG(1, math.MaxUint64)}, Noise: Stream{*rand.NewPCG(3, 4)},
		},
		Weights: tensors(2), Slots: []Slot{{"mean", tensors(3)}, {"mean_square", tensors(4)}}, Best: m.Tensors,
	}
	s.Config.LimitTrain = 0
	s.Slots[1].Tensors[0].Data[0] = float32(math.Inf(1))
	return s
}

func stateLayout(c Config) ([]Spec, []string, error) {
	specs, err := smallLayout(c)
	return specs, []string{"mean", "mean_square"}, err
}

func encodeState(t testing.TB, s *State) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := WriteState(&buf, s); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func decodeState(b []byte) (*State, error) { return ReadState(bytes.NewReader(b), stateLayout) }

func TestStateRoundTrip(t *testing.T) {
	for name, change := range map[string]func(*State){
		"third epoch": func(*State) {},
		"at start":    func(s *State) { s.History, s.Best, s.Position = nil, nil, Position{} },
		"keep last":   func(s *State) { s.Config.Keep, s.Best = KeepLast, nil },
	} {
		s := smallState()
		change(s)
		b := encodeState(t, s)
		got, err := decodeState(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(got, s) {
			t.Errorf("%s: read %+v, want %+v", name, got, s)
		}
		if !bytes.Equal(encodeState(t, got), b) {
			t.Errorf("%s: written again, the bytes differ", name)
		}
	}
}

// A later vaectl must go on from a state of this version.
func TestStateGolden(t *testing.T) {
	const want = "8f1c8332a1fcb04bb82be4526b91955d212c941432e133d52db62d6988afb688"
	b := encodeState(t, smallState())
	if got := fmt.Sprintf("%x", sha256.Sum256(b)); got != want {
		t.Errorf("SHA-256 is %s, want %s; the file:\n%q", got, want, b)
	}
}

// badStates are files that ReadState must refuse, with the start of its error:
// what a state has and a model has not.
func badStates(t testing.TB) []badFile {
	t.Helper()
	good := encodeState(t, smallState())
	_, body := split(good)
	edit := func(from, to string) []byte { return replace(t, good, from, to) }
	inner := func(from, to string) []byte {
		quote := strings.NewReplacer(`"`, `\"`)
		return edit(quote.Replace(from), quote.Replace(to))
	}
	// Six tensors of 8 and 24 bytes: those of best come first.
	value := func(offset int, bits ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[len(b)-len(body)+offset:], bits)
		return b
	}
	const stream = "7063673a0000000000000003"
	n := len(good)
	return []badFile{
		{"empty", nil, "the file is empty"},
		{"a model", encode(t, small()), `a safetensors file, but not a vaectl training state: its metadata names the format "vaectl"`},
		{"version 1", edit(`"format_version":"2"`, `"format_version":"1"`), `format_version is "1": must be a whole number from 2 to 2`},
		{"newer version", edit(`"format_version":"2"`, `"format_version":"3"`), "format version 3 is newer than this vaectl"},
		{"cut by a byte", good[:n-1], fmt.Sprintf("truncated: expected %d bytes, the file has %d", n, n-1)},
		{"no position", edit(`"position"`, `"positions"`), "position is missing from the metadata"},
		{"no source", edit(`"source"`, `"sauce"`), "source is missing from the metadata"},
		{"long source", edit(`"/data/é"`, `"`+strings.Repeat("/data", 1000)+`"`), `source is "/data/data`},
		{"no step", inner(`"step":3750,`, ``), "position: step is missing"},
		{"step beyond the epoch", inner(`"step":3750`, `"step":3751`), "position: step is 3751: must be 0 to 3750"},
		{"negative step", inner(`"step":3750`, `"step":-1`), "position: step is -1: must be 0 to 3750"},
		{"larger batches, fewer steps", inner(`"batch_size":16`, `"batch_size":17`), "position: step is 3750: must be 0 to 3530"},
		{"sums before the first step", inner(`"step":3750`, `"step":0`), "position: loss is 0.30000000000000004: must be finite, and 0 before the first step"},
		{"sum too large", inner(`"loss":0.30000000000000004`, `"loss":1e999`), "position: loss is 1e999: must be a finite number"},
		{"stream too short", edit(stream, stream[:22]), `position: noise is "7063673a000000000000000000000000000004": must be 40 hexadecimal digits`},
		{"stream of another kind", edit(stream, "71"+stream[2:]), `position: noise is "7163673a`},
		{"stream not hexadecimal", edit(stream, "zz"+stream[2:]), `position: noise is "zz63673a`},
		{"stream null", inner(`"noise":"`+stream+`0000000000000004"`, `"noise":null`), "position: noise is null: must be 40 hexadecimal digits"},
		{"validated without a set", inner(`"val":10000`, `"val":0`), `config: keep is "best": must be "last"`},
		{"epoch without validation", inner(`"val_loss":0.24,"val_reconstruction":0.2,"val_kl":0.04}]`, `"val_loss":null,"val_reconstruction":null,"val_kl":null}]`), "history: epoch 2: val_loss must be there if and only if"},
		{"no best weights", edit(`"best.encoder.kernel"`, `"test.encoder.kernel"`), `tensor "best.encoder.kernel" is missing`},
		{"best weights of no epoch", inner(`"keep":"best"`, `"keep":"last"`), `tensor "best.decoder.bias" does not belong to this model`},
		{"another optimizer's slot", edit(`"slot.mean.decoder.bias"`, `"slot.velocity.decoder.bias"`), `tensor "slot.mean.decoder.bias" is missing`},
		{"shape of another config", inner(`"latent_dim":3`, `"latent_dim":4`), `tensor "weights.encoder.kernel" has shape [3 2]: must be [4 2]`},
		{"best weight NaN", value(0, 0, 0, 0xc0, 0x7f), `tensor "best.decoder.bias" holds NaN at index 0: weights must be finite`},
		{"weight NaN", value(len(body)-4, 0, 0, 0xc0, 0x7f), `tensor "weights.encoder.kernel" holds NaN at index 5`},
	}
}

func TestBadStates(t *testing.T) {
	for _, tt := range badStates(t) {
		t.Run(tt.name, func(t *testing.T) {
			s, err := decodeState(tt.file)
			if err == nil {
				t.Fatalf("accepted: %+v", s)
			}
			if !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("error: %v\nwant:  %s", err, tt.want)
			}
		})
	}
}

func TestEveryTruncatedStateIsRefused(t *testing.T) {
	good := encodeState(t, smallState())
	for n := range good {
		if _, err := decodeState(good[:n]); err == nil {
			t.Errorf("the first %d of %d bytes are accepted", n, len(good))
		}
	}
}

func TestWriteStateErrors(t *testing.T) {
	tests := []struct {
		name   string
		change func(*State)
		want   string
	}{
		{"settings", func(s *State) { s.Config.Noise = "" }, `config: noise is ""`},
		{"step", func(s *State) { s.Position.Step = 3751 }, "position: step is 3751: must be 0 to 3750"},
		{"sum", func(s *State) { s.Position.KL = math.NaN() }, "position: kl is NaN: must be finite"},
		{"source", func(s *State) { s.Source = "/data/\xff" }, `source is "/data/\xff": must be at most 4096 bytes of UTF-8`},
		{"best left out", func(s *State) { s.Best = nil }, "0 best tensors: must be there if and only if"},
		{"best of none", func(s *State) { s.History = nil }, "2 best tensors: must be there if and only if"},
		{"weight", func(s *State) { s.Weights[1].Data[0] = float32(math.NaN()) }, `tensor "weights.decoder.bias" holds NaN at index 0`},
		{"best weight", func(s *State) { s.Best[1].Data[0] = float32(math.NaN()) }, `tensor "best.decoder.bias" holds NaN at index 0`},
		{"slot", func(s *State) { s.Slots[0].Tensors[0].Shape = nil }, `tensor "slot.mean.encoder.kernel" has 6 values, which do not fill shape []`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := smallState()
			tt.change(s)
			var buf bytes.Buffer
			err := WriteState(&buf, s)
			if err == nil || !strings.HasPrefix(err.Error(), tt.want) || buf.Len() > 0 {
				t.Errorf("error %v after %d bytes, want %s", err, buf.Len(), tt.want)
			}
		})
	}
}

func TestWriteStateReportsEveryWriteError(t *testing.T) {
	for n := range len(encodeState(t, smallState())) {
		if err := WriteState(&limited{n}, smallState()); !errors.Is(err, errFull) {
			t.Fatalf("disk full after %d bytes: error %v", n, err)
		}
	}
}

func BenchmarkWriteState(b *testing.B) {
	s := smallState()
	n := 400_000
	large := []Tensor{{"encoder.kernel", []int{n}, make([]float32, n)}}
	s.Weights, s.Slots, s.Best = large, []Slot{{"mean_square", large}}, large
	for b.Loop() {
		if err := WriteState(io.Discard, s); err != nil {
			b.Fatal(err)
		}
	}
}
