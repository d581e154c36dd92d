package nn

// Stage is one part of a training step, to be run by itself any number of times:
// a bench times it. It works on the memory of its model, so that gradients add
// up from call to call and are of no use; weights stay as they are.
type Stage struct {
	Name    string // of the layer, as in its parameters' names, or "loss"
	Layer   Layer  // nil for the loss
	In, Out Shape  // of one sample

	// Forward computes the output; that of the loss computes the logits'
	// gradient with it.
	Forward func()
	// Backward computes the gradients of the parameters and of the input, and
	// WeightGrad those of the parameters alone. They are the same where the
	// input is the image, and nil for the loss.
	Backward, WeightGrad func()
}

// Stages runs Gradients on x and eps and returns its parts in order, for the
// operands that it left. They hold until the next call of the model. It needs
// Bind with training.
func (v *VAE) Stages(x, eps []float32) []Stage {
	v.Gradients(x, eps)
	images := v.images(x)
	n := images.N
	h := v.encoder.outs[len(v.encoder.outs)-1].Head(n)

	var stages []Stage
	chain := func(part *sequential, dx, x Batch) {
		for i, l := range part.layers {
			y, dy := part.outs[i].Head(n), part.grads[i].Head(n)
			stages = append(stages, stage(part.name+"."+l.name, l.Layer, y, dy, x, dx))
			x, dx = y, dy
		}
	}
	chain(&v.encoder, Batch{N: n, Shape: images.Shape}, images)
	chain(&v.mean, v.encoder.grad(n), h)
	chain(&v.logVar, v.dh.Head(n), h)
	chain(&v.decoder, v.dz.Head(n), v.z.Head(n))
	return append(stages, Stage{
		Name: "loss", In: images.Shape, Out: Vector(1),
		Forward: func() { v.pool.Run(n, v.lossS) },
	})
}

func stage(name string, l Layer, y, dy, x, dx Batch) Stage {
	unwanted := Batch{N: dx.N, Shape: dx.Shape}
	return Stage{
		Name: name, Layer: l, In: x.Shape, Out: y.Shape,
		Forward:    func() { l.Forward(y, x) },
		Backward:   func() { l.Backward(dx, dy, x) },
		WeightGrad: func() { l.Backward(unwanted, dy, x) },
	}
}
