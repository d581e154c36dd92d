package vec

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// transform is one of Winograd's transforms with some sizes: the lengths of the
// slices that it takes, which are just long enough.
type transform struct {
	name    string
	lengths []int
	run     func(k Kernels, s [][]float32)
}

// transforms are all of them, with one and several tiles and vectors, and with
// room between rows, pixels and planes.
func transforms() (all []transform) {
	for _, size := range []struct{ tiles, channels, gap int }{{1, 16, 0}, {3, 48, 0}, {7, 32, 5}, {2, 16, 16}} {
		tiles, channels := size.tiles, size.channels
		pixel, plane := channels+size.gap, tiles*channels+size.gap
		name := func(transform string) string { return fmt.Sprintf("%s %v", transform, size) }
		input, output := rowLen(tiles, 4, pixel, channels), rowLen(tiles, 2, pixel, channels)
		fourPlanes, allPlanes := 3*plane+tiles*channels, 15*plane+tiles*channels
		row := output + size.gap
		for _, sign := range []float32{-1, 0, 1} {
			tile := func(s [][]float32) *WinogradTiles {
				return &WinogradTiles{Dst: s[0], Plane: plane, P: s[1], Q: s[2], Pixel: pixel, Sign: sign, Tiles: tiles, Channels: channels}
			}
			all = append(all,
				transform{name("WinogradInput"), []int{fourPlanes, input, input}, func(k Kernels, s [][]float32) { k.WinogradInput(tile(s)) }},
				transform{name("WinogradGrad"), []int{fourPlanes, output, output}, func(k Kernels, s [][]float32) { k.WinogradGrad(tile(s)) }})
		}
		for _, relu := range []bool{false, true} {
			back := func(s [][]float32) *WinogradOutput {
				return &WinogradOutput{M: s[0], Plane: plane, Y: s[1], Row: row, Pixel: pixel, ReLU: relu, MaskRow: row + 1, Tiles: tiles, Channels: channels}
			}
			all = append(all,
				transform{name("WinogradOutput"), []int{allPlanes, row + output}, func(k Kernels, s [][]float32) {
					k.WinogradOutput(back(s))
				}},
				transform{name("WinogradOutput, bias"), []int{allPlanes, row + output, channels}, func(k Kernels, s [][]float32) {
					o := back(s)
					o.Bias = s[2]
					k.WinogradOutput(o)
				}},
				transform{name("WinogradOutput, mask"), []int{allPlanes, row + output, row + 1 + output}, func(k Kernels, s [][]float32) {
					o := back(s)
					o.Mask = s[2]
					k.WinogradOutput(o)
				}},
				transform{name("WinogradOutput, bias and mask"), []int{allPlanes, row + output, channels, row + 1 + output}, func(k Kernels, s [][]float32) {
					o := back(s)
					o.Bias, o.Mask = s[2], s[3]
					k.WinogradOutput(o)
				}})
		}
		u, g := 15*plane+channels, 8*pixel+channels
		all = append(all,
			transform{name("WinogradKernel"), []int{u, g}, func(k Kernels, s [][]float32) {
				k.WinogradKernel(s[0], plane, s[1], pixel, channels)
			}},
			transform{name("WinogradKernelGrad"), []int{g, u}, func(k Kernels, s [][]float32) {
				k.WinogradKernelGrad(s[0], pixel, s[1], plane, channels)
			}})
	}
	return all
}

// Every tier gives the bits of the Go loops, and leaves what lies between and
// beside the results alone.
func TestWinogradTiersAgree(t *testing.T) {
	const before, after = 3, 5
	forTiers(t, func(t *testing.T, k Kernels) {
		r := rand.New(rand.NewPCG(7, 8))
		for _, tr := range transforms() {
			got, want := make([][]float32, len(tr.lengths)), make([][]float32, len(tr.lengths))
			args, wantArgs := slices.Clone(got), slices.Clone(want)
			for j, n := range tr.lengths {
				got[j] = numbers(r, before+j+n+after)
				want[j] = slices.Clone(got[j])
				args[j], wantArgs[j] = got[j][before+j:][:n], want[j][before+j:][:n]
			}
			tr.run(k, args)
			tr.run(Kernels{}, wantArgs)
			for j := range got {
				if !slices.EqualFunc(got[j], want[j], same) {
					t.Errorf("%s: slice %d differs", tr.name, j)
				}
			}
		}
	})
}

