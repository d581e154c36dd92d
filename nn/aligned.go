package nn

import "unsafe"

// alignedFloats returns n zeros that start on a cache line. The place matters
// beyond speed: gonum's product with a transposed matrix rounds differently
// when the matrix starts in the middle of a vector register's width.
func alignedFloats(n int) []float32 {
	x := make([]float32, n+cacheLine)
	skip := 0
	if past := uintptr(unsafe.Pointer(&x[0])) / 4 % cacheLine; past != 0 {
		skip = cacheLine - int(past)
	}
	return x[skip : skip+n : skip+n]
}
