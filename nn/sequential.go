package nn

import (
	"fmt"

	"vaectl/conv"
)

// sequential is a chain of named layers with the memory for their outputs and
// for the gradients of these.
type sequential struct {
	name   string // prefix of all parameter names
	layers []named
	outs   []Batch // outs[i] is the output of layers[i]
	grads  []Batch
}

type named struct {
	name string
	Layer
	out Shape
}

// init runs shape inference along the chain and gives the parameters their
// full names.
func (s *sequential) init(in Shape) (out Shape, err error) {
	for i := range s.layers {
		l := &s.layers[i]
		if l.out, err = l.Init(in); err != nil {
			return Shape{}, fmt.Errorf("%s.%s: %w", s.name, l.name, err)
		}
		for _, p := range l.Params() {
			p.Name = s.name + "." + l.name + "." + p.Name
		}
		in = l.out
	}
	return in, nil
}

func (s *sequential) params() (all []*Param) {
	for _, l := range s.layers {
		all = append(all, l.Params()...)
	}
	return all
}

func (s *sequential) bind(b *Binder) {
	s.outs = make([]Batch, len(s.layers))
	s.grads = make([]Batch, len(s.layers))
	for _, l := range s.layers {
		l.Bind(b)
	}
	for i, l := range s.layers {
		var around, aroundGrad conv.Border
		if i+1 < len(s.layers) {
			around, aroundGrad = borders(l, s.layers[i+1])
		}
		b.Batch(&s.outs[i], l.out, around)
		s.outs[i].Rectified = l.Rectified()
		if b.Training {
			b.Batch(&s.grads[i], l.out, aroundGrad)
		}
	}
}

// framed is a layer that can leave the borders of batches alone, and gains from
// one around its input and around its output's gradient.
type framed interface {
	borders() (in, outGrad conv.Border)
}

// borders returns those of the batch between two layers and of its gradient: what
// its reader wants, if its writer minds them. (A layer that only reads a batch
// without them would be wrong, so both must be framed.)
func borders(layer, next named) (around, aroundGrad conv.Border) {
	l, ok := layer.Layer.(framed)
	n, okNext := next.Layer.(framed)
	if !ok || !okNext {
		return conv.Border{}, conv.Border{}
	}
	around, _ = n.borders()
	_, aroundGrad = l.borders()
	return around, aroundGrad
}

// forward returns the output of the last layer, which is overwritten by the
// next call.
func (s *sequential) forward(x Batch) Batch {
	for i, l := range s.layers {
		y := s.outs[i].Head(x.N)
		l.Forward(y, x)
		x = y
	}
	return x
}

// grad is the gradient of the last layer's output before its activation, to be
// written before backward.
func (s *sequential) grad(n int) Batch { return s.grads[len(s.grads)-1].Head(n) }

// backward follows the gradient down the chain into dx, the gradient of the
// chain's input x, which may have nil Data.
func (s *sequential) backward(dx, x Batch) {
	for i := len(s.layers) - 1; i >= 0; i-- {
		in, din := x, dx
		if i > 0 {
			in, din = s.outs[i-1].Head(x.N), s.grads[i-1].Head(x.N)
		}
		s.layers[i].Backward(din, s.grads[i].Head(x.N), in)
	}
}
