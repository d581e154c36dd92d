package train

import (
	"math"

	"vaectl/internal/modelfile"
)

// minRate is the rate that a plateau lowers none below: weights of ordinary size
// no longer move by so little in float32.
const minRate = 1e-8

// schedule tells what the next epoch's learning rate is, or that there is none
// because c.Patience has run out. It follows from the settings and the history
// alone, so that a resumed training needs nothing else. As in Keras's
// EarlyStopping and ReduceLROnPlateau an epoch is an improvement if its val_loss
// is more than c.MinDelta below the lowest before it; without a validation set the
// loss takes its place.
func schedule(c modelfile.Config, history []modelfile.Epoch) (rate float64, stop bool) {
	rate = c.LearningRate
	lowest := math.Inf(1)
	waited, sinceCut := 0, 0
	for _, e := range history {
		loss := e.Loss
		if e.ValLoss != nil {
			loss = *e.ValLoss
		}
		waited++
		sinceCut++
		if loss < lowest-c.MinDelta {
			lowest, waited, sinceCut = loss, 0, 0
		}
		if c.PlateauPatience > 0 && sinceCut >= c.PlateauPatience {
			rate = min(rate, max(rate*c.PlateauFactor, minRate))
			sinceCut = 0
		}
	}
	return rate, c.Patience > 0 && waited >= c.Patience
}

// Finished reports whether a training has nothing left to do.
func Finished(s *modelfile.State) bool {
	_, stop := schedule(s.Config, s.History)
	return stop || len(s.History) >= s.Config.Epochs
}
