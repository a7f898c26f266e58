//go:build planted_skipsync

package planted

// SkipSync commits without waiting for the disk.
const SkipSync = true
