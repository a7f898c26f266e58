package api

import (
	"encoding/json"
	"time"

	"concord/transport"
)

// Timed are operations for aliases whose clients name versions by their times. They are in no table: no API offers them
// by themselves, and who may ask them is judged by the operation that the alias is of.
type Timed struct {
	Get  *transport.Operation // reads a document, newest or at a version: see TimedDocument
	Base *transport.Operation // finds the version that a client has read: see TimedBase
}

// ParamModified is a parameter of Timed.Base, beside version: a time, of which the whole milliseconds count.
const ParamModified = "modified"

// TimedDocument is the answer of Timed.Get.
type TimedDocument struct {
	Version  uint64          `json:"version"`          // that last wrote the document
	Modified time.Time       `json:"modified"`         // when that was
	Created  time.Time       `json:"created,omitzero"` // when it was made, as far as that is kept; zero if it is not
	Value    json.RawMessage `json:"value"`
}

// TimedBase is the answer of Timed.Base.
type TimedBase struct {
	Base uint64 `json:"base"` // 0: no version that is kept is meant
}
