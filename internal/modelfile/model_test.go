package modelfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func ptr(v float64) *float64 { return &v }

// small is a model of two tensors, of which the order in the file (by name) is
// not that of smallLayout.
func small() *Model {
	return &Model{
		Config: Config{
			Height: 4, Width: 2, LatentDim: 3, Noise: "book", KLWeight: 5e-4, Convolution: "winograd",
			Optimizer: "rmsprop", LearningRate: 0.001, BatchSize: 16, Epochs: 10,
			Seed: math.MaxUint64, LimitTrain: 100,
			Keep: KeepBest, Patience: 3, MinDelta: 0.01, PlateauPatience: 2, PlateauFactor: 0.1,
		},
		History: []Epoch{
			{1, 0.25, 0.2, 0.05, ptr(0.24), ptr(0.2), ptr(0.04)},
			{2, 0.21730000000000002, 0.2, 0.0173, nil, nil, nil},
		},
		Data: Data{Name: `"full" Latin MNIST <é>`, Train: 60000, Val: 10000, SHA256: strings.Repeat("0123456789abcdef", 4)},

		WeightsEpoch: 1,
		Tensors: []Tensor{
			{"encoder.kernel", []int{3, 2}, []float32{1, -2, 0.5, math.SmallestNonzeroFloat32, math.MaxFloat32, float32(math.Copysign(0, -1))}},
			{"decoder.bias", []int{2}, []float32{-1e-7, 3}},
		},
	}
}

func smallLayout(c Config) ([]Spec, error) {
	return []Spec{
		{"encoder.kernel", []int{c.LatentDim, c.Width}},
		{"decoder.bias", []int{c.Height / 2}},
	}, nil
}

func encode(t testing.TB, m *Model) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := Write(&buf, m); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func decode(b []byte) (*Model, error) { return Read(bytes.NewReader(b), smallLayout) }

// The file's bytes are a promise: this sum changes only with format_version.
func TestGolden(t *testing.T) {
	const want = "21185b1d58336ec541281b0cf81a3a6f4334d5fcbf622972c22a85a6b7e9a861"
	b := encode(t, small())
	if got := fmt.Sprintf("%x", sha256.Sum256(b)); got != want {
		t.Errorf("SHA-256 is %s, want %s; the file:\n%q", got, want, b)
	}
	for range 20 { // map order differs from run to run
		m := small()
		slices.Reverse(m.Tensors)
		if !bytes.Equal(encode(t, m), b) {
			t.Fatal("the same model gives other bytes")
		}
	}
}

func TestRoundTrip(t *testing.T) {
	noHistory := small()
	noHistory.History, noHistory.WeightsEpoch = nil, 0
	for _, m := range []*Model{small(), noHistory} {
		b := encode(t, m)
		for name, r := range map[string]io.Reader{
			"whole":        bytes.NewReader(b),
			"byte by byte": iotest.OneByteReader(bytes.NewReader(b)),
			"with EOF":     iotest.DataErrReader(bytes.NewReader(b)),
		} {
			got, err := Read(r, smallLayout)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !reflect.DeepEqual(got, m) {
				t.Errorf("%s: read %+v, want %+v", name, got, m)
			}
			if !bytes.Equal(encode(t, got), b) {
				t.Errorf("%s: written again, the bytes differ", name)
			}
		}
	}
}

func TestLongestHistoryFits(t *testing.T) {
	m := small()
	m.Config.Epochs = MaxEpochs
	m.History = nil
	v := -math.MaxFloat64 // no number takes more characters
	for i := range MaxEpochs {
		m.History = append(m.History, Epoch{i + 1, v, v, v, &v, &v, &v})
	}
	got, err := decode(encode(t, m))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, m) {
		t.Error("the history changed")
	}
}

