package train

import (
	"fmt"

	"vaectl/internal/isa"
	"vaectl/internal/modelfile"
	"vaectl/nn"
)

// assumedMemory stands in where the machine's memory is not known.
const assumedMemory = 16 << 30

// checkSize refuses a model that no file could hold, and a training that needs
// more memory than there is: the runtime would end the process.
func checkSize(c modelfile.Config, model *nn.VAE, tier isa.Tier, workers int, available int64) error {
	var weights int64
	for _, p := range model.Params() {
		weights += 4 * int64(p.Len())
	}
	if weights > modelfile.MaxBody {
		return fmt.Errorf("images of %dx%d and %d latent dimensions make a model of %s: a model file holds at most %s",
			c.Height, c.Width, c.LatentDim, size(weights), size(modelfile.MaxBody))
	}
	images := 4 * int64(c.BatchSize) * int64(model.Pixels()+c.LatentDim)
	slots := 3 * weights // the best ones so far, and the optimizer's, at most
	need := model.Memory(workers, tier, c.BatchSize, true) + slots + images
	if need > available {
		return fmt.Errorf("batches of %d images of %dx%d need about %s of memory, and this machine has %s",
			c.BatchSize, c.Height, c.Width, size(need), size(available))
	}
	return nil
}

func size(n int64) string {
	if n >= 1e9 {
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	}
	return fmt.Sprintf("%.0f MB", float64(n)/1e6)
}
