// Package planted holds the bugs that the test suite must catch. Each is a constant that is false in every ordinary
// build, so that the compiler removes it. A build with the tag `planted` has all of them, asleep: the variable CONCORD_PLANTED names
// the one that a process has. `make planted` runs the proof.
package planted
