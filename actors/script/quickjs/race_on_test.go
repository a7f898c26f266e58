//go:build race

package quickjs

// raceDetector says that this binary, and so its workers, run under the race detector, which watches each access of the engine
// to memory: some ten times slower.
const raceDetector = true
