package eval

import (
	"context"
	"fmt"
)

// NeighbourCounts are the k of the accuracies in a report.
func NeighbourCounts() []int { return []int{1, 5, 15} }

// Accuracy is the share of images whose label is that of most of their k nearest
// references: in the latent space, by z_mean, and among the principal components
// of the references' pixels, as many as there are latent dimensions.
type Accuracy struct {
	K      int       `json:"k"`
	Latent Estimate  `json:"latent"`
	PCA    *Estimate `json:"pca"`
}

// accuracy adds the accuracies to r.
func (o *Options) accuracy(ctx context.Context, r *Report, codes *Codes, phase func(string)) error {
	choices := o.References.Len()
	if o.Own {
		choices--
	}
	for _, k := range NeighbourCounts() {
		if k <= choices {
			r.Accuracy = append(r.Accuracy, Accuracy{K: k})
		} else {
			r.Notes = append(r.Notes, fmt.Sprintf("no accuracy of %d neighbours: there are %d to choose from", k, choices))
		}
	}
	if len(r.Accuracy) == 0 {
		return nil
	}

	phase(fmt.Sprintf("encoding %d training images", o.References.Len()))
	references, err := Encode(ctx, o.Model, o.References)
	if err != nil {
		return fmt.Errorf("training images: %w", err)
	}
	phase("looking for neighbours")
	latent, err := o.vote(ctx, r, references.Mean, codes.Mean, o.Model.LatentDim)
	if err != nil {
		return err
	}
	for i := range r.Accuracy {
		r.Accuracy[i].Latent = latent[i]
	}

	if o.References.Rows*o.References.Cols > MaxPixels {
		r.Notes = append(r.Notes, fmt.Sprintf("no PCA to compare with: images have more than %d pixels", MaxPixels))
		return nil
	}
	phase("principal components")
	components, err := NewComponents(ctx, o.Pool, o.References, o.Model.LatentDim)
	if err != nil {
		return fmt.Errorf("principal components: %w", err)
	}
	pca, err := o.vote(ctx, r, components.Project(o.References), components.Project(o.Images), components.Dim)
	if err != nil {
		return err
	}
	for i := range r.Accuracy {
		r.Accuracy[i].PCA = &pca[i]
	}
	return nil
}

// vote returns an accuracy for each k in r, the images lying at queries among
// references, both [n, dim].
func (o *Options) vote(ctx context.Context, r *Report, references, queries []float32, dim int) ([]Estimate, error) {
	most := r.Accuracy[len(r.Accuracy)-1].K
	found, err := NewNeighbours(references, dim).Nearest(ctx, o.Pool, queries, most, o.Own)
	if err != nil {
		return nil, err
	}
	var all []Estimate
	right := make([]float64, o.Images.Len())
	for _, a := range r.Accuracy {
		for i := range right {
			right[i] = 0
			if vote(o.References.Labels, found[i*most:][:a.K]) == o.Images.Labels[i] {
				right[i] = 1
			}
		}
		all = append(all, estimate(right))
	}
	return all, nil
}
