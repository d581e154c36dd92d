package modelfile

import (
	"errors"
	"fmt"
	"math"
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

// Config is every setting needed to build the model and to train it again. The
// JSON keys come in the order of the fields.
type Config struct {
	Height       int     `json:"height"` // pixels, even, 2 to 4096
	Width        int     `json:"width"`
	LatentDim    int     `json:"latent_dim"`  // 1 to 1024
	Noise        string  `json:"noise"`       // "book" or "standard"
	KLWeight     float64 `json:"kl_weight"`   // 0 or more
	Convolution  string  `json:"convolution"` // "winograd" or "direct"
	Optimizer    string  `json:"optimizer"`   // "rmsprop", "adam" or "sgd"
	LearningRate float64 `json:"learning_rate"`
	BatchSize    int     `json:"batch_size"` // 1 to 65536
	Epochs       int     `json:"epochs"`     // 1 to MaxEpochs
	Seed         uint64  `json:"seed"`
	LimitTrain   int     `json:"limit_train"` // images used at most; 0: all
	LimitVal     int     `json:"limit_val"`
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

// Data says what the model was trained on, in words that are the same on every
// machine: no path.
type Data struct {
	Name   string `json:"name"` // printable, 1 to 128 bytes
	Train  int    `json:"train"`
	Val    int    `json:"val"`    // 0: no validation set
	SHA256 string `json:"sha256"` // 64 lower-case hexadecimal digits
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

// validate checks what Write and Read both insist on beside the tensors.
func (m *Model) validate() error {
	if err := m.Config.Validate(); err != nil {
		return fmt.Errorf("config: %w", err)
	}
	if err := m.Data.Validate(); err != nil {
		return fmt.Errorf("data: %w", err)
	}
	if len(m.History) > m.Config.Epochs {
		return fmt.Errorf("history: %d rows for %d epochs", len(m.History), m.Config.Epochs)
	}
	for i, e := range m.History {
		if e.Epoch != i+1 {
			return fmt.Errorf("history: row %d is epoch %d: must be %d", i+1, e.Epoch, i+1)
		}
		if err := e.validate(); err != nil {
			return fmt.Errorf("history: epoch %d: %w", e.Epoch, err)
		}
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
