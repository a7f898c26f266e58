package collection

import (
	"encoding/json"
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
}

// ETag is the entity tag of a version, its quotes included (RFC 9110 section 8.8.3).
func ETag(version uint64) string { return `"v` + strconv.FormatUint(version, 10) + `"` }

// Answer tells the caller where the collection stands. A creation is 201 (RFC 9110 section 9.3.4), everything else 200.
func (Behavior) Answer(before, after State, c Command, _ entity.Meta, at entity.Stamp, changed bool) entity.Answer {
	status := http.StatusOK
	w, write := c.(*Write)
	if changed && (after.Live() && after.Born == at.Version || write && w.Single && after.Documents > before.Documents) {
		status = http.StatusCreated
	}
	r := Result{Provider: at.Entity.Provider, ID: at.Entity.ID, Version: at.Version, ETag: ETag(at.Version),
		Seq: at.Seq, Changed: changed}
	body, err := json.Marshal(r)
	if err != nil {
		panic("collection: a result always marshals: " + err.Error())
	}
	return entity.Answer{Status: status, Version: at.Version, Body: body}
}
