//go:build planted_dropcorrection

package planted

// DropCorrection forgets corrections of links that were written while what they show had changed.
const DropCorrection = true
