package eval

import "vaectl/mnist"

// Binarize returns a copy of the images with every pixel above 0.5 made 1 and the
// others 0: the deterministic, fixed threshold. (Benchmarks named "statically
// binarized MNIST" drew each pixel at random once; their bounds are not comparable.)
func Binarize(s *mnist.Split) *mnist.Split {
	b := *s
	b.Pix = make([]byte, len(s.Pix))
	for i, p := range s.Pix {
		if p > 127 {
			b.Pix[i] = 255
		}
	}
	return &b
}
