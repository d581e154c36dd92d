package modelfile

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// MaxEpochs bounds the history, and with it the header.
	MaxEpochs = 10_000

	maxSide   = 4096
	maxLatent = 1024
	maxBatch  = 65_536
	maxName   = 128 // bytes of a data set's or a tensor's name
)

// Which weights a model file holds, Config.Keep.
const (
	KeepBest = "best" // of the epoch with the lowest val_loss
	KeepLast = "last"
)

// Config is every setting needed to build the model and to train it again. The
// JSON keys come in the order of the fields; since is the format version from
// which on a key must be there, 1 where it is left out.
type Config struct {
	Height       int     `json:"height"` // pixels, even, 2 to 4096
	Width        int     `json:"width"`
	LatentDim    int     `json:"latent_dim"`            // 1 to 1024
	Noise        string  `json:"noise"`                 // "book" or "standard"
	KLWeight     float64 `json:"kl_weight"`             // 0 or more
	Convolution  string  `json:"convolution" since:"2"` // "winograd" or "direct"
	Optimizer    string  `json:"optimizer"`             // "rmsprop", "adam" or "sgd"
	LearningRate float64 `json:"learning_rate"`
	BatchSize    int     `json:"batch_size"` // 1 to 65536
	Epochs       int     `json:"epochs"`     // 1 to MaxEpochs
	Seed         uint64  `json:"seed"`
	LimitTrain   int     `json:"limit_train"` // images used at most; 0: all
	LimitVal     int     `json:"limit_val"`

	Keep            string  `json:"keep" since:"2"`             // KeepBest or KeepLast
	Patience        int     `json:"patience" since:"2"`         // epochs without improvement that end the training; 0: none do
	MinDelta        float64 `json:"min_delta" since:"2"`        // what counts as an improvement, 0 or more
	PlateauPatience int     `json:"plateau_patience" since:"2"` // epochs without improvement that lower the learning rate; 0: none do
	PlateauFactor   float64 `json:"plateau_factor" since:"2"`   // what it is multiplied by, between 0 and 1; 0 with no plateau_patience
}

// Epoch is one row of the training history: means over the samples. The three
// Val fields are nil where there is no validation set, which JSON has as null.
type Epoch struct {
	Epoch             int      `json:"epoch"` // counted from 1
	Loss              float64  `json:"loss"`
	Reconstruction    float64  `json:"reconstruction"`
	KL                float64  `json:"kl"`
	ValLoss           *float64 `json:"val_loss"`
	ValReconstruction *float64 `json:"val_reconstruction"`
	ValKL             *float64 `json:"val_kl"`
}

// BestEpoch is the number of the epoch with the lowest val_loss, the first of
// those that share it, and 0 where none has one.
func BestEpoch(history []Epoch) int {
	best, lowest := 0, math.Inf(1)
	for _, e := range history {
		if e.ValLoss != nil && *e.ValLoss < lowest {
			best, lowest = e.Epoch, *e.ValLoss
		}
	}
	return best
}

// Data says what the model was trained on, in words that are the same on every
// machine: no path.
type Data struct {
	Name   string `json:"name"` // printable, 1 to 128 bytes
	Train  int    `json:"train"`
	Val    int    `json:"val"`    // 0: no validation set
	SHA256 string `json:"sha256"` // 64 lower-case hexadecimal digits
}

// Stream is the state of a random stream: in JSON, the 40 hexadecimal digits of
// what its MarshalBinary gives.
type Stream struct{ rand.PCG }

func (s Stream) MarshalText() ([]byte, error) {
	b, err := s.MarshalBinary()
	return hex.AppendEncode(nil, b), err
}

func (s *Stream) UnmarshalText(text []byte) error {
	b, err := hex.AppendDecode(nil, text)
	if err != nil {
		return err
	}
	return s.UnmarshalBinary(b)
}

