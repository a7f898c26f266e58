//go:build race

package operations

// underRace divides how much is tried: with the race detector Pebble checks all its invariants, which makes it many times
// slower. `make plain` tries all of it, without the detector.
const underRace = 5
