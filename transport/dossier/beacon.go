package dossier

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"

	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/transport"
)

// Media types that navigator.sendBeacon gives to what it sends, beside JSON.
const (
	mediaText      = "text/plain"
	mediaForm      = "application/x-www-form-urlencoded"
	mediaMultipart = "multipart/form-data"
)

const (
	tokenName     = "token"
	tokenMaxBytes = 256
)

// BeaconRequest is the body of the release by a tab that is being closed.
type BeaconRequest struct {
	Token string `json:"token" doc:"Of the lock: the proof that it may be released"`
}

// beacon is the release of a lock by a tab that is being closed. navigator.sendBeacon sends neither credentials nor
// headers, and nobody reads the answer: the token in the body is the proof.
func beacon(table []*transport.Operation) *transport.Alias {
	a := of(table, "lock.release")
	a.Method, a.Path, a.Open, a.Right = http.MethodPost, pathBeacon, true, transport.RightNone
	a.Doc = "Give a lock back when a browser's tab is closed: the token in the body is the proof"
	a.Body, a.Types, a.Headers = BeaconRequest{}, []string{mediaText, mediaForm, mediaMultipart}, nil
	a.Translate = func(r *transport.Request) error {
		token, err := tokenIn(r)
		if err == nil && token == "" {
			err = problem.At("/"+tokenName, "is missing: the token of the lock is the proof")
		}
		if len(token) > tokenMaxBytes {
			err = problem.At("/"+tokenName, "%d bytes: the limit is %d", len(token), tokenMaxBytes)
		}
		r.Header.LockToken, r.Body, r.Header.ContentType = token, nil, ""
		return err
	}
	a.Refuse = unknownToken
	return a
}

// unknownToken is all that somebody without credentials learns: not whether there is a lock, nor anything of it.
func unknownToken(err error) error {
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok || p.Code != problem.StaleToken {
		return err
	}
	return problem.New(problem.StaleToken, "the token is not one that this service knows for the scope").With("reason", "unknown")
}

// tokenIn finds the token in the body: a form's field, a member of JSON, or the text itself. JSON may come as text, since
// that is what a browser makes of a string.
func tokenIn(r *transport.Request) (string, error) {
	mediaType, params, err := mime.ParseMediaType(r.Header.ContentType)
	if err != nil {
		mediaType = mediaText // a blob of no type
	}
	text := bytes.TrimSpace(r.Body)
	switch {
	case mediaType == mediaForm:
		form, err := url.ParseQuery(string(text))
		if err != nil {
			return "", problem.At("body", "is no form")
		}
		return form.Get(tokenName), nil
	case mediaType == mediaMultipart:
		return fieldIn(r.Body, params["boundary"])
	case mediaType == mediaText && !bytes.HasPrefix(text, []byte("{")):
		return string(text), nil
	}
	members, err := jsonvalue.Members(text)
	if err != nil {
		return "", problem.At("body", "%v", err)
	}
	var token string
	for _, m := range members {
		switch {
		case m.Name != tokenName:
			return "", problem.At(jsonvalue.Pointer{m.Name}.String(), "unknown member; known are %s", tokenName)
		case m.Kind != jsonvalue.String || json.Unmarshal(m.Text, &token) != nil:
			return "", problem.At("/"+tokenName, "must be a string")
		}
	}
	return token, nil
}

// fieldIn finds the token among the fields of a form (RFC 7578).
func fieldIn(body []byte, boundary string) (string, error) {
	form := multipart.NewReader(bytes.NewReader(body), boundary)
	for {
		part, err := form.NextPart()
		if err == io.EOF { //nolint:errorlint // as NextPart says it
			return "", nil
		}
		if err != nil {
			return "", problem.At("body", "is no form: %v", err)
		}
		if part.FormName() != tokenName {
			continue
		}
		token, err := io.ReadAll(io.LimitReader(part, tokenMaxBytes+1))
		if err != nil {
			return "", problem.At("body", "is no form: %v", err)
		}
		return string(token), nil
	}
}
