//go:build !planted_skiplink

package planted

// SkipLink does not enter new links of a document in the index by source.
const SkipLink = false
