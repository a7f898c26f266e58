//go:build !planted_forgetdedup

package planted

// ForgetDedup does not look for an earlier outcome of an idempotency key.
const ForgetDedup = false
