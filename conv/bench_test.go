package conv

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"vaectl/internal/gemm"
	"vaectl/internal/isa"
	"vaectl/internal/parallel"
)

// The convolutions of the model on one core, 16 images at a time, with the images
// in the borders that they want.
func BenchmarkFused(b *testing.B) {
	const n = 16
	rng := rand.New(rand.NewPCG(1, 5))
	pool := parallel.New(1)
	defer pool.Close()
	for _, layer := range []struct {
		name                  string
		size, in, out, stride int
	}{{"conv1", 28, 1, 32, 1}, {"conv2", 28, 32, 64, 2}, {"conv3", 14, 64, 64, 1}, {"conv_out", 28, 32, 1, 1}} {
		for _, direct := range []bool{false, true} {
			g, err := NewGeometry(layer.size, layer.size, layer.in, layer.out, 3, 3, layer.stride, Same)
			if err != nil {
				b.Fatal(err)
			}
			if !direct && !winogradFits(g) {
				continue
			}
			f := NewFused(g, pool, gemm.New(isa.Best()), n, direct)
			x := framed(ints(rng, n*g.In()), g.InH, g.InW, g.InC, f.BorderX)
			y := framed(ints(rng, n*g.Out()), g.OutH, g.OutW, g.OutC, f.BorderY)
			dx := framed(ints(rng, n*g.In()), g.InH, g.InW, g.InC, f.BorderX)
			p := Params{
				Kernel: ints(rng, g.Kernel()), KernelGrad: make([]float32, g.Kernel()),
				Bias: ints(rng, g.OutC), BiasGrad: make([]float32, g.OutC), ReLU: true,
			}
			run := func(name string, op func()) {
				b.Run(fmt.Sprintf("%s/direct=%v/%s", layer.name, direct, name), func(b *testing.B) {
					for b.Loop() {
						op()
					}
					flops := float64(2 * n * g.Pixels() * g.Kernel())
					b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
				})
			}
			run("forward", func() { f.Forward(y, x, p, n) })
			run("data", func() {
				f.op = operands{p: p, n: n, y: y, rectify: x}
				f.computeX(dx)
				f.widenBoth()
				f.alone.Run()
			})
			run("weight", func() { f.Backward(Images{}, y, x, true, p, n) })
		}
	}
}
