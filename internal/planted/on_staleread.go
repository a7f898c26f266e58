//go:build planted_staleread

package planted

// StaleRead answers a read from the state before the newest.
const StaleRead = true
