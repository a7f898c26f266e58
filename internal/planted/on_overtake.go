//go:build planted_overtake

package planted

// Overtake has the driver of bulk tasks ignore older tasks.
const Overtake = true
