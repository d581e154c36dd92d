package train

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/blas/blas32"

	"vaectl/internal/gemm"
	"vaectl/internal/isa"
	"vaectl/internal/modelfile"
	"vaectl/mnist"
)

// small are quick settings for 8 x 6 images.
func small() modelfile.Config {
	return modelfile.Config{
		Height: 8, Width: 6, LatentDim: 2, Noise: "book", KLWeight: 5e-4, Convolution: "winograd",
		Optimizer: "rmsprop", LearningRate: 1e-4, BatchSize: 4, Epochs: 3, Seed: 1, Keep: modelfile.KeepLast,
	}
}

// stripes is a data set of n training and m validation images, each bright in
// one column.
func stripes(n, m, rows, cols int) *mnist.Dataset {
	split := func(name string, n int) *mnist.Split {
		s := &mnist.Split{Name: name, Images: mnist.Images{Rows: rows, Cols: cols, Pix: make([]byte, n*rows*cols)}}
		for i := range n {
			for r := range rows {
				s.Pix[(i*rows+r)*cols+i%cols] = 255
			}
		}
		return s
	}
	d := &mnist.Dataset{Name: "stripes", Train: split("train", n)}
	if m > 0 {
		d.Val = split("val", m)
	}
	return d
}

func start(t *testing.T, c modelfile.Config, d *mnist.Dataset, workers int) *Run {
	t.Helper()
	return startOn(t, isa.Best(), c, d, workers)
}

