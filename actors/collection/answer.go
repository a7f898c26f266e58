package collection

import (
	"net/http"
	"strconv"

	"concord/actors/entity"
)

// Result is the answer to every command that may change a collection.
type Result struct {
	Provider string `json:"provider" doc:"Tenant"`
	ID       string `json:"id" doc:"Collection id"`
	Version  uint64 `json:"version" doc:"Newest version of the content"`
	ETag     string `json:"etag" doc:"Entity tag for If-Match, the quotes included"`
	Seq      uint64 `json:"seq" doc:"Number of the newest event"`
	Changed  bool   `json:"changed" doc:"False if the request changed nothing: then there is no new version"`

	Lock *UnderLock `json:"lock,omitempty" doc:"The lock that the request named"`
}

// UnderLock tells of the lock that a change was made under.
type UnderLock struct {
	Fence    uint64 `json:"fence" doc:"Number of the grant: it grows with every grant of the scope"`
	Released bool   `json:"released,omitempty" doc:"The lock ended with the change"`
}

// ETag is the entity tag of a version, its quotes included (RFC 9110 section 8.8.3).
func ETag(version uint64) string { return `"v` + strconv.FormatUint(version, 10) + `"` }

// Answer tells the caller where the collection stands. A creation is 201 (RFC 9110 section 9.3.4), an update that waits
// for its turn 202, everything else 200.
func (b Behavior) Answer(before, after State, c Command, x entity.Case) entity.Answer {
	if l, ok := c.(*Locking); ok {
		return b.answerLock(before, l, x)
	}
	if ch, ok := c.(content); ok && ch.under().Park {
		if a, ok := answerParked(after, x); ok {
			return a
		}
	}
	changed := after.Version > before.Version
	status := http.StatusOK
	w, write := c.(*Write)
	if changed && (after.Live() && after.Born == after.Version || write && w.Single && after.Documents > before.Documents) {
		status = http.StatusCreated
	}
	r := Result{Provider: x.At.Entity.Provider, ID: x.At.Entity.ID, Version: x.At.Version, Seq: x.At.Seq, Changed: changed}
	if ch, ok := c.(content); ok && ch.under().Token != "" {
		r.ETag, r.Lock = ETag(r.Version), &UnderLock{after.Lock.Fence, ch.under().Release}
		return entity.Answer{Status: status, Version: x.At.Version, Body: marshalAnswer(r)}
	}
	return entity.Answer{Status: status, Version: x.At.Version, Body: r.text()}
}

// text is the result of a change without a lock as JSON, as json.Marshal writes it. Ids need no escapes.
func (r *Result) text() []byte {
	b := make([]byte, 0, 128+len(r.Provider)+len(r.ID))
	b = append(append(append(b, `{"provider":"`...), r.Provider...), `","id":"`...)
	b = append(append(b, r.ID...), `","version":`...)
	b = append(strconv.AppendUint(b, r.Version, 10), `,"etag":"\"v`...)
	b = append(strconv.AppendUint(b, r.Version, 10), `\"","seq":`...)
	b = append(strconv.AppendUint(b, r.Seq, 10), `,"changed":`...)
	return append(strconv.AppendBool(b, r.Changed), '}')
}
