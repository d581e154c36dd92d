package optim

// rmsprop divides each gradient by a running root mean square of itself:
//
//	s = rho*s + (1-rho)*g*g
//	w = w - rate*g / (sqrt(s) + epsilon)
//
// with rho 0.9 and epsilon 1e-7. Source: G. Hinton, Neural Networks for Machine
// Learning, lecture 6e (2012), in the form of Keras up to 2.10 without momentum,
// which adds epsilon after the root. Keras 2.11 and later add it to s, before
// the root, which damps weights whose gradients are below 3e-4; we do not.
type rmsprop struct {
	schedule
	meanSquare []float32
}

func (o *rmsprop) Slots() []Slot { return []Slot{{"mean_square", o.meanSquare}} }

func (o *rmsprop) Update(w, g []float32, lo, hi int) {
	const rho, epsilon = 0.9, 1e-7
	o.kernels.RMSprop(w[lo:hi], g[lo:hi], o.meanSquare[lo:hi], float32(o.rate), rho, 1-rho, epsilon)
}
