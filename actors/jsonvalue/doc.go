// Package jsonvalue is what JSON means in Concord: strict texts, immutable values, equality by
// value with exact decimals, and the edits on them that have an RFC.
//
//   - Check and Parse accept exactly one JSON value (RFC 8259) that is also I-JSON in what matters
//     to us (RFC 7493, sections 2.1 and 2.3): valid UTF-8, no unpaired surrogate, no member name
//     twice in one object. On top of that the nesting is bounded by MaxDepth.
//   - Two values are equal when they mean the same: numbers are compared as exact decimals
//     (1 = 1.0 = 1e0, -0 = 0, and 1e400 is a number like any other), strings after unescaping,
//     objects without regard to the order of members. true is not 1, and missing is not null.
//   - Pointer is RFC 6901, Patch RFC 6902, MergePatch RFC 7396.
//
// The package is pure: no I/O, clock, randomness or goroutine, and no function writes through its
// input. Everything here may be called from many goroutines at once.
package jsonvalue
