package vec

import (
	"math"

	"vaectl/internal/isa"
)

// Winograd's F(2x2, 3x3) (Lavin and Gray, "Fast Algorithms for Convolutional
// Neural Networks", 2015) makes 2x2 pixels of a 3x3 convolution from 4x4 pixels
// with 16 products instead of 36:
//
//	Y = A' [(G g G') * (B' d B)] A
//
//	     1  0 -1  0        1   0   0
//	B' = 0  1  1  0   G = 1/2 1/2 1/2   A' = 1 1  1 0
//	     0 -1  1  0       1/2 -1/2 1/2       0 1 -1 1
//	     0 -1  0  1        0   0   1
//
// B and A are the paper's but for the sign of their last row, which cancels and
// spares a negation. Its 16 products, at row i and column j, are called planes
// 4i+j here: in each, one matrix product sums over the channels.
//
// The methods below give the same bits on every tier. They panic where a slice is
// too short, and where the number of channels is not a multiple of
// WinogradChannels.

// WinogradChannels divides the number of channels that the transforms take.
const WinogradChannels = 16

// WinogradTiles is a row of tiles, 4x4 or 2x2 pixels each, every other pixel one,
// of which a transform makes one row of planes. It is p + Sign*q that is
// transformed along the row, P and Q being two of the tiles' rows of pixels: the
// caller has the transform of the columns in hand.
type WinogradTiles struct {
	// Dst are four planes [Tiles, Channels], so far apart.
	Dst   []float32
	Plane int
	// P and Q are rows of pixels, so far apart.
	P, Q  []float32
	Pixel int
	Sign  float32

	Tiles, Channels int
}

// WinogradInput transforms input: row i of B' d B is made with P, Q and Sign
// rows 0, 2, -1; 1, 2, 1; 2, 1, -1; and 3, 1, -1 of the pixels.
func (k Kernels) WinogradInput(t *WinogradTiles) {
	t.check(4)
	if k.tier == isa.Generic {
		winogradInputGeneric(t)
		return
	}
	winogradInputVector(k.tier, t)
}

// WinogradGrad transforms the gradient e of output: row i of A e A' is made with
// P, Q and Sign rows 0, 0, 0; 0, 1, 1; 0, 1, -1; and 1, 1, 0 of the pixels.
func (k Kernels) WinogradGrad(t *WinogradTiles) {
	t.check(2)
	if k.tier == isa.Generic {
		winogradGradGeneric(t)
		return
	}
	winogradGradVector(k.tier, t)
}

func (t *WinogradTiles) check(width int) {
	pixels := rowLen(t.Tiles, width, t.Pixel, t.Channels)
	if t.Tiles < 1 || badChannels(t.Channels) || t.Pixel < t.Channels || t.Plane < t.Tiles*t.Channels ||
		len(t.Dst) < 3*t.Plane+t.Tiles*t.Channels || len(t.P) < pixels || len(t.Q) < pixels {
		panic("vec: bad tiles")
	}
}

// rowLen is the length of a row of pixels in which tiles of some width stand at
// every other pixel.
func rowLen(tiles, width, pixel, channels int) int {
	return (2*tiles+width-3)*pixel + channels
}

func badChannels(n int) bool { return n < 1 || n%WinogradChannels != 0 }

// WinogradOutput is a row of tiles to be transformed back into pixels: Y = A' M A,
// to which Bias is added and the ReLU applied if there is a bias, and which is
// zeroed where Mask is not positive if there is a mask.
type WinogradOutput struct {
	// M are 16 planes [Tiles, Channels], so far apart.
	M     []float32
	Plane int
	// Y are two rows of pixels, so far apart.
	Y          []float32
	Row, Pixel int

	Bias    []float32 // or nil
	ReLU    bool      // keeps a NaN and the sign of a zero
	Mask    []float32 // like Y, or nil
	MaskRow int

	Tiles, Channels int
}

// WinogradOutput transforms o.
func (k Kernels) WinogradOutput(o *WinogradOutput) {
	pixels := rowLen(o.Tiles, 2, o.Pixel, o.Channels)
	if o.Tiles < 1 || badChannels(o.Channels) || o.Pixel < o.Channels || o.Plane < o.Tiles*o.Channels ||
		len(o.M) < 15*o.Plane+o.Tiles*o.Channels || o.Row < pixels || len(o.Y) < o.Row+pixels ||
		o.Bias != nil && len(o.Bias) < o.Channels ||
		o.Mask != nil && (o.MaskRow < pixels || len(o.Mask) < o.MaskRow+pixels) {
		panic("vec: bad tiles")
	}
	floor := float32(math.Inf(-1))
	if o.ReLU {
		floor = 0
	}
	if k.tier == isa.Generic {
		winogradOutputGeneric(o, floor)
		return
	}
	winogradOutputVector(k.tier, o, floor)
}