// oldFile is what version 1 made of small, with fewer settings and no word on
// which epoch the weights are of.
func oldFile(t testing.TB) []byte {
	t.Helper()
	b := replace(t, encode(t, small()), `"format_version":"2"`, `"format_version":"1"`)
	b = replace(t, b, `,\"keep\":\"best\",\"patience\":3,\"min_delta\":0.01,\"plateau_patience\":2,\"plateau_factor\":0.1`, ``)
	b = replace(t, b, `\"convolution\":\"winograd\",`, ``)
	header, body := split(replace(t, b, `,"weights_epoch":"1"`, ``))
	header = strings.TrimRight(header, " ")
	b = join(header+strings.Repeat(" ", 7-(len(header)-1)%8), body)

	const want = "49acff07152f461ff2ec601c7596a648a85cd7e38a7b61a010549db4ccbaebae"
	if got := fmt.Sprintf("%x", sha256.Sum256(b)); got != want {
		t.Fatalf("SHA-256 is %s; version 1 wrote %s", got, want)
	}
	return b
}

func TestVersion1IsRead(t *testing.T) {
	want := small()
	c := &want.Config
	c.Convolution = "direct"
	c.Keep, c.Patience, c.MinDelta, c.PlateauPatience, c.PlateauFactor = KeepLast, 0, 0, 0, 0
	want.WeightsEpoch = 2
	got, err := decode(oldFile(t))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, %v, want %+v", got, err, want)
	}
	b := replace(t, oldFile(t), `"format_version":"1"`, `"format_version":"2"`)
	if _, err := decode(b); err == nil || err.Error() != "config: convolution is missing" {
		t.Errorf("its settings in a file of version 2: error %v", err)
	}
}

func TestBestEpoch(t *testing.T) {
	losses := func(v ...float64) (history []Epoch) {
		for i := range v {
			history = append(history, Epoch{Epoch: i + 1, ValLoss: &v[i]})
		}
		return history
	}
	for _, tt := range []struct {
		history []Epoch
		want    int
	}{
		{nil, 0},
		{losses(3), 1},
		{losses(3, 1, 2), 2},
		{losses(3, 1, 1), 2},
		{losses(math.MaxFloat64, math.MaxFloat64), 1},
		{[]Epoch{{Epoch: 1}}, 0},
	} {
		if got := BestEpoch(tt.history); got != tt.want {
			t.Errorf("best of %+v is %d, want %d", tt.history, got, tt.want)
		}
	}
}

// What this version does not know, a later one may have added.
func TestUnknownKeysAreIgnored(t *testing.T) {
	b := encode(t, small())
	for _, edit := range [][2]string{
		{`"format":"vaectl"`, `"format":"vaectl","author":"x"`},
		{`\"height\":4`, `\"height\":4,\"depth\":[1]`},
		{`\"loss\":0.25`, `\"loss\":0.25,\"accuracy\":null`},
	} {
		got, err := decode(replace(t, b, edit[0], edit[1]))
		if err != nil || !reflect.DeepEqual(got, small()) {
			t.Errorf("%s: %+v, %v", edit[1], got, err)
		}
	}
}

