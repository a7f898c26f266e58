// Package faults holds the tests of the whole under faults: a real process that is killed, paused and started again
// while clients work, and checkers that know what must still be true. It has no code of its own.
package faults
