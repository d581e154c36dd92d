package optim

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"vaectl/internal/isa"
)

// golden is testdata/golden.json; golden.py beside it made it and explains it.
type golden struct {
	LearningRate float64     `json:"learning_rate"`
	Weights      []float32   `json:"weights"`
	Gradients    [][]float32 `json:"gradients"` // a row a step
	Optimizers   []struct {
		Name    string      `json:"name"`
		Weights [][]float64 `json:"weights"` // after each step, in float64
		Bits    [][]uint32  `json:"bits"`    // after each step, in float32
		// After the last step, in float32.
		SlotBits map[string][]uint32 `json:"slot_bits"`
	} `json:"optimizers"`
}

func readGolden(t *testing.T) golden {
	t.Helper()
	text, err := os.ReadFile("testdata/golden.json")
	if err != nil {
		t.Fatal(err)
	}
	var g golden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	if len(g.Gradients) != 10 || len(g.Optimizers) != len(Names()) {
		t.Fatalf("golden has %d steps of %d optimizers, want 10 of %d", len(g.Gradients), len(g.Optimizers), len(Names()))
	}
	return g
}

func TestGoldenTenSteps(t *testing.T) {
	// The float64 reference keeps slots below 2^-126. Ten of those, times the
	// rate over epsilon, are what float32 weights may lack.
	const flushed = 10 * 0x1p-126 * 0.001 / 1e-7
	g := readGolden(t)
	for _, want := range g.Optimizers {
		forTiers(t, want.Name, func(t *testing.T, tier isa.Tier) {
			n := len(g.Weights)
			o, err := New(want.Name, g.LearningRate, n, tier)
			if err != nil {
				t.Fatal(err)
			}
			w := append([]float32(nil), g.Weights...)
			// An element's error grows with the path that it has travelled,
			// not with where it stands: huge steps may cancel.
			path := make([]float64, n)
			previous := make([]float64, n)
			for i, x := range g.Weights {
				path[i], previous[i] = math.Abs(float64(x)), float64(x)
			}
			for step, gradient := range g.Gradients {
				o.Advance()
				o.Update(w, gradient, 0, n)
				for i, x := range w {
					exact := want.Weights[step][i]
					path[i] += math.Abs(exact - previous[i])
					previous[i] = exact
					tolerance := 3e-7*path[i] + flushed
					if d := math.Abs(float64(x) - exact); !(d <= tolerance) {
						t.Errorf("step %d, element %d: %g, want %g within %g", step+1, i, x, exact, tolerance)
					}
					if got := math.Float32bits(x); got != want.Bits[step][i] {
						t.Errorf("step %d, element %d: bits %#08x, want %#08x", step+1, i, got, want.Bits[step][i])
					}
				}
			}
			if len(o.Slots()) != len(want.SlotBits) {
				t.Fatalf("%d slots, want %d", len(o.Slots()), len(want.SlotBits))
			}
			for _, s := range o.Slots() {
				bits := want.SlotBits[s.Name]
				if len(bits) != n {
					t.Fatalf("golden has %d values for slot %s, want %d", len(bits), s.Name, n)
				}
				for i, x := range s.Data {
					if got := math.Float32bits(x); got != bits[i] {
						t.Errorf("slot %s[%d]: bits %#08x, want %#08x", s.Name, i, got, bits[i])
					}
				}
			}
		})
	}
}
