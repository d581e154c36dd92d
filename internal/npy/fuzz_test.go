package npy

import (
	"bytes"
	"reflect"
	"testing"
)

// A header that is accepted and that WriteHeader could have written is written
// the same; none is longer than its limit.
func FuzzReadHeader(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) {
		h, err := ReadHeader(bytes.NewReader(in))
		if err != nil {
			return
		}
		shape := make([]int, len(h.Shape))
		for i, n := range h.Shape {
			shape[i] = int(n)
			if shape[i] < 0 || len(shape) > 32 {
				t.Fatalf("shape %v", h.Shape)
			}
		}
		var b bytes.Buffer
		if err := WriteHeader(&b, shape...); err != nil {
			t.Fatal(err)
		}
		again, err := ReadHeader(&b)
		if err != nil || !reflect.DeepEqual(again.Shape, h.Shape) {
			t.Fatalf("written again, shape %v is %v, %v", h.Shape, again.Shape, err)
		}
	})
}