func startOn(t *testing.T, tier isa.Tier, c modelfile.Config, d *mnist.Dataset, workers int) *Run {
	t.Helper()
	r, err := New(c, d, tier, workers)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func quiet(Progress) error { return nil }

func weightsHash(r *Run) string {
	h := sha256.New()
	for _, tensor := range r.Model().Tensors {
		if err := binary.Write(h, binary.LittleEndian, tensor.Data); err != nil {
			panic(err)
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// Twenty steps of the real model, a short last batch among them, give the same
// bits at any number of workers, on every tier.
func TestSameBitsForAnyWorkers(t *testing.T) {
	digits, err := mnist.Sample()
	if err != nil {
		t.Fatal(err)
	}
	defer blas32.Use(blas32.Implementation())
	for tier := isa.Generic; tier <= isa.Best(); tier++ {
		blas32.Use(gemm.NewBLAS(gemm.New(tier)))
		c := small()
		c.Height, c.Width, c.BatchSize, c.LimitTrain, c.LimitVal = 28, 28, 16, 19*16+5, 10
		d := digits
		if tier < isa.Best() { // smaller images, to save time
			c.Height, c.Width, d = 10, 10, stripes(400, 20, 10, 10)
		}
		var want string
		check := func(name string, workers int) {
			r := startOn(t, tier, c, d, workers)
			if _, err := r.Epoch(t.Context(), quiet); err != nil {
				t.Fatal(err)
			}
			if got := weightsHash(r); want == "" {
				want = got
			} else if got != want {
				t.Errorf("%v tier: %s gives other bits than one worker", tier, name)
			}
		}
		for _, workers := range []int{1, 2, 3, 7} {
			check(fmt.Sprint(workers, " workers"), workers)
		}
		before := runtime.GOMAXPROCS(1)
		check("GOMAXPROCS=1", 2)
		runtime.GOMAXPROCS(before)
	}
}

// A run learns, and tells what it did.
func TestEpochs(t *testing.T) {
	r := start(t, small(), stripes(30, 10, 8, 6), 2)
	var steps []Progress
	var rows []modelfile.Epoch
	for !r.Done() {
		row, err := r.Epoch(t.Context(), func(p Progress) error { steps = append(steps, p); return nil })
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	if len(rows) != 3 || rows[2].Epoch != 3 {
		t.Fatalf("history %+v", rows)
	}
	for i, row := range rows {
		if row.Loss != row.Reconstruction+row.KL && !close(row.Loss, row.Reconstruction+row.KL) {
			t.Errorf("epoch %d: loss %v is not %v + %v", i+1, row.Loss, row.Reconstruction, row.KL)
		}
	}
	if !(*rows[2].ValLoss < *rows[0].ValLoss) {
		t.Errorf("val_loss went from %v to %v", *rows[0].ValLoss, *rows[2].ValLoss)
	}
	// 8 training and 3 validation steps an epoch, the last ones short.
	if len(steps) != 3*11 {
		t.Fatalf("%d steps", len(steps))
	}
	if p := steps[7]; p.Step != 8 || p.Steps != 8 || p.Samples != 30 || p.Total != 30 || p.Validating || p.Mean.Loss != rows[0].Loss {
		t.Errorf("last training step: %+v", p)
	}
	if p := steps[10]; p.Step != 3 || p.Samples != 10 || !p.Validating || p.Mean.Loss != *rows[0].ValLoss {
		t.Errorf("last validation step: %+v", p)
	}
	if m := r.Model(); len(m.History) != 3 || m.Data.Train != 30 || m.Data.Val != 10 || len(m.Tensors) != 20 {
		t.Errorf("model %+v", m.Data)
	}
}

func close(a, b float64) bool { return a-b < 1e-12 && b-a < 1e-12 }

func TestLimitsAndNoValidation(t *testing.T) {
	c := small()
	c.LimitTrain, c.Epochs = 6, 1
	r := start(t, c, stripes(30, 0, 8, 6), 1)
	if d := r.Data(); d.Train != 6 || d.Val != 0 {
		t.Errorf("data %+v", d)
	}
	row, err := r.Epoch(t.Context(), quiet)
	if err != nil || row.ValLoss != nil || row.ValKL != nil {
		t.Errorf("%+v, %v", row, err)
	}
	whole := start(t, small(), stripes(30, 0, 8, 6), 1)
	if r.Data().SHA256 == whole.Data().SHA256 {
		t.Error("the digest does not tell a part of the data from all of it")
	}
}

// Every epoch uses each sample once, in an order of its own.
func TestShuffle(t *testing.T) {
	r := start(t, small(), stripes(30, 0, 8, 6), 1)
	var last []int
	for range 2 {
		if _, err := r.Epoch(t.Context(), quiet); err != nil {
			t.Fatal(err)
		}
		order := slices.Clone(r.order[:30])
		if slices.Equal(order, last) || slices.IsSorted(order) {
			t.Error("the order is not fresh")
		}
		last = slices.Clone(order)
		slices.Sort(order)
		for i, v := range order {
			if i != v {
				t.Fatalf("not a permutation: %v", last)
			}
		}
	}
}

// The validation noise is the same in every epoch, whatever was drawn before.
func TestValidationNoiseIsFixed(t *testing.T) {
	c := small()
	c.LearningRate = 1e-30 // too small to change a weight
	r := start(t, c, stripes(8, 6, 8, 6), 1)
	a, err := r.Epoch(t.Context(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	b, err := r.Epoch(t.Context(), quiet)
	if err != nil {
		t.Fatal(err)
	}
	if *a.ValLoss != *b.ValLoss {
		t.Errorf("val_loss %v, then %v", *a.ValLoss, *b.ValLoss)
	}
	if a.Loss == b.Loss {
		t.Error("the training noise is fixed too")
	}
}

func TestCancel(t *testing.T) {
	r := start(t, small(), stripes(30, 0, 8, 6), 1)
	ctx, cancel := context.WithCancel(t.Context())
	steps := 0
	_, err := r.Epoch(ctx, func(Progress) error {
		if steps++; steps == 3 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || steps != 3 {
		t.Errorf("%v after %d steps", err, steps)
	}
	if len(r.Model().History) != 0 {
		t.Error("an epoch that was not finished is in the history")
	}
}

func TestLossMustBeFinite(t *testing.T) {
	c := small()
	c.Optimizer, c.LearningRate, c.Epochs = "sgd", 1000, 100
	r := start(t, c, stripes(30, 0, 8, 6), 1)
	for !r.Done() {
		if _, err := r.Epoch(t.Context(), quiet); err != nil {
			var diverged *DivergedError
			if msg := err.Error(); !errors.As(err, &diverged) || !strings.HasPrefix(msg, "the loss is ") || !strings.Contains(msg, " of epoch ") {
				t.Error(err)
			}
			return
		}
	}
	t.Error("the loss stayed finite")
}

func TestNewErrors(t *testing.T) {
	c := small()
	c.Optimizer = "lion"
	if _, err := New(c, stripes(4, 0, 8, 6), isa.Generic, 1); err == nil {
		t.Error("unknown optimizer accepted")
	}
	c = small()
	c.Noise = "pink"
	if _, err := New(c, stripes(4, 0, 8, 6), isa.Generic, 1); err == nil {
		t.Error("unknown noise accepted")
	}
	c = small()
	c.Width = 8
	if _, err := New(c, stripes(4, 0, 8, 6), isa.Generic, 1); err == nil {
		t.Error("images of another size accepted")
	}
}
