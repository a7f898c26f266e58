//go:build race

package pebblestore_test

// underRace divides how much is tried: with the race detector Pebble checks all its invariants, which makes it fifty
// times slower; and what the detector looks for is found by little.
const underRace = 10
