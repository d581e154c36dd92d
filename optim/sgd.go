package optim

// sgd is gradient descent with classical momentum:
//
//	v = momentum*v - rate*g
//	w = w + v
//
// with momentum 0.9. Source: Keras, optimizers.SGD(momentum=0.9). The rate is
// inside v, so a changed rate reaches the weights gradually; PyTorch, which
// multiplies v by the rate outside, differs there.
type sgd struct {
	schedule
	velocity []float32
}

func (o *sgd) Slots() []Slot { return []Slot{{"velocity", o.velocity}} }

func (o *sgd) Update(w, g []float32, lo, hi int) {
	const momentum = 0.9
	o.kernels.SGD(w[lo:hi], g[lo:hi], o.velocity[lo:hi], float32(o.rate), momentum)
}