// WinogradKernel makes u = G g G' for n kernels: kernel position a, b of them
// begins at g[(3a+b)*gPlane], plane f at u[f*uPlane].
func (k Kernels) WinogradKernel(u []float32, uPlane int, g []float32, gPlane, n int) {
	checkPlanes(u, uPlane, g, gPlane, n)
	if k.tier == isa.Generic {
		winogradKernelGeneric(u, uPlane, g, gPlane, n)
		return
	}
	winogradKernelVector(k.tier, u, uPlane, g, gPlane, n)
}

// WinogradKernelGrad adds G' du G, the gradient of g, to dg, which are laid out as
// in WinogradKernel.
func (k Kernels) WinogradKernelGrad(dg []float32, gPlane int, du []float32, uPlane, n int) {
	checkPlanes(du, uPlane, dg, gPlane, n)
	if k.tier == isa.Generic {
		winogradKernelGradGeneric(dg, gPlane, du, uPlane, n)
		return
	}
	winogradKernelGradVector(k.tier, dg, gPlane, du, uPlane, n)
}

func checkPlanes(u []float32, uPlane int, g []float32, gPlane, n int) {
	if badChannels(n) || uPlane < n || gPlane < n || len(u) < 15*uPlane+n || len(g) < 8*gPlane+n {
		panic("vec: bad planes")
	}
}

func winogradInputGeneric(t *WinogradTiles) {
	for i := range t.Tiles {
		for c := range t.Channels {
			t0, t1, t2, t3 := t.at(i, 0, c), t.at(i, 1, c), t.at(i, 2, c), t.at(i, 3, c)
			t.put(i, c, t0-t2, t2+t1, t2-t1, t3-t1)
		}
	}
}

func winogradGradGeneric(t *WinogradTiles) {
	for i := range t.Tiles {
		for c := range t.Channels {
			t0, t1 := t.at(i, 0, c), t.at(i, 1, c)
			t.put(i, c, t0, t0+t1, t0-t1, t1)
		}
	}
}

// at is channel c of pixel j of tile i, with both rows taken together.
func (t *WinogradTiles) at(i, j, c int) float32 {
	at := (2*i+j)*t.Pixel + c
	return t.P[at] + float32(t.Sign*t.Q[at])
}

func (t *WinogradTiles) put(i, c int, planes ...float32) {
	for f, v := range planes {
		t.Dst[f*t.Plane+i*t.Channels+c] = v
	}
}

func winogradOutputGeneric(o *WinogradOutput, floor float32) {
	for i := range o.Tiles {
		for c := range o.Channels {
			var u [2][4]float32
			for j := range 4 {
				m := func(row int) float32 { return o.M[(4*row+j)*o.Plane+i*o.Channels+c] }
				u[0][j] = m(0) + m(1) + m(2)
				u[1][j] = m(1) - m(2) + m(3)
			}
			for r, u := range u {
				for s, v := range []float32{u[0] + u[1] + u[2], u[1] - u[2] + u[3]} {
					at := (2*i+s)*o.Pixel + c
					if o.Bias != nil {
						v += o.Bias[c]
						if v < floor {
							v = floor
						}
					}
					if o.Mask != nil && o.Mask[r*o.MaskRow+at] <= 0 {
						v = 0
					}
					o.Y[r*o.Row+at] = v
				}
			}
		}
	}
}

func winogradKernelGeneric(u []float32, uPlane int, g []float32, gPlane, n int) {
	rows := func(g0, g1, g2 float32) [4]float32 {
		return [4]float32{g0, float32((g0 + g2 + g1) * 0.5), float32((g0 + g2 - g1) * 0.5), g2}
	}
	for i := range n {
		var h [3][4]float32
		for b := range h {
			h[b] = rows(g[b*gPlane+i], g[(3+b)*gPlane+i], g[(6+b)*gPlane+i])
		}
		for a := range 4 {
			for f, v := range rows(h[0][a], h[1][a], h[2][a]) {
				u[(4*a+f)*uPlane+i] = v
			}
		}
	}
}

func winogradKernelGradGeneric(dg []float32, gPlane int, du []float32, uPlane, n int) {
	rows := func(u0, u1, u2, u3 float32) [3]float32 {
		sum := float32((u1 + u2) * 0.5)
		return [3]float32{sum + u0, float32((u1 - u2) * 0.5), sum + u3}
	}
	for i := range n {
		var h [4][3]float32
		for j := range h {
			h[j] = rows(du[j*uPlane+i], du[(4+j)*uPlane+i], du[(8+j)*uPlane+i], du[(12+j)*uPlane+i])
		}
		for a := range 3 {
			for b, v := range rows(h[0][a], h[1][a], h[2][a], h[3][a]) {
				dg[(3*a+b)*gPlane+i] += v
			}
		}
	}
}
