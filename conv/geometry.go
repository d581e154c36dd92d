// Package conv is the convolution engine: geometry, im2col and col2im, and the
// convolution with its two gradients as matrix products through gonum's blas32.
//
// Images are NHWC: the value of channel c at row h and column w of sample n is
// x[((n*H+h)*W+w)*C+c]. Kernels are Keras's [KH, KW, InC, OutC], so that the
// kernel is, as it lies in memory, the matrix [KH*KW*InC, OutC] that the column
// matrix is multiplied with. What belongs here works on plain float32 slices and
// knows nothing of layers, parameters or files; package nn makes layers of it.
package conv

import "fmt"

// Padding says how a convolution treats the border of its input.
type Padding int

const (
	// Valid takes only windows that lie within the input.
	Valid Padding = iota
	// Same pads with zeros so that the output has ceil(in/stride) rows and
	// columns. As in TensorFlow the total is max((out-1)*stride+k-in, 0) and
	// the smaller half goes before, so padding can be asymmetric.
	Same
)

// Geometry holds the sizes of one convolution, all in pixels and channels.
type Geometry struct {
	InH, InW, InC    int
	OutH, OutW, OutC int
	KH, KW           int
	Stride           int
	// Zeros before the first row and column. What is needed after the last
	// ones follows from the other sizes.
	PadTop, PadLeft int
}

// NewGeometry computes the output size and the padding of a convolution of an
// inH x inW x inC image with outC kernels of kh x kw.
func NewGeometry(inH, inW, inC, outC, kh, kw, stride int, padding Padding) (Geometry, error) {
	g := Geometry{InH: inH, InW: inW, InC: inC, OutC: outC, KH: kh, KW: kw, Stride: stride}
	if min(inH, inW, inC, outC, kh, kw, stride) < 1 {
		return Geometry{}, fmt.Errorf("convolution of %dx%dx%d to %d channels, kernel %dx%d, stride %d: every size must be at least 1",
			inH, inW, inC, outC, kh, kw, stride)
	}
	switch padding {
	case Valid:
		if kh > inH || kw > inW {
			return Geometry{}, fmt.Errorf("kernel %dx%d does not fit a %dx%d input without padding", kh, kw, inH, inW)
		}
		g.OutH, g.OutW = (inH-kh)/stride+1, (inW-kw)/stride+1
	case Same:
		g.OutH, g.PadTop = same(inH, kh, stride)
		g.OutW, g.PadLeft = same(inW, kw, stride)
	default:
		return Geometry{}, fmt.Errorf("unknown padding %d", padding)
	}
	return g, nil
}

func same(in, k, stride int) (out, before int) {
	out = (in + stride - 1) / stride
	return out, max((out-1)*stride+k-in, 0) / 2
}

// In, Out and Kernel are the lengths of one input image, one output image and
// the kernel.
func (g Geometry) In() int     { return g.InH * g.InW * g.InC }
func (g Geometry) Out() int    { return g.OutH * g.OutW * g.OutC }
func (g Geometry) Kernel() int { return g.Window() * g.OutC }

// Window is the length of one row of the column matrix: KH*KW*InC.
func (g Geometry) Window() int { return g.KH * g.KW * g.InC }

// Pixels is the number of rows of the column matrix of one image: OutH*OutW.
func (g Geometry) Pixels() int { return g.OutH * g.OutW }
