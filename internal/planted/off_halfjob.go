//go:build !planted_halfjob

package planted

// HalfJob has a propagation count collections as done that were only asked.
const HalfJob = false
