//go:build planted_staleindex

package planted

// StaleIndex leaves terms in the indexes of collections that are no more true.
const StaleIndex = true
