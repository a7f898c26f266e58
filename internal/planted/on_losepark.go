//go:build planted_losepark

package planted

// LosePark leaves parked updates out of the stored state.
const LosePark = true
