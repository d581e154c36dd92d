package train

import (
	"errors"
	"fmt"

	"vaectl/internal/isa"
	"vaectl/internal/modelfile"
	"vaectl/mnist"
	"vaectl/nn"
	"vaectl/optim"
)

// ErrOtherData says that a training cannot be resumed on the data at hand.
var ErrOtherData = errors.New("these are not the data that the training began with")

// Layout lists the tensors of a model of the given settings.
func Layout(c modelfile.Config) ([]modelfile.Spec, error) {
	model, err := nn.New(ModelConfig(c))
	if err != nil {
		return nil, err
	}
	var specs []modelfile.Spec
	for _, p := range model.Params() {
		specs = append(specs, modelfile.Spec{Name: p.Name, Shape: p.Shape})
	}
	return specs, nil
}

// StateLayout lists the same, and the names of the optimizer's slots.
func StateLayout(c modelfile.Config) (model []modelfile.Spec, slots []string, err error) {
	if model, err = Layout(c); err != nil {
		return nil, nil, err
	}
	opt, err := optim.New(c.Optimizer, c.LearningRate, 0, isa.Generic)
	if err != nil {
		return nil, nil, err
	}
	for _, slot := range opt.Slots() {
		slots = append(slots, slot.Name)
	}
	return model, slots, nil
}

// State is the training as it stands after the latest step, sharing memory with
// the run, and without a Source. A run that Epoch has ended with an error other than its context's or
// report's has none.
func (r *Run) State() *modelfile.State {
	s := &modelfile.State{
		Config: r.config, History: r.history, Data: r.data,
		Position: modelfile.Position{
			Step: r.done.steps, Loss: r.done.sum.Loss, Reconstruction: r.done.sum.Reconstruction, KL: r.done.sum.KL,
			Shuffle: modelfile.Stream{PCG: r.shuffled}, Noise: modelfile.Stream{PCG: r.noise},
		},
		Weights: r.tensors(r.model.Weights()),
	}
	for _, slot := range r.opt.Slots() {
		s.Slots = append(s.Slots, modelfile.Slot{Name: slot.Name, Tensors: r.tensors(slot.Data)})
	}
	if r.best != nil && len(r.history) > 0 {
		s.Best = r.tensors(r.best)
	}
	return s
}

// Resume prepares a run that goes on from s, which must hold the tensors of
// StateLayout. The number of epochs in its settings may be another than it was.
func Resume(s *modelfile.State, d *mnist.Dataset, tier isa.Tier, workers int) (*Run, error) {
	if d.Train.Rows != s.Config.Height || d.Train.Cols != s.Config.Width {
		return nil, fmt.Errorf("%w: images of %dx%d, not %dx%d", ErrOtherData, d.Train.Rows, d.Train.Cols, s.Config.Height, s.Config.Width)
	}
	r, err := New(s.Config, d, tier, workers)
	if err != nil {
		return nil, err
	}
	if err := r.restore(s); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Run) restore(s *modelfile.State) error {
	if r.data != s.Data {
		return fmt.Errorf("%w: %s, not %s", ErrOtherData, describe(r.data), describe(s.Data))
	}
	r.put(r.model.Weights(), s.Weights)
	for i, slot := range r.opt.Slots() {
		r.put(slot.Data, s.Slots[i].Tensors)
	}
	if s.Best != nil {
		r.put(r.best, s.Best)
	}
	if err := r.opt.SetStep(len(s.History)*s.Steps() + s.Position.Step); err != nil {
		return err
	}
	if err := r.begin(s.History, s.Position.Shuffle.PCG); err != nil {
		return err
	}
	p := s.Position
	r.noise = p.Noise.PCG
	r.done = pass{p.Step, nn.Losses{Loss: p.Loss, Reconstruction: p.Reconstruction, KL: p.KL}}
	return nil
}

func describe(d modelfile.Data) string {
	return fmt.Sprintf("%s of %d and %d images with SHA-256 %s", d.Name, d.Train, d.Val, d.SHA256)
}

// tensors are the model's tensors with their values from all, and put is the
// inverse.
func (r *Run) tensors(all []float32) []modelfile.Tensor {
	var tensors []modelfile.Tensor
	for _, p := range r.model.Params() {
		tensors = append(tensors, modelfile.Tensor{Name: p.Name, Shape: p.Shape, Data: p.In(all)})
	}
	return tensors
}

func (r *Run) put(all []float32, tensors []modelfile.Tensor) {
	for i, p := range r.model.Params() {
		copy(p.In(all), tensors[i].Data)
	}
}
