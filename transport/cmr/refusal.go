package cmr

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"concord/actors/problem"
	"concord/transport"
)

// ErrorTexts is how CMR says no.
type ErrorTexts struct {
	Errors []string `json:"errors"`
}

// Bounds of a refusal.
const (
	textsMax     = 32
	quoteMaxByte = 256 // of what the request says, where a text repeats it
)

// CMR's texts.
const (
	textDisabled     = "Bulk update is disabled."
	textNotPermitted = "You do not have permission to perform that action."
	textUnsaved      = "Error creating bulk update task: "
	textNameTaken    = textUnsaved + "Bulk update name needs to be unique within the provider."
	textFailed       = "There was an error updating the concept."
)

func unknownProvider(provider string) string {
	return fmt.Sprintf("Provider with provider-id [%s] does not exist.", cut(provider))
}

func unknownTask(task, provider string) string {
	return fmt.Sprintf("Bulk update task with task id [%s] could not be found for provider id [%s].", cut(task), provider)
}

func nothingThere(provider string) string {
	return fmt.Sprintf("There are no collections that have not been deleted for provider [%s].", provider)
}

// statuses are those of all refusals.
var statuses = []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
	http.StatusNotAcceptable, http.StatusConflict, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity,
	http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusGatewayTimeout}

// refused is a refusal in CMR's words. The problem is what it is for metrics and the log.
type refused struct {
	status int
	texts  []string
	cause  *problem.Problem
}

func (r *refused) Error() string { return strings.Join(r.texts, "; ") }

func (r *refused) Unwrap() error { return r.cause }

// refuse is a refusal of ours in the words of CMR.
func refuse(status int, texts ...string) error {
	code := problem.Invalid
	switch status {
	case http.StatusNotFound:
		code = problem.NotFound
	case http.StatusRequestEntityTooLarge:
		code = problem.TooLarge
	}
	return instead(problem.New(code, "%s", texts[0]), status, texts...)
}

// instead is a refusal of the operations in the words of CMR.
func instead(p *problem.Problem, status int, texts ...string) error {
	return &refused{status: status, texts: texts, cause: p}
}

// unaccepted says why the operation has not begun a task. What is wrong with the instruction has its place in the body.
func unaccepted(provider string, u *update, err error) error {
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok {
		return err
	}
	switch {
	case p.Code == problem.NameTaken:
		return instead(p, http.StatusUnprocessableEntity, textNameTaken)
	case p.Code == problem.Invalid && u.ids == nil && names(p, "/targets"):
		return instead(p, http.StatusBadRequest, nothingThere(provider))
	case p.Code == problem.Invalid && len(p.Errors) > 0:
		return instead(p, http.StatusBadRequest, placed(p)...)
	}
	return err
}

// names says that the problem is about one place, or below it.
func names(p *problem.Problem, place string) bool {
	return len(p.Errors) == 1 && (p.Errors[0].Path == place || strings.HasPrefix(p.Errors[0].Path, place+"/"))
}

// placed are the places of an error in the body that the client has sent. What is there twice is told with both places.
func placed(p *problem.Problem) []string {
	places := strings.NewReplacer("/instructions/0/value", "#/"+keyValue, "/instructions/0/find", "#/"+keyFind,
		"/instructions/0", "#", "/instructions", "#", "/targets/ids", "#/"+keyConceptIDs, "/targets", "#/"+keyConceptIDs, "/name", "#/"+keyName)
	texts := make([]string, 0, textsMax)
	for _, e := range p.Errors[:min(len(p.Errors), textsMax)] {
		message := e.Message
		if text, first, ok := strings.Cut(message, thereAlready); ok {
			message = text + thereAlready + places.Replace(element(first))
		}
		texts = append(texts, places.Replace(element(e.Path))+": "+message)
	}
	return texts
}

// thereAlready is what the operation says between an id that is there twice and its first place.
const thereAlready = " is there already, at "

// element is the place of an id in a list that went by upload, as if it had not: line 1 is the first element.
func element(place string) string {
	line, ok := strings.CutPrefix(place, "line ")
	if !ok {
		return place
	}
	number, err := strconv.Atoi(line)
	if err != nil {
		return place
	}
	return "/targets/ids/" + strconv.Itoa(number-1)
}

// refusal writes whatever the request is refused with. That bulk updates are switched off is said first, whoever asks.
func (t *tasks) refusal(r *transport.Request, err error) (status int, body []byte) {
	said, ok := errors.AsType[*refused](err)
	if !ok {
		said = t.said(r, problem.Of(err))
	}
	if r.Op.Body != nil && !t.Enabled() {
		said = &refused{status: http.StatusBadRequest, texts: []string{textDisabled}}
	}
	body, err = json.Marshal(ErrorTexts{Errors: said.texts})
	if err != nil {
		panic("cmr: strings always marshal: " + err.Error())
	}
	return said.status, body
}

// said are the words for a refusal that comes from the way in, or from an operation.
func (t *tasks) said(r *transport.Request, p *problem.Problem) *refused {
	one := func(status int, text string) *refused { return &refused{status: status, texts: []string{text}} }
	switch {
	case p.Code == problem.Unauthenticated, p.Code == problem.Forbidden:
		return one(http.StatusUnauthorized, textNotPermitted)
	case p.Code == problem.NotFound, p.Code == problem.Invalid && names(p, "provider"): // of tasks it is said where they are asked for
		return one(http.StatusUnprocessableEntity, unknownProvider(r.Provider))
	case p.Code == problem.Invalid && names(p, "id"):
		return one(http.StatusNotFound, unknownTask(r.ID, r.Provider))
	case len(p.Errors) > 0:
		texts := make([]string, 0, textsMax)
		for _, e := range p.Errors[:min(len(p.Errors), textsMax)] {
			texts = append(texts, e.Path+": "+e.Message)
		}
		return &refused{status: p.Status(), texts: texts}
	default:
		text := p.Detail
		if text == "" {
			text = p.Code.Title()
		}
		return one(p.Status(), text)
	}
}

// cut is a text of the request as a refusal repeats it.
func cut(text string) string {
	if len(text) <= quoteMaxByte {
		return text
	}
	end := quoteMaxByte
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}
