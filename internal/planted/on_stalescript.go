//go:build planted_stalescript

package planted

// StaleScript takes what a merge script returned also if the collection has changed while it ran.
const StaleScript = true
