package eval

import (
	"context"

	"vaectl/internal/parallel"
)

// Labels returns for each of the queries [n, dim] the label that most of its k
// nearest points have, labels being those of the points. A tied vote goes to the
// smallest label. own and the rest are Nearest's.
func (s *Neighbours) Labels(ctx context.Context, pool *parallel.Pool, queries []float32, labels []byte, k int, own bool) ([]byte, error) {
	found, err := s.Nearest(ctx, pool, queries, k, own)
	if err != nil {
		return nil, err
	}
	votes := make([]byte, len(found)/k)
	for i := range votes {
		votes[i] = vote(labels, found[i*k:][:k])
	}
	return votes, nil
}
