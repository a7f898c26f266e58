//go:build planted_lostitem

package planted

// LostItem records some items of bulk tasks as updated that were not sent.
const LostItem = true
