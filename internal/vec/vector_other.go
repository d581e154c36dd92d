//go:build !amd64

package vec

import "vaectl/internal/isa"

// None of these is ever reached: New makes no vector kernels.
const noTier = "vec: no vector tier on this architecture"

func rmspropVector(_ isa.Tier, _, _, _ []float32, _, _, _, _ float32)     { panic(noTier) }
func adamVector(_ isa.Tier, _, _, _, _ []float32, _, _, _, _ float32)     { panic(noTier) }
func sgdVector(_ isa.Tier, _, _, _ []float32, _, _ float32)               { panic(noTier) }
func crossEntropyVector(_ isa.Tier, _, _, _ []float32, _ float32) float64 { panic(noTier) }
func sigmoidVector(_ isa.Tier, _, _ []float32)                            { panic(noTier) }
func addVector(_ isa.Tier, _, _ []float32)                                { panic(noTier) }
func reluMaskVector(_ isa.Tier, _, _ []float32)                           { panic(noTier) }

func winogradInputVector(isa.Tier, *WinogradTiles)                           { panic(noTier) }
func winogradGradVector(isa.Tier, *WinogradTiles)                            { panic(noTier) }
func winogradOutputVector(isa.Tier, *WinogradOutput, float32)                { panic(noTier) }
func winogradKernelVector(isa.Tier, []float32, int, []float32, int, int)     { panic(noTier) }
func winogradKernelGradVector(isa.Tier, []float32, int, []float32, int, int) { panic(noTier) }
