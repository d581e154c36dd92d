package train

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"vaectl/internal/isa"
	"vaectl/internal/modelfile"
	"vaectl/mnist"
)

// modelHash is that of the model file.
func modelHash(t *testing.T, r *Run) string {
	t.Helper()
	h := sha256.New()
	if err := modelfile.Write(h, r.Model()); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// reload takes a run through a state file, and closes it.
func reload(t *testing.T, r *Run, d *mnist.Dataset, workers int) *Run {
	t.Helper()
	var file bytes.Buffer
	if err := modelfile.WriteState(&file, r.State()); err != nil {
		t.Fatal(err)
	}
	r.Close()
	s, err := modelfile.ReadState(&file, StateLayout)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Resume(s, d, isa.Best(), workers)
	if err != nil {
		t.Fatal(err)
	}
	return again
}

// finish runs a training to its end, and resumes it after the batches for which
// stop is true, but after none twice.
func finish(t *testing.T, c modelfile.Config, d *mnist.Dataset, stop func() bool) (hash string, resumed int) {
	t.Helper()
	workers := 1
	r, err := New(c, d, isa.Best(), workers)
	if err != nil {
		t.Fatal(err)
	}
	type batch struct {
		epoch, step int
		validating  bool
	}
	seen := map[batch]bool{}
	enough := errors.New("enough")
	for !r.Done() {
		_, err := r.Epoch(t.Context(), func(p Progress) error {
			b := batch{p.Epoch, p.Step, p.Validating}
			if !seen[b] && stop() {
				seen[b] = true
				return enough
			}
			return nil
		})
		switch {
		case errors.Is(err, enough):
			workers = workers%3 + 1
			r = reload(t, r, d, workers)
			resumed++
		case err != nil:
			t.Fatal(err)
		}
	}
	defer r.Close()
	return modelHash(t, r), resumed
}

func never() bool  { return false }
func always() bool { return true }

// However often a training is interrupted, whatever it uses, and at any number of
// workers, the model file is that of an uninterrupted one.
func TestResumeIsExact(t *testing.T) {
	for name, change := range map[string]func(*modelfile.Config){
		"rmsprop":       func(*modelfile.Config) {},
		"adam":          func(c *modelfile.Config) { c.Optimizer, c.Noise = "adam", "standard" },
		"sgd":           func(c *modelfile.Config) { c.Optimizer = "sgd" },
		"best":          func(c *modelfile.Config) { c.Keep, c.LearningRate, c.Epochs = modelfile.KeepBest, 0.01, 5 },
		"plateau":       func(c *modelfile.Config) { c.PlateauPatience, c.PlateauFactor, c.MinDelta = 1, 0.5, 1e-3 },
		"early stop":    func(c *modelfile.Config) { c.Patience, c.MinDelta, c.Epochs = 2, 0.1, 100 },
		"no validation": func(c *modelfile.Config) {},
	} {
		t.Run(name, func(t *testing.T) {
			c := small()
			change(&c)
			d := stripes(30, 10, 8, 6)
			if name == "no validation" {
				d = stripes(30, 0, 8, 6)
			}
			want, _ := finish(t, c, d, never)
			every, n := finish(t, c, d, always)
			if n < 20 {
				t.Errorf("resumed %d times", n)
			}
			if every != want {
				t.Error("resumed after every step, the model is another")
			}
			rng := rand.New(rand.NewPCG(1, 2))
			if got, _ := finish(t, c, d, func() bool { return rng.IntN(5) == 0 }); got != want {
				t.Error("resumed now and then, the model is another")
			}
		})
	}
}

// A run that was interrupted goes on by itself too.
func TestEpochGoesOn(t *testing.T) {
	c, d := small(), stripes(30, 10, 8, 6)
	want, _ := finish(t, c, d, never)
	r := start(t, c, d, 1)
	for !r.Done() {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := r.Epoch(ctx, func(p Progress) error {
			if !p.Validating {
				cancel()
			}
			return nil
		})
		cancel()
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		// The last training step of an epoch leaves the evaluation.
		if epoch, step, steps := r.At(); step == steps {
			if _, err := r.Epoch(t.Context(), quiet); err != nil {
				t.Fatal(err)
			}
			if next, step, _ := r.At(); next != epoch+1 || step != 0 {
				t.Fatalf("at step %d of epoch %d after epoch %d", step, next, epoch)
			}
		}
	}
	if modelHash(t, r) != want {
		t.Error("interrupted after every step, the model is another")
	}
}

// More epochs than at first give the model of a training that began with them.
func TestResumeWithMoreEpochs(t *testing.T) {
	c, d := small(), stripes(30, 10, 8, 6)
	c.Keep = modelfile.KeepBest
	r := start(t, c, d, 1)
	for !r.Done() {
		if _, err := r.Epoch(t.Context(), quiet); err != nil {
			t.Fatal(err)
		}
	}
	s := r.State()
	if !Finished(s) {
		t.Error("the state does not say that it is finished")
	}
	s.Config.Epochs = 5
	if Finished(s) {
		t.Error("the state says that it is finished")
	}
	more, err := Resume(s, d, isa.Best(), 2)
	if err != nil {
		t.Fatal(err)
	}
	defer more.Close()
	for !more.Done() {
		if _, err := more.Epoch(t.Context(), quiet); err != nil {
			t.Fatal(err)
		}
	}
	c.Epochs = 5
	if want, _ := finish(t, c, d, never); modelHash(t, more) != want {
		t.Error("with epochs added, the model is another")
	}
}

func TestResumeRefusesOtherData(t *testing.T) {
	r := start(t, small(), stripes(30, 10, 8, 6), 1)
	for name, d := range map[string]*mnist.Dataset{
		"fewer":         stripes(29, 10, 8, 6),
		"no validation": stripes(30, 0, 8, 6),
	} {
		if _, err := Resume(r.State(), d, isa.Best(), 1); !errors.Is(err, ErrOtherData) || !strings.Contains(err.Error(), r.Data().SHA256) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if _, err := Resume(r.State(), stripes(30, 10, 6, 6), isa.Best(), 1); !errors.Is(err, ErrOtherData) || !strings.HasSuffix(err.Error(), ": images of 6x6, not 8x6") {
		t.Errorf("another size: error %v", err)
	}
}

// With KeepBest the file holds the weights after the epoch of the lowest val_loss.
func TestKeepBest(t *testing.T) {
	c := small()
	c.Keep, c.LearningRate, c.Epochs = modelfile.KeepBest, 0.01, 5
	r := start(t, c, stripes(30, 10, 8, 6), 1)
	after := []string{""}
	for !r.Done() {
		if _, err := r.Epoch(t.Context(), quiet); err != nil {
			t.Fatal(err)
		}
		now := r.State()
		after = append(after, hashOf(now.Weights))
		m := r.Model()
		if want := modelfile.BestEpoch(now.History); m.WeightsEpoch != want || hashOf(m.Tensors) != after[want] {
			t.Errorf("after epoch %d: the weights are of epoch %d, want %d", len(now.History), m.WeightsEpoch, want)
		}
	}
	if m := r.Model(); m.WeightsEpoch == 5 {
		t.Error("the last epoch was the best: the test shows nothing")
	}
}

func hashOf(tensors []modelfile.Tensor) string {
	h := sha256.New()
	for _, t := range tensors {
		for _, v := range t.Data {
			fmt.Fprintf(h, "%08x", math.Float32bits(v))
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func TestSchedule(t *testing.T) {
	history := func(losses ...float64) (h []modelfile.Epoch) {
		for i := range losses {
			h = append(h, modelfile.Epoch{Epoch: i + 1, Loss: -float64(i), ValLoss: &losses[i]})
		}
		return h
	}
	patience := modelfile.Config{LearningRate: 1, Patience: 2}
	plateau := modelfile.Config{LearningRate: 1, PlateauPatience: 2, PlateauFactor: 0.25}
	delta := modelfile.Config{LearningRate: 1, Patience: 2, PlateauPatience: 1, PlateauFactor: 0.5, MinDelta: 0.5}
	tiny := modelfile.Config{LearningRate: 1e-7, PlateauPatience: 1, PlateauFactor: 0.01}
	below := modelfile.Config{LearningRate: 1e-9, PlateauPatience: 1, PlateauFactor: 0.01}
	for _, tt := range []struct {
		name    string
		c       modelfile.Config
		history []modelfile.Epoch
		rate    float64
		stop    bool
	}{
		{"at start", patience, nil, 1, false},
		{"off", modelfile.Config{LearningRate: 1}, history(1, 1, 1, 1, 1, 1), 1, false},
		{"an epoch without improvement", patience, history(3, 2, 2), 1, false},
		{"two", patience, history(3, 2, 2, 2), 1, true},
		{"not in a row", patience, history(3, 4, 2, 3), 1, false},
		{"above the lowest", patience, history(1, 4, 2), 1, true},
		{"plateau of two", plateau, history(2, 2, 2), 0.25, false},
		{"of three", plateau, history(2, 2, 2, 2), 0.25, false},
		{"of four", plateau, history(2, 2, 2, 2, 2), 0.0625, false},
		{"two plateaus", plateau, history(2, 2, 2, 1, 1, 1), 0.0625, false},
		{"by more than min_delta", delta, history(2, 1.25, 0.5), 1, false},
		{"by less than min_delta", delta, history(2, 1.75), 0.5, false},
		{"by min_delta", delta, history(2, 1.5), 0.5, false},
		{"by less, twice", delta, history(2, 1.75, 1.75), 0.25, true},
		{"by more at the second", delta, history(2, 1.75, 1.25), 0.5, false},
		{"lowest rate", tiny, history(1, 1, 1), minRate, false},
		{"below the lowest rate", below, history(1, 1, 1), 1e-9, false},
		{"by loss", patience, []modelfile.Epoch{{Loss: 1}, {Loss: 2}, {Loss: 2}}, 1, true},
	} {
		rate, stop := schedule(tt.c, tt.history)
		if rate != tt.rate || stop != tt.stop {
			t.Errorf("%s: rate %v, stop %v; want %v, %v", tt.name, rate, stop, tt.rate, tt.stop)
		}
	}
}
