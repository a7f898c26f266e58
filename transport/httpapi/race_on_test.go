//go:build race

package httpapi_test

// raceDetector says that the race detector watches, which makes all that is large many times slower.
const raceDetector = true
