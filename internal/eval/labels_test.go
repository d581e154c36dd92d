package eval

import (
	"bytes"
	"context"
	"testing"

	"vaectl/internal/parallel"
)

// On a line the nearest points, and what they vote, can be told by looking.
func TestLabels(t *testing.T) {
	pool := parallel.New(2)
	defer pool.Close()
	points := []float32{0, 1, 2, 10, 11, 12}
	labels := []byte{7, 7, 3, 5, 9, 5}
	search := NewNeighbours(points, 1)
	tests := []struct {
		queries []float32
		k       int
		own     bool
		want    []byte
	}{
		{[]float32{0.2, 11.1, 5}, 1, false, []byte{7, 9, 3}},
		{[]float32{0.2, 11.1}, 3, false, []byte{7, 5}},
		{[]float32{1.6}, 2, false, []byte{3}}, // a tie: the smallest
		{[]float32{0, 1, 2}, 1, true, []byte{7, 7, 7}},
		{[]float32{0, 1, 2}, 1, false, []byte{7, 7, 3}},
	}
	for _, tt := range tests {
		got, err := search.Labels(context.Background(), pool, tt.queries, labels, tt.k, tt.own)
		if err != nil || !bytes.Equal(got, tt.want) {
			t.Errorf("%v, k %d, own %v: %v, %v; want %v", tt.queries, tt.k, tt.own, got, err, tt.want)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := search.Labels(ctx, pool, points, labels, 1, false); err == nil {
		t.Error("no error after the end of the context")
	}
}
