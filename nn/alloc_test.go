//go:build !race

package nn

import "testing"

// allocations is how often a call of f allocates.
func allocations(f func()) float64 { return testing.AllocsPerRun(10, f) }
