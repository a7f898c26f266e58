package collection

import (
	"encoding/json"
	"net/http"
	"strconv"

	"concord/actors/entity"
	"concord/actors/problem"
)

// Result is the answer to every command that may change a collection.
type Result struct {
	Provider string `json:"provider" doc:"Tenant"`
	ID       string `json:"id" doc:"Collection id"`
	Version  uint64 `json:"version" doc:"Newest version of the content"`
	ETag     string `json:"etag" doc:"Entity tag for If-Match, the quotes included"`
	Seq      uint64 `json:"seq" doc:"Number of the newest event"`
	Changed  bool   `json:"changed" doc:"False if the request changed nothing: then there is no new version"`

	Resolution     string               `json:"resolution,omitempty" enum:"merged,client,server,server-logic" doc:"How a write whose base was stale came out"`
	BaseVersion    uint64               `json:"baseVersion,omitempty" doc:"The stale base"`
	Overwrote      uint64               `json:"overwrote,omitempty" doc:"Version with what the client's content was saved over"`
	Conflicts      []Conflict           `json:"conflicts,omitempty" doc:"Paths on which the policy has decided for one side"`
	ConflictsTotal int                  `json:"conflictsTotal,omitempty" doc:"How many there are, if not all are named"`
	Warnings       []problem.FieldError `json:"warnings,omitempty" doc:"Where the content does not fit a schema that only warns"`
	WarningsTotal  int                  `json:"warningsTotal,omitempty" doc:"How many there are, if not all are named"`
	Content        *Content             `json:"content,omitempty" doc:"Of a dry run: what would be written. Where the server's content has stayed: that"`

	Lock *UnderLock `json:"lock,omitempty" doc:"The lock that the request named"`
}

// Content is the parts that an answer is about.
type Content struct {
	Metadata  json.RawMessage            `json:"metadata,omitempty"`
	Documents map[string]json.RawMessage `json:"documents,omitempty"`
	Removed   []string                   `json:"removed,omitempty" doc:"Documents that are not there"`
	More      int                        `json:"more,omitempty" doc:"How many parts are left out because they are long"`
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
	say, _ := x.Told.(told)
	if say.lock != nil {
		return answerLock(say.lock)
	}
	if say.relinked != nil {
		return answerRelink(*say.relinked, x)
	}
	if say.applied != nil {
		return answerApply(say.applied, x)
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
		r.Lock = &UnderLock{after.Lock.Fence, ch.under().Release}
	}
	say.add(&r, c, x.DryRun, b.Limits)
	if r.plain() {
		return entity.Answer{Status: status, Version: x.At.Version, Body: r.text()}
	}
	r.ETag = ETag(r.Version)
	return entity.Answer{Status: status, Version: x.At.Version, Body: marshalAnswer(r)}
}

// plain says that there is nothing out of the ordinary to tell.
func (r *Result) plain() bool {
	return r.Lock == nil && r.Resolution == "" && len(r.Warnings) == 0 && r.Content == nil
}

// add tells how a stale write came out, what does not fit the schemas, and what a dry run would have written.
func (t *told) add(r *Result, c Command, dryRun bool, l Limits) {
	if s := t.settled; s != nil {
		r.Resolution, r.BaseVersion = s.resolution, s.base
		if s.resolution == resolvedClient {
			r.Overwrote = s.over
		}
		w, _ := c.(*Write)
		r.Conflicts, r.ConflictsTotal = l.conflictList(s.decided, w.Fields)
	}
	if len(t.warnings) > 0 {
		r.Warnings = t.warnings[:min(len(t.warnings), warningsMaxNamed)]
		if len(r.Warnings) < len(t.warnings) {
			r.WarningsTotal = len(t.warnings)
		}
	}
	switch {
	case t.kept != nil:
		r.Content = l.contentOf(t.kept)
	case dryRun:
		r.Content = l.contentOf(t.parts)
	}
}

// warningsMaxNamed bounds how many places an answer names that do not fit a schema.
const warningsMaxNamed = 32

// contentOf shows parts, as long as they fit beside conflicts.
func (l Limits) contentOf(parts []entity.Content) *Content {
	c := new(Content)
	bytes := 0
	for i := range parts {
		p := &parts[i]
		if bytes += sentBytes(p.ID) + len(p.Body); bytes > l.ConflictsMaxBytes*2/5 {
			c.More += len(parts) - i
			break
		}
		switch {
		case !p.Removed && p.Body == nil:
			c.More++
		case p.Removed:
			c.Removed = append(c.Removed, p.ID)
		case p.ID == MetadataPart:
			c.Metadata = p.Body
		default:
			if c.Documents == nil {
				c.Documents = make(map[string]json.RawMessage)
			}
			c.Documents[p.ID] = p.Body
		}
	}
	return c
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
