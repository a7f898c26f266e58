//go:build !planted_dropconflict

package planted

// DropConflict leaves the last conflict of a list out.
const DropConflict = false
