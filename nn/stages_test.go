package nn

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"vaectl/internal/isa"
	"vaectl/internal/parallel"
)

// Run by themselves, the stages compute what a whole step does, to the bit.
func TestStagesAreTheStep(t *testing.T) {
	v, err := New(standardConfig())
	if err != nil {
		t.Fatal(err)
	}
	pool := parallel.New(2)
	defer pool.Close()
	const n = 3
	v.Bind(pool, isa.Best(), n+1, true)
	rng := rand.New(rand.NewPCG(31, 32))
	v.InitWeights(rng)
	x, eps := make([]float32, n*v.Pixels()), make([]float32, n*v.LatentDim)
	for i := range x {
		x[i] = rng.Float32()
	}
	for i := range eps {
		eps[i] = float32(rng.NormFloat64())
	}
	stages := v.Stages(x, eps)

	// What the stages write, in batches: they find NaN there, except in zeros,
	// which may be a border.
	var outs, grads []Batch
	for _, part := range v.parts() {
		outs = append(outs, part.outs...)
	}
	grads = append(grads, v.dz, v.dh)
	grads = append(grads, v.decoder.grads[:len(v.decoder.grads)-1]...)
	grads = append(grads, v.encoder.grads[:len(v.encoder.grads)-1]...)
	logits := v.decoder.grad(n)
	params := Batch{N: 1, Shape: Vector(len(v.grads)), Data: v.grads}
	check := func(what string, run func(Stage), batches ...Batch) {
		t.Helper()
		var want [][]float32
		for _, b := range batches {
			head := b.Head(min(n, b.N)).Data
			want = append(want, slices.Clone(head))
			for i, x := range head {
				if x != 0 {
					head[i] = float32(math.NaN())
				}
			}
		}
		clear(v.grads)
		for _, s := range stages {
			run(s)
		}
		for i, b := range batches {
			if !slices.Equal(b.Head(min(n, b.N)).Data, want[i]) {
				t.Errorf("%s: batch %d is not that of the step", what, i)
			}
		}
	}

	check("forward", func(s Stage) { s.Forward() }, append(outs, logits)...)
	v.Stages(x, eps)
	check("weight gradients", func(s Stage) {
		if s.Layer != nil {
			s.WeightGrad()
		}
	}, params)
	// The heads' gradients of their input are summed outside of the stages: take
	// z_mean's no further.
	slices.Reverse(stages)
	check("backward", func(s Stage) {
		switch {
		case s.Layer == nil:
		case s.Name == "encoder.z_mean":
			s.WeightGrad()
		default:
			s.Backward()
		}
	}, append(grads, params)...)
}
