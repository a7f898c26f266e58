package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"concord/actors/problem"
	"concord/transport"
)

// What can become of a call besides an answer and a *Problem. Test with errors.Is.
var (
	// ErrUnavailable means that nobody answered within the call's time.
	ErrUnavailable = errors.New("concord is not available")
	// ErrOutcomeUnknown means that the service may have taken the write: ask it, or repeat the call with the same
	// idempotency key.
	ErrOutcomeUnknown = errors.New("the outcome of the write is not known")
	// ErrClosed means that the client was closed.
	ErrClosed = errors.New("the client is closed")
)

// Problem is a refusal of the service (RFC 9457).
type Problem struct {
	Code       problem.Code
	Status     int // as in HTTP
	Title      string
	Detail     string
	Errors     []problem.FieldError
	RetryAfter time.Duration // 0: nothing is said
	RequestID  string        // names the entry in the service's log
	Raw        json.RawMessage
}

// Error is the text for a log line or a terminal.
func (p *Problem) Error() string {
	return (&problem.Problem{Code: p.Code, Detail: p.Detail, Errors: p.Errors}).Error()
}

// Member reads a further member of the problem, such as "currentVersion" or "conflicts", into a value as json.Unmarshal
// does. It is false, and into is unchanged, if there is none that fits.
func (p *Problem) Member(name string, into any) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(p.Raw, &members) != nil {
		return false
	}
	text, ok := members[name]
	return ok && json.Unmarshal(text, into) == nil
}

// CurrentVersion is the newest version as the problem names it, 0 if it does not.
func (p *Problem) CurrentVersion() (version uint64) {
	p.Member("currentVersion", &version)
	return version
}

// IsCode says whether the error is a refusal with one of the codes.
func IsCode(err error, codes ...problem.Code) bool {
	p, ok := errors.AsType[*Problem](err)
	if !ok {
		return false
	}
	for _, code := range codes {
		if p.Code == code {
			return true
		}
	}
	return false
}

// refusal is the problem in an answer, nil if the answer is a success.
func refusal(msg *nats.Msg) *Problem {
	status := msg.Header.Get(transport.HeaderServiceCode)
	if status == "" {
		return nil
	}
	code, _ := strconv.Atoi(status)
	p := problemIn(msg.Data)
	if p == nil {
		// Not an answer of Concord: of the micro package, or of something between.
		p = &Problem{Raw: msg.Data, Code: codeOf(code), Title: msg.Header.Get(transport.HeaderServiceError)}
		p.Detail = fmt.Sprintf("%s (status %s)", p.Title, status)
	}
	p.Status, p.RequestID = code, msg.Header.Get(transport.HeaderRequestID)
	return p
}

// problemIn is the problem of an RFC 9457 body, nil if it is none of Concord's.
func problemIn(text json.RawMessage) *Problem {
	var body transport.ProblemBody
	if json.Unmarshal(text, &body) == nil && body.Code != "" {
		return &Problem{Code: body.Code, Status: body.Status, Title: body.Title, Detail: body.Detail, Errors: body.Errors,
			RetryAfter: time.Duration(body.RetryAfter * float64(time.Second)), RequestID: body.RequestID, Raw: text}
	}
	return nil
}

func codeOf(status int) problem.Code {
	if status == http.StatusServiceUnavailable {
		return problem.Unavailable
	}
	return problem.Internal
}

// local is a refusal that needs no service: what it would say is known here.
func local(err error) error {
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok {
		return err
	}
	return &Problem{Code: p.Code, Status: p.Status(), Title: p.Code.Title(), Detail: p.Detail, Errors: p.Errors,
		RetryAfter: p.RetryAfter, Raw: transport.RenderProblem(p, "")}
}
