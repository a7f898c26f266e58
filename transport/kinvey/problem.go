package kinvey

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"concord/actors/problem"
	"concord/actors/script"
	"concord/transport"
)

// Bounds of what a refusal says.
const (
	debugMaxBytes = 256 << 10 // the server's entity, as the JSON string that it is sent as
	textMaxBytes  = 1024
)

// Members of a refusal in Kinvey's form, beside our own.
const (
	memberError       = "error"
	memberDescription = "description"
	memberDebug       = "debug"
)

const errorConflict = "EntityConflict"

// names are the errors that Kinvey's clients know. What has none there keeps our code.
var names = map[problem.Code]string{
	problem.Invalid:          "BadRequest",
	problem.Unauthenticated:  "InvalidCredentials",
	problem.Forbidden:        "InsufficientCredentials",
	problem.PolicyNotAllowed: "InsufficientCredentials",
	problem.NotFound:         "EntityNotFound",
	problem.VersionConflict:  errorConflict,
	problem.BaseUnavailable:  errorConflict,
	problem.MergeFailed:      "BLRuntimeError",
	problem.Overloaded:       "KinveyInternalErrorRetry",
	problem.Unavailable:      "KinveyInternalErrorRetry",
	problem.Deadline:         "KinveyInternalErrorRetry",
	problem.Internal:         "KinveyInternalErrorStop",
}

// scriptNames are those of scripts that gave no result.
var scriptNames = map[script.Reason]string{
	script.Syntax:  "BLSyntaxError",
	script.Timeout: "BLTimeoutError",
	script.Memory:  "BLViolationError",
	script.Off:     "BLInternalError",
	script.Crashed: "BLInternalError",
}

// refuse adds Kinvey's form to a refusal: who reads one form need not know the other.
func refuse(err error) error {
	p := problem.Of(err)
	name, known := names[p.Code]
	if !known {
		name = string(p.Code)
	}
	if reason, ok := member[string](p, "reason"); ok && p.Code == problem.MergeFailed {
		if of, known := scriptNames[script.Reason(reason)]; known {
			name = of
		}
	}
	p = p.With(memberError, name).With(memberDescription, p.Code.Title())
	if name != errorConflict {
		p = p.With(memberDebug, places(p)) // of a conflict it is the server's entity
	}
	return p
}

// places says for people what is wrong, and where.
func places(p *problem.Problem) string {
	text := p.Detail
	if len(p.Errors) > 0 {
		text += ": " + p.Errors[0].Message
	}
	if len(text) > textMaxBytes {
		text = strings.ToValidUTF8(text[:textMaxBytes], "") + "…"
	}
	return text
}

// member is a member of the problem.
func member[T any](p *problem.Problem, name string) (value T, ok bool) {
	i := slices.IndexFunc(p.Members, func(m problem.Member) bool { return m.Name == name })
	if i < 0 {
		return value, false
	}
	value, ok = p.Members[i].Value.(T)
	return value, ok
}

// placed names the places of an error in the entity that the client has sent, not in our envelope around it.
func placed(err error) error {
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok || p.Code != problem.Invalid || len(p.Errors) != 1 {
		return err
	}
	if at, inside := strings.CutPrefix(p.Errors[0].Path, "/value"); inside {
		return problem.At(at, "%s", p.Errors[0].Message)
	}
	return err
}

// conflict adds the server's entity to the refusal of a stale write, as the client has to know it to settle the matter.
func (d documents) conflict(r *transport.Request, sent entity, err error, ask transport.Ask) error {
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok || p.Code != problem.VersionConflict && p.Code != problem.BaseUnavailable {
		return err
	}
	if sent.based() && r.Base != nil && *r.Base == 0 {
		unknown := *p
		unknown.Detail = "no version of this document is known that was last changed at " + sent.lmt
		unknown.Members = slices.DeleteFunc(slices.Clone(p.Members), func(m problem.Member) bool {
			return m.Name == "baseVersion" || m.Name == "links" // of no version
		})
		p = &unknown
	}
	version, _ := member[uint64](p, "currentVersion")
	e, _, readErr := d.entity(r, version, ask)
	if readErr != nil {
		gone, ok := errors.AsType[*problem.Problem](readErr)
		if !ok || gone.Code != problem.NotFound {
			return p
		}
		e = []byte("null") // it has been deleted
	}
	text, marshalErr := json.Marshal(string(e))
	if marshalErr != nil || len(text) > debugMaxBytes {
		return p.With("debugBytes", len(e))
	}
	return p.With(memberDebug, json.RawMessage(text))
}
