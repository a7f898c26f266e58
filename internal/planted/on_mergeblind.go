//go:build planted_mergeblind

package planted

// MergeBlind saves the content of a client whose policy merges as it came, over what others have changed.
const MergeBlind = true
