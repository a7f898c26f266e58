package transport

import (
	"encoding/json"
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"concord/actors/problem"
)

// ProblemContentType is the media type of a refusal (RFC 9457).
const ProblemContentType = "application/problem+json"

// problemTypeBase is the front of the `type` URI of a problem. It identifies, and is not fetched.
const problemTypeBase = "tag:concord,2026:problem/"

// Bounds of what a refusal says. What is wrong with a request is often its own text, so that a long one, and one that grows
// by its escapes, would be answered by one that is longer than any answer may be.
const (
	problemTextMaxBytes = 1024
	problemErrorsMax    = 32
)

// RenderProblem is the RFC 9457 body of a refusal, with the request's id in it.
func RenderProblem(p *problem.Problem, requestID string) []byte {
	body := []byte{'{'}
	add := func(name string, value any) {
		text, err := json.Marshal(value)
		if err != nil {
			text = []byte("null")
		}
		if len(body) > 1 {
			body = append(body, ',')
		}
		body = fmt.Appendf(body, "%q:%s", name, text)
	}
	add("type", problemTypeBase+string(p.Code))
	add("title", p.Code.Title())
	add("status", p.Code.Status())
	add("code", p.Code)
	if p.Detail != "" {
		add("detail", clip(p.Detail))
	}
	if len(p.Errors) > 0 {
		add("errors", clipErrors(p.Errors))
	}
	if len(p.Errors) > problemErrorsMax {
		add("errorsTotal", len(p.Errors))
	}
	if p.RetryAfter > 0 {
		add("retryAfter", p.RetryAfter.Seconds())
	}
	for _, m := range p.Members {
		add(m.Name, m.Value)
	}
	add("requestId", requestID)
	return append(body, '}')
}

// clipErrors are the first errors, with what they say cut.
func clipErrors(errs []problem.FieldError) []problem.FieldError {
	clipped := make([]problem.FieldError, min(len(errs), problemErrorsMax))
	for i := range clipped {
		clipped[i] = problem.FieldError{Path: clip(errs[i].Path), Message: clip(errs[i].Message)}
	}
	return clipped
}

// clip is the text, cut between two characters if it is long.
func clip(text string) string {
	if len(text) <= problemTextMaxBytes {
		return text
	}
	end := problemTextMaxBytes
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// RetryAfterSeconds is the value of the HTTP header Retry-After, which knows whole seconds only.
func RetryAfterSeconds(d time.Duration) int { return max(1, int(math.Ceil(d.Seconds()))) }

// ProblemBody is the RFC 9457 body, for the schemas and for clients that read one.
type ProblemBody struct {
	Type        string               `json:"type" doc:"URI that identifies the kind of problem"`
	Title       string               `json:"title" doc:"Short text of the kind"`
	Status      int                  `json:"status" doc:"HTTP status"`
	Code        problem.Code         `json:"code" doc:"Stable name of the kind, for programs"`
	Detail      string               `json:"detail,omitempty" doc:"What happened this time"`
	Errors      []problem.FieldError `json:"errors,omitempty" doc:"Places of the request that are wrong, the first 32"`
	ErrorsTotal int                  `json:"errorsTotal,omitempty" doc:"How many places are wrong, if not all are named"`
	RetryAfter  float64              `json:"retryAfter,omitempty" doc:"Seconds after which a retry makes sense"`
	RequestID   string               `json:"requestId" doc:"Names the entry in the service's log"`
}
