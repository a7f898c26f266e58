// Package planted holds the bugs that the test suite must catch. Each is a constant that is false in every ordinary
// build, so that the compiler removes it; a build tag of the same name plants it. `make planted` runs the proof.
package planted
