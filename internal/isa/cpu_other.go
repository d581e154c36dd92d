//go:build !amd64

package isa

func availableVector(Tier) bool { return false }
