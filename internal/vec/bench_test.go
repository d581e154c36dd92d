package vec

import (
	"math/rand/v2"
	"testing"
)

// BenchmarkLoops times every loop on one core: the updates over the weights of
// the model of the book, the others over the pixels of 16 images.
func BenchmarkLoops(b *testing.B) {
	const weights, pixels = 550_629, 16 * 784
	r := rand.New(rand.NewPCG(5, 6))
	for _, l := range allLoops {
		n := pixels
		if l.slices > 2 && l.name != "CrossEntropy" {
			n = weights
		}
		for _, tier := range tiers() {
			k := New(tier)
			s := make([][]float32, l.slices)
			for j := range s {
				s[j] = make([]float32, n)
				for i := range s[j] {
					s[j][i] = float32(r.Float64()) // a target, and a mean square
				}
			}
			b.Run(l.name+"/"+tier.String(), func(b *testing.B) {
				for b.Loop() {
					l.run(k, s)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/element")
			})
		}
	}
}
