//go:build !planted_skipmark

package planted

// SkipMark does not move the high-water mark.
const SkipMark = false
