//go:build planted_keepexpired

package planted

// KeepExpired does not end a lock whose time is over.
const KeepExpired = true
