//go:build !planted_stickycancel

package planted

// StickyCancel records items of a cancelled bulk task as cancelled that were applied.
const StickyCancel = false
