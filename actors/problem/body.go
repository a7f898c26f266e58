package problem

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// typeBase is the front of the `type` URI of a problem. It identifies, and is not fetched.
const typeBase = "tag:concord,2026:problem/"

// Bounds of what a refusal says. What is wrong with a request is often its own text, so that a long one, and one that grows
// by its escapes, would be answered by one that is longer than any answer may be.
const (
	textMaxBytes   = 1024
	errorsMax      = 1000
	errorsMaxBytes = 64 << 10 // all together, as they are sent
	clippedMax     = 32       // of those that are kept
)

// Body is the RFC 9457 body of the refusal. It names the request if there is an id of it.
func (p *Problem) Body(requestID string) []byte {
	body := []byte{'{'}
	add := func(name string, value any) {
		text := encode(value)
		if len(body) > 1 {
			body = append(body, ',')
		}
		body = fmt.Appendf(body, "%q:%s", name, text)
	}
	add("type", typeBase+string(p.Code))
	add("title", p.Code.Title())
	add("status", p.Status())
	add("code", p.Code)
	if p.Detail != "" {
		add("detail", Clip(p.Detail))
	}
	if len(p.Errors) > 0 {
		told := told(p.Errors)
		add("errors", told)
		if len(told) < len(p.Errors) {
			add("errorsTotal", len(p.Errors))
		}
	}
	if p.RetryAfter > 0 {
		add("retryAfter", p.RetryAfter.Seconds())
	}
	for _, m := range p.Members {
		add(m.Name, m.Value)
	}
	if requestID != "" {
		add("requestId", requestID)
	}
	return append(body, '}')
}

// encode is JSON in which contents are shown as they are: <, > and & are not escaped, which would make them longer.
func encode(value any) []byte {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return []byte("null")
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n"))
}

// told are the first errors, with what they say cut: as many as there is room for, one at least.
func told(errs []FieldError) []FieldError {
	var list []FieldError
	size := 0
	for _, e := range errs[:min(len(errs), errorsMax)] {
		e = FieldError{Path: Clip(e.Path), Message: Clip(e.Message)}
		if size += len(encode(e)); len(list) > 0 && size > errorsMaxBytes {
			break
		}
		list = append(list, e)
	}
	return list
}

// ClipErrors are the first few errors, with what they say cut, as they are kept.
func ClipErrors(errs []FieldError) []FieldError {
	clipped := make([]FieldError, min(len(errs), clippedMax))
	for i := range clipped {
		clipped[i] = FieldError{Path: Clip(errs[i].Path), Message: Clip(errs[i].Message)}
	}
	return clipped
}

// Clip is the text, cut between two characters if it is long.
func Clip(text string) string {
	if len(text) <= textMaxBytes {
		return text
	}
	end := textMaxBytes
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
