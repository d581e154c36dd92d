package conv

import "vaectl/internal/gemm"

// A convolution to one channel would leave all but one lane of the product's
// registers idle. So the kernel's positions take the place of the channels: one
// product gives what every pixel contributes at each of them, and the output
// sums these; the weight gradient is read with the two images swapped.

// isNarrow reports whether the convolution is one that this pays for.
func (g Geometry) isNarrow() bool {
	return g.OutC == 1 && g.Stride == 1 && g.InC >= 8
}

// narrowBuf is a worker's memory for a narrow convolution.
type narrowBuf struct {
	kernel []float32 // [InC, KH*KW]
	terms  []float32 // [InH*InW, KH*KW]
	grad   []float32 // [KW, InC], of one kernel row
}

func newNarrowBuf(g Geometry) narrowBuf {
	positions := g.KH * g.KW
	return narrowBuf{
		kernel: make([]float32, g.InC*positions),
		terms:  make([]float32, g.InH*g.InW*positions),
		grad:   make([]float32, g.KW*g.InC),
	}
}

// forwardNarrow is forwardRows for one output channel.
func (f *Fused) forwardNarrow(worker, n, lo, hi int) {
	buf, positions := &f.narrow[worker], f.KH*f.KW
	f.kernels.Transpose(buf.kernel, positions, f.op.p.Kernel, f.InC, positions, f.InC)
	first, last := max(lo-f.PadTop, 0), min(hi-1-f.PadTop+f.KH, f.InH)
	for h := first; h < last; h++ {
		f.kernels.Block(&gemm.Block{
			M: f.InW, N: positions, Segs: 1, SegLen: f.InC,
			A: f.op.x.Data[f.op.x.at(n, h, 0):], ARow: f.InC, AK: 1,
			B: buf.kernel, BK: positions,
			C: buf.terms[h*f.InW*positions:], LDC: positions,
		})
	}
	for oh := lo; oh < hi; oh++ {
		out := f.op.result.Data[f.op.result.at(n, oh, 0):][:f.OutW]
		f.sumTerms(out, buf.terms, oh)
		if mask := f.op.rectify; mask.Data != nil {
			for ow, v := range mask.Data[mask.at(n, oh, 0):][:f.OutW] {
				if v <= 0 {
					out[ow] = 0
				}
			}
		}
	}
}

// sumTerms makes out row oh of the output, from the terms of the pixels around.
func (f *Fused) sumTerms(out, terms []float32, oh int) {
	positions := f.KH * f.KW
	clear(out)
	for kh := range f.KH {
		h := oh - f.PadTop + kh
		if h < 0 || h >= f.InH {
			continue
		}
		for kw := range f.KW {
			// Pixel w of the row meets output w+PadLeft-kw.
			w := max(kw-f.PadLeft, 0)
			first := w + f.PadLeft - kw
			to := out[first:min(f.InW+f.PadLeft-kw, f.OutW)]
			from := terms[(h*f.InW+w)*positions+kh*f.KW+kw:]
			for i := range to {
				to[i] += from[i*positions]
			}
		}
	}
	for i := range out {
		if f.op.bias != nil {
			out[i] += f.op.bias[0]
		}
		if f.op.relu && out[i] < 0 {
			out[i] = 0
		}
	}
}

// weightNarrow adds the gradient of kernel row kh for one output channel: at
// [kw, c] the sum of x[h, w, c] * dy[h-kh+PadTop, w-kw+PadLeft].
func (f *Fused) weightNarrow(worker, kh int) {
	grad := f.narrow[worker].grad
	b := gemm.Block{
		M: f.KW, N: f.InC, Segs: f.InH, SegLen: f.InW,
		ARow: 1, AK: 1, ASeg: f.op.wideY.row(),
		BK: f.InC, BSeg: f.op.x.row(),
		C: grad, LDC: f.InC,
	}
	for n := range f.op.n {
		// Row i of the product has kw = KW-1-i, so that strides are positive.
		b.A = f.op.wideY.Data[f.op.wideY.at(n, f.PadTop-kh, f.PadLeft-f.KW+1):]
		b.B = f.op.x.Data[f.op.x.at(n, 0, 0):]
		f.kernels.Block(&b)
		b.Accumulate = true
	}
	for i := range f.KW {
		dst := f.op.p.KernelGrad[(kh*f.KW+f.KW-1-i)*f.InC:][:f.InC]
		for c := range dst {
			dst[c] += grad[i*f.InC+c]
		}
	}
}
