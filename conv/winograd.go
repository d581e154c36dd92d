package conv

import (
	"vaectl/internal/gemm"
	"vaectl/internal/vec"
)

// Winograd's F(2x2, 3x3) makes a tile of 2x2 pixels from 16 products a channel
// where the direct sum has 36; package vec has the formulas. The images are cut
// into tiles, these transformed into 16 planes, in each of which one product sums
// over the channels, and the planes of the products are transformed back. The
// gradient of the kernel takes the same way through the 16 planes.

// planes is the number of products of a tile.
const planes = 4 * 4

// minTiles is the least number of tiles that are worth a product: the planes of
// so many should stay in a core's cache.
const minTiles = 28

// gradTiles is the same for the weight gradient, which sums over the tiles: the
// longer the sum, the fewer times it is loaded and stored.
const gradTiles = 98

// inputRow returns the rows of pixels p, q and the sign of p + sign*q that make row
// i of a tile's planes.
func inputRow(i int) (p, q int, sign float32) {
	rows := [4][2]int{{0, 2}, {1, 2}, {2, 1}, {3, 1}}
	signs := [4]float32{-1, 1, -1, -1}
	return rows[i][0], rows[i][1], signs[i]
}

// gradRow is inputRow for the gradient of the output.
func gradRow(i int) (p, q int, sign float32) {
	rows := [4][2]int{{0, 0}, {0, 1}, {0, 1}, {1, 1}}
	signs := [4]float32{0, 1, -1, 0}
	return rows[i][0], rows[i][1], signs[i]
}

// winograd is what a Fused needs for it.
type winograd struct {
	kernels vec.Kernels
	u       []float32   // [planes, InC, OutC], the kernel transformed, or [planes, OutC, InC]
	du      []float32   // [planes, InC, OutC], the gradient of that
	buf     [][]float32 // one a worker: planes of tiles, and of products
}

// winogradFits reports whether Winograd's convolution can be used for g.
func winogradFits(g Geometry) bool {
	return g.KH == 3 && g.KW == 3 && g.Stride == 1 && g.PadTop == 1 && g.PadLeft == 1 &&
		g.OutH == g.InH && g.OutW == g.InW && g.InH%2 == 0 && g.InW%2 == 0 &&
		g.InC%vec.WinogradChannels == 0 && g.OutC%vec.WinogradChannels == 0
}

func newWinograd(g Geometry, kernels vec.Kernels, workers int) *winograd {
	w := &winograd{kernels: kernels, buf: make([][]float32, workers)}
	w.u, w.du = make([]float32, planes*g.InC*g.OutC), make([]float32, planes*g.InC*g.OutC)
	for i := range w.buf {
		w.buf[i] = make([]float32, winogradBuf(g))
	}
	return w
}

// winogradBuf is the size of a worker's planes.
func winogradBuf(g Geometry) int {
	forward := planes * stripRows(g, minTiles)
	backward := 4 * stripRows(g, gradTiles)
	return max(forward, backward) * g.OutW / 2 * (g.InC + g.OutC)
}

// stripRows is the number of rows of tiles that have at least so many tiles.
func stripRows(g Geometry, tiles int) int {
	return (tiles + g.OutW/2 - 1) / (g.OutW / 2)
}

// packWinograd transforms rows of the kernel, one for each input channel, and
// transposes and turns them round for the data gradient: turned round, a kernel's
// planes are the same but for the first and the last row and column, which have
// changed places.
func (f *Fused) packWinograd(task int) {
	w := f.winograd
	lo, hi := task*f.InC/packTasks, (task+1)*f.InC/packTasks
	if lo == hi {
		return
	}
	size, at, n := f.InC*f.OutC, lo*f.OutC, (hi-lo)*f.OutC
	if !f.op.transposed {
		w.kernels.WinogradKernel(w.u[at:], size, f.op.p.Kernel[at:], size, n)
		return
	}
	// The gradient's memory is not in use yet.
	w.kernels.WinogradKernel(w.du[at:], size, f.op.p.Kernel[at:], size, n)
	turned := [4]int{3, 1, 2, 0}
	for i := range 4 {
		for j := range 4 {
			to, from := 4*i+j, 4*turned[i]+turned[j]
			f.kernels.Transpose(w.u[to*size+lo:], f.InC, w.du[from*size+at:], f.OutC, hi-lo, f.OutC)
		}
	}
}

// packTasks is the number of tasks that transform the kernel.
const packTasks = 8

