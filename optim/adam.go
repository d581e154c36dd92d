package optim

import "math"

// adam follows running means of the gradient and of its square. In step t:
//
//	m = m + (1-beta1)*(g - m)
//	v = v + (1-beta2)*(g*g - v)
//	w = w - alpha*m / (sqrt(v) + epsilon)
//	alpha = rate * sqrt(1-beta2^t) / (1-beta1^t)
//
// with beta1 0.9, beta2 0.999 and epsilon 1e-7. Source: D. Kingma and J. Ba,
// Adam (arXiv:1412.6980), in the form that closes their section 2, which folds
// both bias corrections into alpha and adds epsilon to the uncorrected root.
// Keras takes this form; PyTorch takes the other one.
type adam struct {
	schedule
	mean, meanSquare []float32
}

func (o *adam) Slots() []Slot {
	return []Slot{{"mean", o.mean}, {"mean_square", o.meanSquare}}
}

func (o *adam) Update(w, g []float32, lo, hi int) {
	const beta1, beta2, epsilon = 0.9, 0.999, 1e-7
	if o.step == 0 {
		panic("optim: Update before the first Advance")
	}
	// From the step count each time, not by running products, so that a
	// restored count is all that a resumed run needs.
	t := float64(o.step)
	alpha := o.rate * math.Sqrt(1-math.Pow(beta2, t)) / (1 - math.Pow(beta1, t))
	o.kernels.Adam(w[lo:hi], g[lo:hi], o.mean[lo:hi], o.meanSquare[lo:hi],
		float32(alpha), 1-beta1, 1-beta2, epsilon)
}
