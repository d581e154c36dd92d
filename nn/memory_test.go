//go:build !race

// The race detector takes memory of its own.

package nn

import (
	"fmt"
	"runtime"
	"testing"

	"vaectl/internal/isa"
	"vaectl/internal/parallel"
)

// Memory must foretell what Bind and a step take: too little and the bound that
// rests on it does not hold, too much and it refuses what would have worked.
func TestMemoryIsForetold(t *testing.T) {
	for _, tt := range []struct{ side, latent, batch, workers int }{
		{28, 2, 16, 1}, {28, 2, 64, 8}, {28, 1024, 4, 2}, {60, 2, 4, 16},
	} {
		for _, tier := range []isa.Tier{isa.Generic, isa.Best()} {
			for _, training := range []bool{false, true} {
				t.Run(fmt.Sprintf("%+v %v %v", tt, tier, training), func(t *testing.T) {
					model, err := New(Config{Height: tt.side, Width: tt.side, LatentDim: tt.latent, Noise: BookNoise, Convolution: Winograd})
					if err != nil {
						t.Fatal(err)
					}
					pool := parallel.New(tt.workers)
					defer pool.Close()
					x := make([]float32, tt.batch*tt.side*tt.side)
					eps := make([]float32, tt.batch*tt.latent)
					foretold := model.Memory(tt.workers, tier, tt.batch, training)

					var before, after runtime.MemStats
					runtime.ReadMemStats(&before)
					model.Bind(pool, tier, tt.batch, training)
					switch {
					case tier == isa.Generic: // allocates no more than that
					case training:
						model.Gradients(x, eps)
					default:
						model.Losses(x, eps)
					}
					runtime.ReadMemStats(&after)
					taken := int64(after.TotalAlloc - before.TotalAlloc)
					// What is small and not counted takes up to 2 MB.
					t.Logf("%d bytes foretold, %d taken", foretold, taken)
					if foretold < taken-2<<20 || foretold > taken*3/2 {
						t.Errorf("%d bytes foretold, %d taken", foretold, taken)
					}
				})
			}
		}
	}
}