func TestWriteErrors(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	tests := []struct {
		name   string
		change func(*Model)
		want   string
	}{
		{"odd height", func(m *Model) { m.Config.Height = 27 }, "config: images are 27x2: height and width must be even"},
		{"height", func(m *Model) { m.Config.Height = 0 }, "config: height is 0: must be 2 to 4096"},
		{"width", func(m *Model) { m.Config.Width = 4098 }, "config: width is 4098: must be 2 to 4096"},
		{"latent", func(m *Model) { m.Config.LatentDim = 1025 }, "config: latent_dim is 1025: must be 1 to 1024"},
		{"noise", func(m *Model) { m.Config.Noise = "" }, `config: noise is "": must be one of book, standard`},
		{"kl", func(m *Model) { m.Config.KLWeight = -1 }, "config: kl_weight is -1: must be finite, 0 or more"},
		{"kl NaN", func(m *Model) { m.Config.KLWeight = nan }, "config: kl_weight is NaN"},
		{"optimizer", func(m *Model) { m.Config.Optimizer = "lion" }, `config: optimizer is "lion": must be one of rmsprop, adam, sgd`},
		{"learning rate", func(m *Model) { m.Config.LearningRate = 0 }, "config: learning_rate is 0: must be finite and above 0"},
		{"learning rate Inf", func(m *Model) { m.Config.LearningRate = inf }, "config: learning_rate is +Inf"},
		{"batch", func(m *Model) { m.Config.BatchSize = 65537 }, "config: batch_size is 65537: must be 1 to 65536"},
		{"epochs", func(m *Model) { m.Config.Epochs = 10001 }, "config: epochs is 10001: must be 1 to 10000"},
		{"keep", func(m *Model) { m.Config.Keep = "worst" }, `config: keep is "worst": must be one of best, last`},
		{"keep without validation", func(m *Model) { m.Data.Val = 0 }, `config: keep is "best": must be "last" where there is no validation set`},
		{"patience", func(m *Model) { m.Config.Patience = -1 }, "config: patience is -1: must be 0 to 10000"},
		{"min_delta", func(m *Model) { m.Config.MinDelta = nan }, "config: min_delta is NaN: must be finite, 0 or more"},
		{"plateau", func(m *Model) { m.Config.PlateauPatience = 10001 }, "config: plateau_patience is 10001: must be 0 to 10000"},
		{"plateau factor", func(m *Model) { m.Config.PlateauFactor = 1 }, "config: plateau_factor is 1: must be between 0 and 1"},
		{"plateau factor NaN", func(m *Model) { m.Config.PlateauFactor = nan }, "config: plateau_factor is NaN: must be between 0 and 1"},
		{"factor without plateau", func(m *Model) { m.Config.PlateauPatience = 0 }, "config: plateau_factor is 0.1: must be 0 where plateau_patience is"},
		{"weights of no epoch", func(m *Model) { m.WeightsEpoch = 0 }, "weights_epoch is 0: must be an epoch of the history, which has 2"},
		{"weights of a later epoch", func(m *Model) { m.WeightsEpoch = 3 }, "weights_epoch is 3: must be"},
		{"not the last weights", func(m *Model) { m.Config.Keep = KeepLast }, "weights_epoch is 1: must be"},
		{"limit", func(m *Model) { m.Config.LimitVal = -1 }, "config: limit_val is -1: must be 0 or more"},
		{"data name", func(m *Model) { m.Data.Name = "" }, `data: name is "": must be 1 to 128 bytes of printable text`},
		{"data name not UTF-8", func(m *Model) { m.Data.Name = "a\xff" }, `data: name is "a\xff"`},
		{"data name of two lines", func(m *Model) { m.Data.Name = "a\nb" }, `data: name is "a\nb"`},
		{"data name long", func(m *Model) { m.Data.Name = strings.Repeat("x", 129) }, "data: name is"},
		{"train", func(m *Model) { m.Data.Train = 0 }, "data: train is 0: must be 1 or more"},
		{"val", func(m *Model) { m.Data.Val = -1 }, "data: val is -1: must be 0 or more"},
		{"sum", func(m *Model) { m.Data.SHA256 = strings.Repeat("A", 64) }, "data: sha256 is"},
		{"history too long", func(m *Model) { m.Config.Epochs = 1 }, "history: 2 rows for 1 epochs"},
		{"epoch left out", func(m *Model) { m.History[1].Epoch = 3 }, "history: row 2 is epoch 3: must be 2"},
		{"loss NaN", func(m *Model) { m.History[1].KL = nan }, "history: epoch 2: a loss is NaN: must be finite"},
		{"val_loss Inf", func(m *Model) { m.History[0].ValKL = &inf }, "history: epoch 1: a loss is +Inf"},
		{"half a validation", func(m *Model) { m.History[0].ValKL = nil }, "history: epoch 1: val_loss, val_reconstruction and val_kl must be there together"},
		{"weight NaN", func(m *Model) { m.Tensors[1].Data[1] = float32(nan) }, `tensor "decoder.bias" holds NaN at index 1: weights must be finite`},
		{"weight Inf", func(m *Model) { m.Tensors[0].Data[5] = float32(-inf) }, `tensor "encoder.kernel" holds -Inf at index 5`},
		{"shape", func(m *Model) { m.Tensors[0].Shape = []int{2, 2} }, `tensor "encoder.kernel" has 6 values, which do not fill shape [2 2]`},
		{"negative shape", func(m *Model) { m.Tensors[0].Shape = []int{-2, -3} }, "do not fill shape [-2 -3]"},
		{"overflowing shape", func(m *Model) { m.Tensors[0].Shape = []int{math.MaxInt, 2} }, "do not fill shape"},
		{"overflowing to nothing", func(m *Model) { m.Tensors[0] = Tensor{"a", []int{math.MaxInt/2 + 1, 2}, nil} }, `tensor "a" has 0 values, which do not fill shape`},
		{"long name", func(m *Model) { m.Tensors[1].Name = strings.Repeat("x", 129) }, "tensor name is"},
		{"same name", func(m *Model) { m.Tensors[1].Name = m.Tensors[0].Name }, `tensor "encoder.kernel" is there twice`},
		{"no name", func(m *Model) { m.Tensors[1].Name = "" }, `tensor name is ""`},
		{"reserved name", func(m *Model) { m.Tensors[1].Name = "__metadata__" }, `tensor name is "__metadata__"`},
		{"name with space", func(m *Model) { m.Tensors[1].Name = "a b" }, `tensor name is "a b": must be 1 to 128 letters, digits, '.' and '_'`},
		{"many tensors", func(m *Model) { m.Tensors = slices.Repeat(m.Tensors, 513) }, "1026 tensors: must be at most 1024"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := small()
			tt.change(m)
			var buf bytes.Buffer
			err := Write(&buf, m)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %s", err, tt.want)
			}
			if buf.Len() > 0 {
				t.Errorf("%d bytes were written", buf.Len())
			}
		})
	}
}