func TestWinogradChecks(t *testing.T) {
	forTiers(t, func(t *testing.T, k Kernels) {
		for _, tr := range transforms() {
			s := make([][]float32, len(tr.lengths))
			for j, n := range tr.lengths {
				s[j] = make([]float32, n)
			}
			tr.run(k, s)
			for j := range s {
				short := slices.Clone(s)
				short[j] = s[j][1:]
				func() {
					defer func() {
						if recover() == nil {
							t.Errorf("%s: slice %d may be too short", tr.name, j)
						}
					}()
					tr.run(k, short)
				}()
			}
		}
		for name, f := range map[string]func(){
			"channels": func() {
				k.WinogradInput(&WinogradTiles{Dst: make([]float32, 99), P: make([]float32, 99), Q: make([]float32, 99), Plane: 8, Pixel: 8, Tiles: 1, Channels: 8})
			},
			"tiles":  func() { k.WinogradGrad(&WinogradTiles{Plane: 16, Pixel: 16, Channels: 16}) },
			"kernel": func() { k.WinogradKernel(make([]float32, 999), 24, make([]float32, 999), 24, 24) },
		} {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("bad %s accepted", name)
					}
				}()
				f()
			}()
		}
	})
}

// On one tile, the transforms make the convolution and, as the adjoint of that in
// the kernel, its gradient. Small integers are exact: G divides by 4 at most.
func TestWinogradIsTheConvolution(t *testing.T) {
	const c = WinogradChannels
	forTiers(t, func(t *testing.T, k Kernels) {
		r := rand.New(rand.NewPCG(9, 10))
		ints := func(pixels int) []float32 {
			x := make([]float32, pixels*c)
			for i := range x {
				x[i] = float32(r.IntN(9) - 4)
			}
			return x
		}
		d, g, e := ints(4*4), ints(3*3), ints(2*2)
		wantY, wantG := make([]float32, 2*2*c), make([]float32, 3*3*c)
		for i := range 2 * 2 * 3 * 3 * c {
			h, w, a, b, ch := i/c%2, i/c/2%2, i/c/4%3, i/c/12, i%c
			wantY[(2*h+w)*c+ch] += d[(4*(h+a)+w+b)*c+ch] * g[(3*a+b)*c+ch]
			wantG[(3*a+b)*c+ch] += d[(4*(h+a)+w+b)*c+ch] * e[(2*h+w)*c+ch]
		}

		tiles := func(transform func(*WinogradTiles), x []float32, width int, rows [4][2]int, signs [4]float32) []float32 {
			out := make([]float32, 16*c)
			for i, row := range rows {
				transform(&WinogradTiles{
					Dst: out[4*i*c:], Plane: c, P: x[row[0]*width*c:], Q: x[row[1]*width*c:],
					Sign: signs[i], Pixel: c, Tiles: 1, Channels: c,
				})
			}
			return out
		}
		v := tiles(k.WinogradInput, d, 4, [4][2]int{{0, 2}, {1, 2}, {2, 1}, {3, 1}}, [4]float32{-1, 1, -1, -1})
		ve := tiles(k.WinogradGrad, e, 2, [4][2]int{{0, 0}, {0, 1}, {0, 1}, {1, 1}}, [4]float32{0, 1, -1, 0})
		u, m, du := make([]float32, 16*c), make([]float32, 16*c), make([]float32, 16*c)
		k.WinogradKernel(u, c, g, c, c)
		for i := range m {
			m[i], du[i] = u[i]*v[i], ve[i]*v[i]
		}
		y, dg := make([]float32, 2*2*c), make([]float32, 3*3*c)
		k.WinogradOutput(&WinogradOutput{M: m, Plane: c, Y: y, Row: 2 * c, Pixel: c, Tiles: 1, Channels: c})
		k.WinogradKernelGrad(dg, c, du, c, c)
		if !slices.Equal(y, wantY) {
			t.Error("the output is not that of the convolution")
		}
		if !slices.Equal(dg, wantG) {
			t.Error("the gradient is not that of the kernel")
		}
	})
}