// winogradRows computes rows lo to hi of the n-th result. A row of tiles belongs
// to the range that has its second row of pixels.
func (f *Fused) winogradRows(worker, n, lo, hi int) {
	w, op := f.winograd, &f.op
	in, out := op.wideX, op.result
	if op.transposed {
		in = op.wideY
	}
	strip := stripRows(f.Geometry, minTiles)
	for lo, hi := lo/2, hi/2; lo < hi; lo += strip {
		rows := min(strip, hi-lo)
		tiles := rows * out.W / 2
		v := w.buf[worker][:planes*tiles*in.C]
		m := w.buf[worker][len(v):][:planes*tiles*out.C]
		t := vec.WinogradTiles{Plane: tiles * in.C, Pixel: in.C, Tiles: out.W / 2, Channels: in.C}
		for i := range 4 {
			p, q, sign := inputRow(i)
			t.Sign = sign
			for row := range rows {
				t.P = in.Data[in.at(n, 2*(lo+row)-1+p, -1):]
				t.Q = in.Data[in.at(n, 2*(lo+row)-1+q, -1):]
				t.Dst = v[4*i*t.Plane+row*t.Tiles*in.C:]
				w.kernels.WinogradInput(&t)
			}
		}
		for p := range planes {
			f.kernels.Block(&gemm.Block{
				M: tiles, N: out.C, Segs: 1, SegLen: in.C,
				A: v[p*tiles*in.C:], ARow: in.C, AK: 1,
				B: w.u[p*in.C*out.C:], BK: out.C,
				C: m[p*tiles*out.C:], LDC: out.C,
			})
		}
		o := vec.WinogradOutput{
			Plane: tiles * out.C, Row: out.row(), Pixel: out.C,
			Bias: op.bias, ReLU: op.relu, MaskRow: op.rectify.row(),
			Tiles: out.W / 2, Channels: out.C,
		}
		for row := range rows {
			o.M = m[row*o.Tiles*out.C:]
			o.Y = out.Data[out.at(n, 2*(lo+row), 0):]
			if op.rectify.Data != nil {
				o.Mask = op.rectify.Data[op.rectify.at(n, 2*(lo+row), 0):]
			}
			w.kernels.WinogradOutput(&o)
		}
	}
}

// weightWinograd computes a part of the transformed kernel's gradient, over all
// images: row i of its planes, for a panel of y's channels from column on and a
// chunk of x's from c on. In each plane it is the product of the tiles of x with
// those of y.
func (f *Fused) weightWinograd(worker, i, column, c int) {
	w, op := f.winograd, &f.op
	x, y := op.wideX, op.y
	chunk, panel := min(op.cut.chunk, f.InC-c), min(op.cut.width, f.OutC-column)
	width := f.OutW / 2
	most := stripRows(f.Geometry, gradTiles) * width
	buf := w.buf[worker]
	xp, xq, xSign := inputRow(i)
	yp, yq, ySign := gradRow(i)
	v := vec.WinogradTiles{Plane: most * chunk, Pixel: x.C, Tiles: width, Channels: chunk, Sign: xSign}
	e := vec.WinogradTiles{Plane: most * panel, Pixel: y.C, Tiles: width, Channels: panel, Sign: ySign}
	tiles, started := 0, false
	sum := func() {
		for j := range 4 {
			f.kernels.Block(&gemm.Block{
				M: chunk, N: panel, Segs: 1, SegLen: tiles,
				A: buf[j*v.Plane:], ARow: 1, AK: chunk,
				B: buf[4*v.Plane+j*e.Plane:], BK: panel,
				C: w.du[((4*i+j)*f.InC+c)*f.OutC+column:], LDC: f.OutC, Accumulate: started,
			})
		}
		tiles, started = 0, true
	}
	for n := range op.n {
		for row := 0; row < f.OutH; row += 2 {
			if tiles+width > most {
				sum()
			}
			v.Dst, e.Dst = buf[tiles*chunk:], buf[4*v.Plane+tiles*panel:]
			v.P = x.Data[x.at(n, row-1+xp, -1)+c:]
			v.Q = x.Data[x.at(n, row-1+xq, -1)+c:]
			e.P = y.Data[y.at(n, row+yp, 0)+column:]
			e.Q = y.Data[y.at(n, row+yq, 0)+column:]
			w.kernels.WinogradInput(&v)
			w.kernels.WinogradGrad(&e)
			tiles += width
		}
	}
	sum()
}

// cutWinograd divides the weight gradient into tasks of one row of planes, one of
// several cells, which are ranges of x's channels, and, if these are not enough,
// one of several panels of y's channels, so that several tasks transform the same
// tiles.
func (f *Fused) cutWinograd(workers int) (cut weightCut) {
	cut.cells, cut.chunk = divide(f.InC, (2*workers+3)/4)
	cut.panels, cut.width = divide(f.OutC, (2*workers+4*cut.cells-1)/(4*cut.cells))
	cut.rows = 4
	return cut
}

// divide cuts channels into about so many equal parts that can be transformed.
func divide(channels, want int) (parts, size int) {
	const unit = vec.WinogradChannels
	blocks := channels / unit
	size = (blocks + want - 1) / want * unit
	return (channels + size - 1) / size, size
}

// addWinogradGrad adds what came of the transformed kernel's gradient.
func (f *Fused) addWinogradGrad() {
	size := f.InC * f.OutC
	f.winograd.kernels.WinogradKernelGrad(f.op.p.KernelGrad, size, f.winograd.du, size, size)
}