// limited accepts n bytes, as a disk that fills up.
type limited struct{ n int }

var errFull = errors.New("disk full")

func (l *limited) Write(p []byte) (int, error) {
	n := min(l.n, len(p))
	l.n -= n
	if n < len(p) {
		return n, errFull
	}
	return n, nil
}

func TestWriteReportsEveryWriteError(t *testing.T) {
	for n := range len(encode(t, small())) {
		if err := Write(&limited{n}, small()); !errors.Is(err, errFull) {
			t.Fatalf("disk full after %d bytes: error %v", n, err)
		}
	}
}

func TestReadReportsReadErrors(t *testing.T) {
	b := encode(t, small())
	broken := errors.New("broken disk")
	for n := range len(b) + 1 {
		r := io.MultiReader(bytes.NewReader(b[:n]), iotest.ErrReader(broken))
		_, err := Read(r, smallLayout)
		if want := fmt.Sprintf("after %d bytes: broken disk", n); !errors.Is(err, broken) || err.Error() != want {
			t.Fatalf("error %v, want %s", err, want)
		}
	}
}

func TestLayoutErrorIsReported(t *testing.T) {
	want := errors.New("no such model")
	_, err := Read(bytes.NewReader(encode(t, small())), func(Config) ([]Spec, error) { return nil, want })
	if !errors.Is(err, want) {
		t.Errorf("error %v", err)
	}
}

// A file of a few hundred bytes may announce gigabytes; what Read takes must
// follow what arrives.
func TestMemoryFollowsWhatArrives(t *testing.T) {
	big := replace(t, encode(t, small()), `"shape":[3,2]`, `"shape":[32768,16383]`)
	for name, tt := range map[string]struct {
		file []byte
		want string
	}{
		"tensor": {big, "truncated: expected 21473"},
		"header": {binary.LittleEndian.AppendUint64(nil, maxHeader), "truncated in the header: expected at least 4194312 bytes, the file has 8"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Read(bytes.NewReader(tt.file), func(Config) ([]Spec, error) {
			return []Spec{{"encoder.kernel", []int{32768, 16383}}, {"decoder.bias", []int{2}}}, nil
		})
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %s", name, err, tt.want)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
			t.Errorf("%s: %d bytes allocated for a file of %d", name, n, len(tt.file))
		}
	}
}
