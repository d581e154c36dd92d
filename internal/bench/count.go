package bench

import (
	"fmt"
	"strings"

	"gonum.org/v1/gonum/blas"

	"vaectl/nn"
)

// flops counts the operations of a layer's forward pass, or of either gradient,
// for one sample.
func flops(s nn.Stage) int {
	kernel := s.Layer.Params()[0].Len()
	switch s.Layer.(type) {
	case *nn.Conv2D:
		return 2 * kernel * s.Out.H * s.Out.W
	case *nn.Conv2DTranspose:
		return 2 * kernel * s.In.H * s.In.W
	}
	return 2 * kernel
}

// count sums the operations of one sample: encoded, decoded, and in a training
// step.
func count(stages []nn.Stage) (encode, decode, step int) {
	for i, s := range stages {
		if s.Layer == nil {
			continue
		}
		n := flops(s)
		if strings.HasPrefix(s.Name, "encoder.") {
			encode += n
		} else {
			decode += n
		}
		step += 3 * n
		if i == 0 { // no data gradient
			step -= n
		}
	}
	return encode, decode, step
}

// product is C [m, n] = op(A) [m, k] * op(B) [k, n].
type product struct {
	tA, tB  blas.Transpose
	m, n, k int
}

func (p product) String() string {
	a, b := "A", "B"
	if p.tA == blas.Trans {
		a = "Aᵀ"
	}
	if p.tB == blas.Trans {
		b = "Bᵀ"
	}
	return fmt.Sprintf("%s·%s %dx%dx%d", a, b, p.m, p.n, p.k)
}

// productsOf returns the matrix products of a layer in its im2col form: those of
// one sample for a convolution, those of the batch for a dense layer.
func productsOf(s nn.Stage, batch int) (forward, dataGrad, weightGrad product) {
	const no, yes = blas.NoTrans, blas.Trans
	kernel := s.Layer.Params()[0].Len()
	rows, cols := batch, s.Out.Len()
	switch s.Layer.(type) {
	case *nn.Conv2D:
		rows, cols = s.Out.H*s.Out.W, s.Out.C
	case *nn.Conv2DTranspose:
		rows, cols = s.In.H*s.In.W, s.In.C
	}
	window := kernel / cols
	forward = product{no, no, rows, cols, window}
	dataGrad = product{no, yes, rows, window, cols}
	weightGrad = product{yes, no, window, cols, rows}
	if _, ok := s.Layer.(*nn.Conv2DTranspose); ok {
		forward, dataGrad = dataGrad, forward
	}
	return forward, dataGrad, weightGrad
}
