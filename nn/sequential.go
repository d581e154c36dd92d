package nn

import (
	"fmt"
	"slices"

	"vaectl/conv"
)

// sequential is a chain of named layers with the memory for their outputs and
// for the gradients of these.
type sequential struct {
	name   string // prefix of all parameter names
	layers []named
	outs   []Batch // outs[i] is the output of layers[i]
	grads  []Batch
	runs   []run
}

type named struct {
	name string
	Layer
	out Shape
}

// chained is a layer on convolution's fast path: its operations can be begun and
// left to a chain, and its batches may have borders, which it leaves alone.
type chained interface {
	// arithmetic is nil where the layer is not on the fast path.
	arithmetic() *conv.Fused
	// borders are wanted around the input and around the output's gradient.
	borders() (in, outGrad conv.Border)
	beginForward(y, x Batch)
	beginBackward(dx, dy, x Batch)
}

// run is a stretch of layers lo to hi that an image passes on one worker, or a
// single layer, which has no chain.
type run struct {
	lo, hi            int
	forward, backward *conv.Chain
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

// chainable returns layer i as one, or nil if it is not on the fast path.
func (s *sequential) chainable(i int) chained {
	if i < len(s.layers) {
		if c, ok := s.layers[i].Layer.(chained); ok && c.arithmetic() != nil {
			return c
		}
	}
	return nil
}

func (s *sequential) bind(b *Binder) {
	s.outs = make([]Batch, len(s.layers))
	s.grads = make([]Batch, len(s.layers))
	for _, l := range s.layers {
		l.Bind(b)
	}
	for i, l := range s.layers {
		// What lies between two layers of the fast path has the borders that
		// its reader wants.
		var around, aroundGrad conv.Border
		if writer, reader := s.chainable(i), s.chainable(i+1); writer != nil && reader != nil {
			around, _ = reader.borders()
			_, aroundGrad = writer.borders()
		}
		b.Batch(&s.outs[i], l.out, around)
		s.outs[i].Rectified = l.Rectified()
		if b.Training {
			b.Batch(&s.grads[i], l.out, aroundGrad)
		}
	}
	s.runs = nil
	for i := 0; i < len(s.layers); {
		r := run{lo: i, hi: i + 1}
		var ops []*conv.Fused
		for c := s.chainable(i); c != nil; c = s.chainable(i + len(ops)) {
			ops = append(ops, c.arithmetic())
		}
		if len(ops) > 0 {
			r.hi = i + len(ops)
			r.forward = conv.NewChain(ops...)
			ops = slices.Clone(ops)
			slices.Reverse(ops)
			r.backward = conv.NewChain(ops...)
		}
		s.runs = append(s.runs, r)
		i = r.hi
	}
}

// in is the input of layer i in a pass over x, and gradOf its output's gradient.
func (s *sequential) in(i int, x Batch) Batch {
	if i == 0 {
		return x
	}
	return s.outs[i-1].Head(x.N)
}

func (s *sequential) gradOf(i, n int) Batch { return s.grads[i].Head(n) }

// grad is the gradient of the last layer's output before its activation, to be
// written before backward.
func (s *sequential) grad(n int) Batch { return s.gradOf(len(s.grads)-1, n) }

// forward returns the output of the last layer, which is overwritten by the
// next call.
func (s *sequential) forward(x Batch) Batch {
	for _, r := range s.runs {
		if r.forward == nil {
			s.layers[r.lo].Forward(s.outs[r.lo].Head(x.N), s.in(r.lo, x))
			continue
		}
		for i := r.lo; i < r.hi; i++ {
			s.chainable(i).beginForward(s.outs[i].Head(x.N), s.in(i, x))
		}
		r.forward.Run()
	}
	return s.outs[len(s.outs)-1].Head(x.N)
}

// backward follows the gradient down the chain into dx, the gradient of the
// chain's input x, which may have nil Data.
func (s *sequential) backward(dx, x Batch) {
	into := func(i int) Batch {
		if i == 0 {
			return dx
		}
		return s.gradOf(i-1, x.N)
	}
	for _, r := range slices.Backward(s.runs) {
		if r.backward == nil {
			s.layers[r.lo].Backward(into(r.lo), s.gradOf(r.lo, x.N), s.in(r.lo, x))
			continue
		}
		for i := r.hi - 1; i >= r.lo; i-- {
			s.chainable(i).beginBackward(into(i), s.gradOf(i, x.N), s.in(i, x))
		}
		r.backward.Run()
	}
}
