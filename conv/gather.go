package conv

import "vaectl/internal/gemm"

// axis is one direction of a convolution read backwards. Position o of the
// input meets the kernel positions k with k = (o+pad) mod stride, each at one
// position of the output; the greater k, the smaller that position.
type axis struct{ k, stride, pad int }

// taps is the number of kernel positions in a phase, the remainder that an
// input position leaves.
func (a axis) taps(phase int) int {
	return max((a.k-phase+a.stride-1)/a.stride, 0)
}

// at returns the phase of input position o and the first output position that
// its taps meet; the others follow it.
func (a axis) at(o int) (phase, first int) {
	phase = (o + a.pad) % a.stride
	return phase, (o+a.pad)/a.stride - a.taps(phase) + 1
}

// border is how far the taps of in input positions reach beyond out output
// positions on either side.
func (a axis) border(in, out int) (before, after int) {
	for o := range in {
		phase, first := a.at(o)
		before = max(before, -first)
		after = max(after, first+a.taps(phase)-out)
	}
	return before, after
}

// gather is the data gradient of a convolution as a sum over what each input
// pixel meets, rather than a scatter: a convolution of the padded output with
// the kernel turned round and transposed, one for each phase of the stride.
type gather struct {
	Geometry
	rows, cols axis
	kernels    []float32 // for each phase [tapsH, tapsW, OutC, InC], see phase
	offset     []int     // of the phases, row-major
}

func newGather(g Geometry) gather {
	t := gather{
		Geometry: g,
		rows:     axis{g.KH, g.Stride, g.PadTop},
		cols:     axis{g.KW, g.Stride, g.PadLeft},
		kernels:  make([]float32, g.Kernel()),
	}
	size := 0
	for r := range g.Stride {
		for c := range g.Stride {
			t.offset = append(t.offset, size)
			size += t.rows.taps(r) * t.cols.taps(c) * g.OutC * g.InC
		}
	}
	return t
}

// phase returns the kernel [tapsH, tapsW, OutC, InC] of a phase.
func (t *gather) phase(row, col int) []float32 {
	size := t.rows.taps(row) * t.cols.taps(col) * t.OutC * t.InC
	return t.kernels[t.offset[row*t.Stride+col]:][:size]
}

// pack transposes kernel position pos, kh*KW+kw, of w [KH, KW, InC, OutC] into
// its phase.
func (t *gather) pack(kernels gemm.Kernels, w []float32, pos int) {
	kh, kw := pos/t.KW, pos%t.KW
	row, col := kh%t.Stride, kw%t.Stride
	i, j := t.rows.taps(row)-1-kh/t.Stride, t.cols.taps(col)-1-kw/t.Stride
	block := t.InC * t.OutC
	kernels.Transpose(t.phase(row, col)[(i*t.cols.taps(col)+j)*block:][:block], t.InC,
		w[pos*block:][:block], t.OutC, t.InC, t.OutC)
}
