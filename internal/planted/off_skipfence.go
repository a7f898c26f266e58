//go:build !planted_skipfence

package planted

// SkipFence lets a write pass whose token is not the current one.
const SkipFence = false
