//go:build !planted_dropoutbox

package planted

// DropOutbox leaves a record out of the fan-out now and then.
const DropOutbox = false
