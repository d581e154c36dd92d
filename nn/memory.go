package nn

import (
	"vaectl/conv"
	"vaectl/internal/isa"
)

// Memory is about how many bytes Bind, with a pool of so many workers, and the
// calls after it take: one can decline before asking for more than there is.
func (v *VAE) Memory(workers int, tier isa.Tier, batch int, training bool) int64 {
	var weights, fixed, image, worker int // in values; of each image, of each worker
	for _, p := range v.params {
		weights += p.Len()
	}
	in := Shape{v.Height, v.Width, 1}
	for _, part := range v.parts() {
		for i, l := range part.layers {
			image += bordered(l.out)
			switch l := l.Layer.(type) {
			case convolving:
				perWorker, once := l.scratch(tier, v.Convolution, training)
				worker += perWorker
				fixed += once
				if i == 0 || !isConvolving(part.layers[i-1]) {
					image += bordered(in) // the copy that gets a border
				}
			case *Dense:
				image += l.depths() * l.units
			}
			in = l.out
		}
	}
	if training {
		weights, image = 2*weights, 2*image // and their gradients
	}
	return 4 * (int64(weights) + int64(fixed) + int64(batch)*int64(image) + int64(workers)*int64(worker))
}

// convolving is a layer that needs scratch memory: so many values for each
// worker, and so many once.
type convolving interface {
	scratch(tier isa.Tier, convolution Convolution, training bool) (worker, once int)
}

func isConvolving(l named) bool {
	_, ok := l.Layer.(convolving)
	return ok
}

func (l *convolution) scratch(tier isa.Tier, convolution Convolution, training bool) (worker, once int) {
	if tier == isa.Generic {
		return conv.Scratch(l.geometry, training)
	}
	return conv.FusedScratch(l.geometry, convolution == Direct)
}

// bordered is the size of a sample in a border of a pixel.
func bordered(s Shape) int {
	if s == Vector(s.C) {
		return s.C
	}
	return (s.H + 2) * (s.W + 2) * s.C
}
