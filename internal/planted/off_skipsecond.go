//go:build !planted_skipsecond

package planted

// SkipSecond does not look whether a hand-made merge was made with the newest version.
const SkipSecond = false
