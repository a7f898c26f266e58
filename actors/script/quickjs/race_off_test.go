//go:build !race

package quickjs

const raceDetector = false
