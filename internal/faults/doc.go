// Package faults holds the tests of the whole: a node behind both its doors that is told stories, asked wrong questions
// and searched for secrets; and a real process that is killed, paused and started again while clients work, with checkers
// that know what must still be true. It has no code of its own.
package faults
