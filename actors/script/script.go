// Package script is the contract of operators' merge code: what is asked of a script, and what comes back. It is pure; a
// technology below it runs the scripts.
package script

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// Job asks a script to merge parts of one collection. The same job has the same outcome, whoever runs it and when.
type Job struct {
	Source  string // JavaScript that defines merge(base, client, server, ctx) or customEntityMerge(client, server)
	Parts   []Part
	Context Context
}

// Part is the metadata or a document on the three sides, as JSON texts; nil is missing.
type Part struct {
	Path                 string // /metadata, or /documents/<id>
	Document             string // its id; "" of the metadata
	Base, Client, Server []byte
}

// Context is what a script may know beside the three sides. It has no clock and no randomness.
type Context struct {
	Provider       string `json:"provider"`
	Collection     string `json:"collection"`
	Principal      string `json:"principal"`
	BaseVersion    uint64 `json:"baseVersion"`
	CurrentVersion uint64 `json:"currentVersion"`
}

// Key names the job: equal jobs have equal keys.
type Key [sha256.Size]byte

// Key is the SHA-256 of all that the outcome depends on.
func (j *Job) Key() (k Key) {
	h := sha256.New()
	add(h, []byte(j.Source))
	for i := range j.Parts {
		p := &j.Parts[i]
		for _, b := range [][]byte{[]byte(p.Path), []byte(p.Document), p.Base, p.Client, p.Server} {
			add(h, b)
		}
	}
	c := &j.Context
	for _, s := range []string{c.Provider, c.Collection, c.Principal} {
		add(h, []byte(s))
	}
	var numbers [16]byte
	binary.BigEndian.PutUint64(numbers[:8], c.BaseVersion)
	binary.BigEndian.PutUint64(numbers[8:], c.CurrentVersion)
	_, _ = h.Write(numbers[:])
	h.Sum(k[:0])
	return k
}

// add writes a text so that no two sequences of texts write the same; nil differs from the empty one.
func add(h hash.Hash, b []byte) {
	length := uint64(len(b)) + 1
	if b == nil {
		length = 0
	}
	var prefix [8]byte
	binary.BigEndian.PutUint64(prefix[:], length)
	_, _ = h.Write(prefix[:]) // a hash takes everything
	_, _ = h.Write(b)
}

// Outcome is what came of a job: a result for each part, or a failure.
type Outcome struct {
	Results [][]byte // JSON texts, one for each part; nil: the part is to be removed
	Failure *Failure
}

// Reason is why a script gave no result.
type Reason string

// The reasons.
const (
	Off     Reason = "off"     // scripts are not enabled on this service
	Busy    Reason = "busy"    // too many jobs wait for a worker, or the service stops: come back later
	Syntax  Reason = "syntax"  // the source does not compile, or defines neither function
	Threw   Reason = "threw"   // an exception that the script did not catch
	Timeout Reason = "timeout" // it ran for longer than it may
	Memory  Reason = "memory"  // it wanted more than it may have
	Garbage Reason = "garbage" // what it returned is not JSON, or too much
	Crashed Reason = "crashed" // the worker process died
	Input   Reason = "input"   // the inputs are too large for a script, or hold a number that JavaScript cannot hold exactly
)

// Failure is a script that gave no result. Detail never holds contents of documents.
type Failure struct {
	Reason Reason
	Path   string // of the part that it was about, "" of none
	Detail string // one line, bounded
}

// Runner runs scripts somewhere else.
type Runner interface {
	// Run does not wait. done is called once, on another goroutine, within the runner's limits whatever the script does.
	Run(job Job, done func(Outcome))
	// Check compiles the source without calling it, in the same way; nil: it can be used.
	Check(source string, done func(*Failure))
}
