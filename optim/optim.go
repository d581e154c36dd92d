// Package optim holds the update rules that turn gradients into new weights:
// RMSprop, Adam and SGD with momentum, as Keras defines them, one file each.
//
// An optimizer sees flat slices and nothing else: the weights, their gradients
// and its own running averages ("slots"), all float32, all of one length. What
// a weight belongs to, how gradients come about and where checkpoints are kept
// are no business of this package; the loops themselves are those of package
// vec.
//
// Two things hold for every rule.
//
// Each element is computed from that element of w, g and the slots only, by
// additions, multiplications, divisions and square roots that IEEE 754 rounds
// exactly, and none is fused with another. So the bits of the result depend
// neither on how a range is split, nor on the architecture, nor on whether the
// loop runs one element at a time or sixteen.
//
// A slot value below the smallest normal float32 (2^-126) becomes zero, as it
// does in TensorFlow, which trains with subnormals flushed. Where a gradient
// stays zero, as behind a dead ReLU, a slot would otherwise decay to a
// subnormal number and stay there, and many processors are far slower at those.
package optim

import (
	"fmt"
	"math"
	"strings"

	"vaectl/internal/isa"
	"vaectl/internal/vec"
)

// An Optimizer moves weights against their gradients, one step at a time:
// one Advance, then Update over all elements, in one call or in many.
type Optimizer interface {
	// Advance begins the next step. It comes before the first Update too.
	Advance()

	// Update applies the current step to the elements lo <= i < hi of the
	// weights w, from the gradients g; both have the length given to New.
	// Calls on disjoint ranges may run at the same time, and the result does
	// not depend on how the whole is split.
	Update(w, g []float32, lo, hi int)

	// LearningRate is the rate that the next Update uses.
	LearningRate() float64
	// SetLearningRate changes it. A rate that New would refuse is refused and
	// changes nothing.
	SetLearningRate(rate float64) error

	// Step is the number of steps begun; Adam's bias correction depends on it.
	Step() int
	// SetStep restores a step count from a checkpoint. It must not be negative.
	SetStep(step int) error
	// Slots are the running averages, in a fixed order. The data is the
	// optimizer's own: save it from there, restore by copying into it.
	Slots() []Slot
}

// A Slot is one running average over all weights.
type Slot struct {
	Name string
	Data []float32 // as long as the weights
}

// Names lists the optimizers that New knows, the default first.
func Names() []string { return []string{"rmsprop", "adam", "sgd"} }

// New returns the named optimizer for n weights, at step 0 with all slots zero.
// The learning rate must be positive and finite as a float32. The tier, which
// must be available, makes a difference in time only.
func New(name string, learningRate float64, n int, tier isa.Tier) (Optimizer, error) {
	if err := checkRate(learningRate); err != nil {
		return nil, err
	}
	if n < 0 {
		return nil, fmt.Errorf("optimizer for %d weights: want 0 or more", n)
	}
	s := schedule{rate: learningRate, kernels: vec.New(tier)}
	switch name {
	case "rmsprop":
		return &rmsprop{schedule: s, meanSquare: make([]float32, n)}, nil
	case "adam":
		return &adam{schedule: s, mean: make([]float32, n), meanSquare: make([]float32, n)}, nil
	case "sgd":
		return &sgd{schedule: s, velocity: make([]float32, n)}, nil
	}
	return nil, fmt.Errorf("unknown optimizer %q: want one of %s", name, strings.Join(Names(), ", "))
}

// schedule is what every optimizer keeps besides its slots.
type schedule struct {
	step    int
	rate    float64
	kernels vec.Kernels
}

func (s *schedule) Advance()              { s.step++ }
func (s *schedule) Step() int             { return s.step }
func (s *schedule) LearningRate() float64 { return s.rate }

func (s *schedule) SetStep(step int) error {
	if step < 0 {
		return fmt.Errorf("optimizer step %d: want 0 or more", step)
	}
	s.step = step
	return nil
}

func (s *schedule) SetLearningRate(rate float64) error {
	if err := checkRate(rate); err != nil {
		return err
	}
	s.rate = rate
	return nil
}

// checkRate judges the rate as the kernels see it, in float32.
func checkRate(rate float64) error {
	if r := float32(rate); r > 0 && !math.IsInf(float64(r), 1) {
		return nil
	}
	return fmt.Errorf("learning rate %v: want a positive, finite float32", rate)
}
