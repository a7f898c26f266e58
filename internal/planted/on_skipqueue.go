//go:build planted_skipqueue

package planted

// SkipQueue grants a lock that is offered to another.
const SkipQueue = true
