package gemm

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"gonum.org/v1/gonum/blas"
)

// report times f, which makes that many floating-point operations, and, after
// each call, the ceiling of the same core. What it reports are medians, so that
// other programs on the machine count for little.
func report(b *testing.B, k Kernels, flops int, f func()) {
	f()
	var times, peaks []float64 // seconds, FLOP/s
	for b.Loop() {
		start := time.Now()
		f()
		end := time.Now()
		peak := k.Peak(maxSteps)
		times = append(times, end.Sub(start).Seconds())
		peaks = append(peaks, float64(peak)/time.Since(end).Seconds())
	}
	slices.Sort(times)
	slices.Sort(peaks)
	median, peak := times[len(times)/2], peaks[len(peaks)/2]
	b.ReportMetric(median*1e9, "ns/op")
	b.ReportMetric(float64(flops)/median/1e9, "GFLOP/s")
	b.ReportMetric(100*float64(flops)/median/peak, "%ceiling")
}

// BenchmarkSgemm multiplies in the shapes of a 3x3 convolution of 64 to 64
// channels on 14 x 14 pixels: forward, weight gradient and data gradient of the
// im2col form, then of a large square.
func BenchmarkSgemm(b *testing.B) {
	r := rand.New(rand.NewPCG(19, 20))
	for _, s := range []struct {
		tA, tB  blas.Transpose
		m, n, k int
	}{
		{blas.NoTrans, blas.NoTrans, 196, 64, 576},
		{blas.Trans, blas.NoTrans, 576, 64, 196},
		{blas.NoTrans, blas.Trans, 196, 576, 64},
		{blas.NoTrans, blas.NoTrans, 1000, 1000, 1000},
	} {
		x := newCall(s.tA, s.tB, s.m, s.n, s.k, 0, func(n int) []float32 { return normals(r, n) })
		for _, t := range tiers() {
			k := New(t)
			var impl blas.Float32 = NewBLAS(k)
			b.Run(fmt.Sprintf("%c%c/%dx%dx%d/%v", s.tA, s.tB, s.m, s.n, s.k, t), func(b *testing.B) {
				report(b, k, 2*s.m*s.n*s.k, func() { x.on(impl) })
			})
		}
	}
}

// BenchmarkBlock convolves that image, padded, in place, and takes the weight
// gradient.
func BenchmarkBlock(b *testing.B) {
	const size, padded, channels, seg = 14, 16, 64, 3 * 64
	const flops = 2 * size * size * 3 * seg * channels
	image := make([]float32, padded*padded*channels)
	weights := make([]float32, 3*seg*channels)
	out := make([]float32, size*size*channels)
	bias := make([]float32, channels)
	for _, t := range tiers() {
		k := New(t)
		b.Run("conv/"+t.String(), func(b *testing.B) {
			report(b, k, flops, func() {
				for y := range size {
					k.Block(&Block{
						M: size, N: channels, Segs: 3, SegLen: seg,
						A: image[y*padded*channels:], ARow: channels, AK: 1, ASeg: padded * channels,
						B: weights, BK: channels, BSeg: seg * channels,
						C: out[y*size*channels:], LDC: channels,
						Bias: bias, ReLU: true,
					})
				}
			})
		})
		b.Run("wgrad/"+t.String(), func(b *testing.B) {
			report(b, k, flops, func() {
				for y := range 3 {
					k.Block(&Block{
						M: seg, N: channels, Segs: size, SegLen: size,
						A: image[y*padded*channels:], ARow: 1, AK: channels, ASeg: padded * channels,
						B: out, BK: channels, BSeg: size * channels,
						C: weights[y*seg*channels:], LDC: channels, Accumulate: true,
					})
				}
			})
		})
	}
}

// BenchmarkBlockCall shows what a call costs besides its products.
func BenchmarkBlockCall(b *testing.B) {
	x := make([]float32, 1)
	for _, t := range tiers() {
		k := New(t)
		b.Run(t.String(), func(b *testing.B) {
			for b.Loop() {
				k.Block(&Block{M: 1, N: 1, Segs: 1, SegLen: 1, A: x, ARow: 1, AK: 1, B: x, BK: 1, C: x, LDC: 1})
			}
		})
	}
}
