package eval

import (
	"slices"

	"gonum.org/v1/gonum/stat"
)

// ActiveVariance is the variance of z_mean over the images above which a latent
// dimension counts as active: that of Burda, Grosse and Salakhutdinov (2016).
const ActiveVariance = 0.01

// Dimension tells how one latent dimension is used.
type Dimension struct {
	Variance float64 `json:"variance"` // of z_mean, over the images
	Active   bool    `json:"active"`   // Variance > ActiveVariance
	// KLNats is this dimension's share in Terms.KLNats.
	KLNats float64 `json:"kl_nats"`
	// Quantiles of z_mean at QuantileLevels.
	Quantiles [5]float64 `json:"quantiles"`
}

// QuantileLevels are the probabilities of a Dimension's quantiles.
var QuantileLevels = [5]float64{0.05, 0.25, 0.5, 0.75, 0.95}

// Dimensions describes each latent dimension in turn.
func (c *Codes) Dimensions() []Dimension {
	n := c.images.Len()
	dims := make([]Dimension, c.model.LatentDim)
	column := make([]float64, n)
	for j := range dims {
		d := &dims[j]
		for i := range column {
			mean, logVar := c.at(i)
			column[i] = float64(mean[j])
			d.KLNats += divergence(mean[j], c.model.LogDeviation(logVar[j])) / float64(n)
		}
		d.Variance = stat.Variance(column, nil)
		d.Active = d.Variance > ActiveVariance
		slices.Sort(column)
		for q, p := range QuantileLevels {
			d.Quantiles[q] = stat.Quantile(p, stat.LinInterp, column, nil)
		}
	}
	return dims
}

// Collapse tells whether the latent dimensions lie idle: whether the posterior
// has collapsed into the prior.
type Collapse string

const (
	NoCollapse      Collapse = "none"
	PartialCollapse Collapse = "partial" // at most half of the dimensions are active
	FullCollapse    Collapse = "full"    // none is
)

func collapse(active, dims int) Collapse {
	switch {
	case active == 0:
		return FullCollapse
	case 2*active <= dims:
		return PartialCollapse
	}
	return NoCollapse
}
