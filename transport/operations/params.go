package operations

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/transport"
)

// intParam is a whole number from 0 on.
func intParam(r *transport.Request, name string) (n uint64, given bool, err error) {
	text := r.Param(name)
	if text == "" {
		return 0, false, nil
	}
	if n, err = strconv.ParseUint(text, 10, 53); err != nil {
		return 0, true, problem.At(name, "must be a whole number from 0 on")
	}
	return n, true, nil
}

// limit is how many items a page may have.
func (s *Service) limit(r *transport.Request) (int, error) {
	n, given, err := intParam(r, "limit")
	switch {
	case err != nil:
		return 0, err
	case !given:
		return s.Limits.PageItems, nil
	case n == 0 || n > uint64(s.Limits.PageMaxItems):
		return 0, problem.At("limit", "must be from 1 to %d", s.Limits.PageMaxItems)
	}
	return int(n), nil
}

// timeParam is an RFC 3339 time.
func timeParam(r *transport.Request, name string) (t time.Time, given bool, err error) {
	text := r.Param(name)
	if text == "" {
		return t, false, nil
	}
	if t, err = time.Parse(time.RFC3339Nano, text); err != nil {
		return t, true, problem.At(name, "must be an RFC 3339 time, such as 2026-01-31T12:00:00Z")
	}
	return t, true, nil
}

// cursor is where a list goes on. Callers see it as an opaque text.
type cursor struct {
	After   string `json:"a,omitempty"`
	Version uint64 `json:"v,omitempty"`
	From    uint64 `json:"f,omitempty"`
	Number  uint64 `json:"n,omitempty"`
}

func (c cursor) String() string {
	text, err := json.Marshal(c)
	if err != nil {
		panic("operations: a cursor always marshals: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

const cursorMaxBytes = 2048

func cursorParam(r *transport.Request) (c cursor, given bool, err error) {
	text := r.Param("cursor")
	if text == "" {
		return c, false, nil
	}
	bad := problem.At("cursor", "is not one that this service has given out")
	if len(text) > cursorMaxBytes {
		return c, true, bad
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(b, &c) != nil {
		return c, true, bad
	}
	return c, true, nil
}

// fieldsMax bounds how many paths one request may choose.
const fieldsMax = 64

// fieldsParam are the chosen paths, comma separated or repeated, each below /metadata or /documents/<id>; nil: all.
func fieldsParam(r *transport.Request) ([]jsonvalue.Pointer, error) {
	var paths []jsonvalue.Pointer
	for _, given := range r.Params["fields"] {
		for text := range strings.SplitSeq(given, ",") {
			p, err := partPath(text)
			if err != nil {
				return nil, problem.At("fields", "%q is no path below /metadata or /documents/<id>", text)
			}
			paths = append(paths, p)
		}
	}
	if len(paths) > fieldsMax {
		return nil, problem.At("fields", "%d paths: the limit is %d", len(paths), fieldsMax)
	}
	return paths, nil
}

// errNoPart says that a path is not below the metadata or a document.
var errNoPart = errors.New("no path below /metadata or /documents/<id>")

// partPath is a JSON Pointer below the metadata or a document.
func partPath(text string) (jsonvalue.Pointer, error) {
	p, err := jsonvalue.ParsePointer(text)
	if err != nil || len(p) == 0 || p[0] != "metadata" && (p[0] != "documents" || len(p) < 2) {
		return nil, errNoPart
	}
	return p, nil
}

func indexPath(i int) string { return "/" + strconv.Itoa(i) }
