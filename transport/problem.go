package transport

import (
	"math"
	"time"

	"concord/actors/problem"
)

// ProblemContentType is the media type of a refusal (RFC 9457).
const ProblemContentType = "application/problem+json"

// RenderProblem is the RFC 9457 body of a refusal, with the request's id in it.
func RenderProblem(p *problem.Problem, requestID string) []byte { return p.Body(requestID) }

// RetryAfterSeconds is the value of the HTTP header Retry-After, which knows whole seconds only.
func RetryAfterSeconds(d time.Duration) int { return max(1, int(math.Ceil(d.Seconds()))) }

// ProblemBody is the RFC 9457 body, for the schemas and for clients that read one.
type ProblemBody struct {
	Type        string               `json:"type" doc:"URI that identifies the kind of problem"`
	Title       string               `json:"title" doc:"Short text of the kind"`
	Status      int                  `json:"status" doc:"HTTP status"`
	Code        problem.Code         `json:"code" doc:"Stable name of the kind, for programs"`
	Detail      string               `json:"detail,omitempty" doc:"What happened this time"`
	Errors      []problem.FieldError `json:"errors,omitempty" doc:"Places of the request that are wrong, the first 1000 of them as far as they fit into 64 KiB"`
	ErrorsTotal int                  `json:"errorsTotal,omitempty" doc:"How many places are wrong, if not all are named"`
	RetryAfter  float64              `json:"retryAfter,omitempty" doc:"Seconds after which a retry makes sense"`
	RequestID   string               `json:"requestId" doc:"Names the entry in the service's log"`
}