// Validate reports the first field outside its limits, by its JSON key.
func (c Config) Validate() error {
	ints := []struct {
		key         string
		v, from, to int
	}{
		{"height", c.Height, 2, maxSide},
		{"width", c.Width, 2, maxSide},
		{"latent_dim", c.LatentDim, 1, maxLatent},
		{"batch_size", c.BatchSize, 1, maxBatch},
		{"epochs", c.Epochs, 1, MaxEpochs},
		{"limit_train", c.LimitTrain, 0, math.MaxInt},
		{"limit_val", c.LimitVal, 0, math.MaxInt},
		{"patience", c.Patience, 0, MaxEpochs},
		{"plateau_patience", c.PlateauPatience, 0, MaxEpochs},
	}
	for _, f := range ints {
		if f.v < f.from || f.v > f.to {
			if f.to == math.MaxInt {
				return fmt.Errorf("%s is %d: must be %d or more", f.key, f.v, f.from)
			}
			return fmt.Errorf("%s is %d: must be %d to %d", f.key, f.v, f.from, f.to)
		}
	}
	if c.Height%2 != 0 || c.Width%2 != 0 {
		return fmt.Errorf("images are %dx%d: height and width must be even", c.Height, c.Width)
	}
	names := []struct {
		key, v string
		known  []string
	}{
		{"noise", c.Noise, []string{"book", "standard"}},
		{"optimizer", c.Optimizer, []string{"rmsprop", "adam", "sgd"}},
		{"convolution", c.Convolution, []string{"winograd", "direct"}},
		{"keep", c.Keep, []string{KeepBest, KeepLast}},
	}
	for _, f := range names {
		if !slices.Contains(f.known, f.v) {
			return fmt.Errorf("%s is %s: must be one of %s", f.key, quote(f.v), strings.Join(f.known, ", "))
		}
	}
	if !finite(c.KLWeight) || c.KLWeight < 0 {
		return fmt.Errorf("kl_weight is %v: must be finite, 0 or more", c.KLWeight)
	}
	if !finite(c.LearningRate) || c.LearningRate <= 0 {
		return fmt.Errorf("learning_rate is %v: must be finite and above 0", c.LearningRate)
	}
	if !finite(c.MinDelta) || c.MinDelta < 0 {
		return fmt.Errorf("min_delta is %v: must be finite, 0 or more", c.MinDelta)
	}
	switch {
	case c.PlateauPatience == 0 && c.PlateauFactor != 0:
		return fmt.Errorf("plateau_factor is %v: must be 0 where plateau_patience is", c.PlateauFactor)
	case c.PlateauPatience > 0 && !(c.PlateauFactor > 0 && c.PlateauFactor < 1):
		return fmt.Errorf("plateau_factor is %v: must be between 0 and 1", c.PlateauFactor)
	}
	return nil
}

// Validate reports the first field outside its limits, by its JSON key.
func (d Data) Validate() error {
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	switch {
	case d.Name == "" || len(d.Name) > maxName || !utf8.ValidString(d.Name) || strings.ContainsFunc(d.Name, unprintable):
		return fmt.Errorf("name is %s: must be 1 to %d bytes of printable text", quote(d.Name), maxName)
	case d.Train < 1:
		return fmt.Errorf("train is %d: must be 1 or more", d.Train)
	case d.Val < 0:
		return fmt.Errorf("val is %d: must be 0 or more", d.Val)
	case len(d.SHA256) != 64 || strings.Trim(d.SHA256, "0123456789abcdef") != "":
		return fmt.Errorf("sha256 is %s: must be 64 lower-case hexadecimal digits", quote(d.SHA256))
	}
	return nil
}

func (e Epoch) validate() error {
	values := []float64{e.Loss, e.Reconstruction, e.KL}
	for _, p := range []*float64{e.ValLoss, e.ValReconstruction, e.ValKL} {
		if p != nil {
			values = append(values, *p)
		}
	}
	if n := len(values); n != 3 && n != 6 {
		return errors.New("val_loss, val_reconstruction and val_kl must be there together or not at all")
	}
	for _, v := range values {
		if !finite(v) {
			return fmt.Errorf("a loss is %v: must be finite", v)
		}
	}
	return nil
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
