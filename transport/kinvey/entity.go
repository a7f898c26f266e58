package kinvey

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/transport/api"
)

// Members of an entity that are not content: the document's id, and what is kept of its changes.
const (
	memberID  = "_id"
	memberKMD = "_kmd"
)

// timeForm is how Kinvey writes times: in UTC, to the millisecond.
const timeForm = "2006-01-02T15:04:05.000Z"

// Entity is a document in Kinvey's form: the members of its value, and these two.
type Entity struct {
	ID  string        `json:"_id,omitempty" doc:"Id of the document; what is sent may leave it out"`
	KMD *EntityChange `json:"_kmd,omitempty" doc:"Of the last change; sent back, it says what the entity is based on"`
}

// EntityChange is the _kmd of an entity.
type EntityChange struct {
	LMT     string `json:"lmt,omitempty" doc:"When it was last changed, to the millisecond"`
	ECT     string `json:"ect,omitempty" doc:"When it was made; left out if retention has forgotten it"`
	Version uint64 `json:"version,omitempty" doc:"Version that last wrote it: tells two changes of one millisecond apart"`
}

// entity is an entity as a client has sent it.
type entity struct {
	content []byte // of the document: all members but _id and _kmd
	kmd     []byte // as it was sent
	lmt     string // RFC 3339; "": the client names no base
	version uint64 // 0: not given
}

// based says that the client names what it has read.
func (e *entity) based() bool { return e.lmt != "" }

// readEntity opens an entity of the document. What it is based on is lmt; a version alone is not Kinvey's, and says nothing.
func readEntity(body []byte, document string) (e entity, err error) {
	members, err := jsonvalue.Members(body)
	if len(body) == 0 {
		return e, problem.At("", "a body is needed: the entity")
	}
	if err != nil {
		return e, syntax("", err)
	}
	e.content = make([]byte, 0, len(body))
	e.content = append(e.content, '{')
	for _, m := range members {
		switch m.Name {
		case memberID:
			var id string
			if m.Kind != jsonvalue.String || json.Unmarshal(m.Text, &id) != nil || id != document {
				return e, problem.At("/"+memberID, "must be %q: the path names the document", document)
			}
		case memberKMD:
			if err := e.readKMD(m); err != nil {
				return e, err
			}
		default:
			e.content = appendMember(e.content, m.Name, m.Text)
		}
	}
	e.content = append(e.content, '}')
	return e, nil
}

// readKMD reads what the entity is based on. Other members are Kinvey's own: nothing is taken from them.
func (e *entity) readKMD(kmd jsonvalue.RawMember) error {
	e.kmd = kmd.Text
	if kmd.Kind != jsonvalue.Object {
		return problem.At("/"+memberKMD, "must be an object")
	}
	members, err := jsonvalue.Members(kmd.Text)
	if err != nil {
		return syntax("/"+memberKMD, err)
	}
	for _, m := range members {
		at := "/" + memberKMD + jsonvalue.Pointer{m.Name}.String()
		switch m.Name {
		case "lmt":
			if m.Kind != jsonvalue.String || json.Unmarshal(m.Text, &e.lmt) != nil {
				return problem.At(at, "must be a string")
			}
			if _, err := time.Parse(time.RFC3339Nano, e.lmt); err != nil {
				return problem.At(at, "must be a time such as 2026-01-31T12:00:00.000Z")
			}
		case "version":
			if e.version, err = strconv.ParseUint(string(m.Text), 10, 53); err != nil || m.Kind != jsonvalue.Number {
				return problem.At(at, "must be a whole number from 0 on")
			}
		}
	}
	return nil
}

// shownEntity is a document in Kinvey's form. Members of its value by the names of Kinvey's own are not shown.
func shownEntity(document string, d *api.TimedDocument) ([]byte, error) {
	members, err := jsonvalue.Members(d.Value)
	if err != nil {
		return nil, problem.At("header "+HeaderProperties, "the document %.300q is no object, and so no entity: leave out the header", document)
	}
	b := make([]byte, 0, len(d.Value)+256)
	b = appendMember(append(b, '{'), memberID, jsonvalue.NewString(document).Text())
	for _, m := range members {
		if m.Name != memberID && m.Name != memberKMD {
			b = appendMember(b, m.Name, m.Text)
		}
	}
	kmd := EntityChange{LMT: d.Modified.UTC().Format(timeForm), Version: d.Version}
	if !d.Created.IsZero() {
		kmd.ECT = d.Created.UTC().Format(timeForm)
	}
	text, err := json.Marshal(kmd)
	if err != nil {
		return nil, err
	}
	return append(appendMember(b, memberKMD, text), '}'), nil
}

// appendMember adds a member to an object that is not closed yet.
func appendMember(object []byte, name string, value []byte) []byte {
	if len(object) > 1 {
		object = append(object, ',')
	}
	return append(append(append(object, jsonvalue.NewString(name).Text()...), ':'), value...)
}

// syntax names the place of an error in JSON.
func syntax(path string, err error) error {
	if s, ok := errors.AsType[*jsonvalue.SyntaxError](err); ok {
		return problem.At(path+s.Path, "%s at byte %d", s.Reason, s.Offset)
	}
	return problem.At(path, "%v", err)
}
