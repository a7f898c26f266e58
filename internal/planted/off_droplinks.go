//go:build !planted_droplinks

package planted

// DropLinks does not publish some messages about links.
const DropLinks = false
