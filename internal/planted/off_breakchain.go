//go:build !planted_breakchain

package planted

// BreakChain writes a record whose hash of the one before is not right.
const BreakChain = false
