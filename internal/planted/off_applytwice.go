//go:build !planted_applytwice

package planted

// ApplyTwice has a collection forget that a bulk task has written it.
const ApplyTwice = false
