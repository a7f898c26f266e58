package httpapi

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/transport"
)

const (
	bodylessMaxBytes  = 64 // of a body, to see that it holds nothing
	faultsMaxNamed    = 16 // parameters that one refusal names
	faultNameMaxBytes = 128
)

// checkAccept refuses who cannot read the one media type that the alias answers in (RFC 9110 sections 12.5.1 and 15.5.7).
// The codes have none for it: to programs it is an invalid request.
func (x *exchange) checkAccept() error {
	if x.alias == nil || x.alias.Media == "" {
		return nil
	}
	accepted := strings.Join(x.in.Header.Values("Accept"), ", ")
	if accepts(accepted, x.alias.Media) {
		return nil
	}
	p := problem.New(problem.Invalid, "answers are %s alone, and Accept is %.200s", x.alias.Media, accepted)
	p.OtherwiseStatus = http.StatusNotAcceptable
	return p
}

// accepts says whether the value of Accept takes the media type; an empty one takes all. Of several ranges that the type
// is in, the most exact one counts.
func accepts(value, mediaType string) bool {
	if strings.TrimSpace(value) == "" {
		return true
	}
	kind, _, _ := strings.Cut(mediaType, "/")
	exact, taken := 0, false
	for one := range strings.SplitSeq(value, ",") {
		given, params, err := mime.ParseMediaType(one)
		if err != nil {
			continue
		}
		// 3, 2, 1: the type itself, its kind, anything
		if n := slices.Index([]string{"*/*", kind + "/*", mediaType}, given) + 1; n > exact {
			q, err := strconv.ParseFloat(cmp.Or(params["q"], "1"), 64)
			exact, taken = n, err == nil && q > 0
		}
	}
	return taken
}

// open reads all of the request but its body, and lets the caller in.
func (x *exchange) open() error {
	r := x.request
	if err := x.readHeaders(); err != nil {
		return err
	}
	if !r.Op.Global {
		r.Provider = cmp.Or(x.in.PathValue("provider"), transport.DefaultProvider)
	}
	if r.Op.HasID {
		r.ID = x.in.PathValue("id")
	}
	if scope := x.in.PathValue("scope"); scope != "" {
		var err error
		if r.Provider, r.ID, err = transport.ParseScope(scope); err != nil {
			return err
		}
	}
	if r.Op.Inner != "" {
		r.Inner = strings.ReplaceAll(x.in.PathValue(r.Op.Inner), slashMask, "/")
	}
	if err := x.server.gate.Enter(r); err != nil {
		return err
	}
	if r.Op.Method == http.MethodGet {
		x.ifNoneMatch, r.Header.IfNoneMatch = r.Header.IfNoneMatch, ""
	}
	return x.readQuery()
}

// Headers that the operations know. Those of the second list may stand in several lines, which are one (RFC 9110
// section 5.3); of the others only one can be meant.
var (
	singleHeaders = []string{
		transport.HeaderAuthorization, transport.HeaderPrincipal, transport.HeaderSession, transport.HeaderIdempotencyKey,
		transport.HeaderLockToken, transport.HeaderLockRelease, transport.HeaderDeadline, transport.HeaderTraceParent,
		transport.HeaderContentType, transport.HeaderLastEventID, transport.HeaderDryRun,
	}
	listHeaders = []string{transport.HeaderIfMatch, transport.HeaderIfNoneMatch, transport.HeaderPrefer}
)

func (x *exchange) readHeaders() error {
	for _, name := range singleHeaders {
		switch values := x.in.Header.Values(name); len(values) {
		case 0:
		case 1:
			x.request.SetHeader(name, values[0])
		default:
			return problem.At("header "+name, "is given %d times", len(values))
		}
	}
	for _, name := range listHeaders {
		if values := x.in.Header.Values(name); len(values) > 0 {
			x.request.SetHeader(name, strings.Join(values, ", "))
		}
	}
	if x.alias == nil {
		return nil
	}
	if err := x.readTrigger(); err != nil {
		return err
	}
	for theirs, ours := range x.alias.Headers {
		values, known := x.in.Header.Values(theirs), x.in.Header.Values(ours)
		if len(values) > 1 || len(values) == 1 && len(known) == 1 && values[0] != known[0] {
			return problem.At("header "+theirs, "is given more than once, or with another value than %s", ours)
		}
		if len(values) == 1 {
			x.request.SetHeader(ours, values[0])
		}
	}
	return nil
}

// readTrigger reads the header that brought the request to its alias.
func (x *exchange) readTrigger() error {
	name := x.alias.Trigger
	if name == "" {
		return nil
	}
	values, most := x.in.Header.Values(name), x.server.gate.Limits.HeaderMaxBytes
	switch {
	case len(values) > 1:
		return problem.At("header "+name, "is given %d times", len(values))
	case len(values[0]) > most:
		return problem.At("header "+name, "%d bytes: the limit is %d", len(values[0]), most)
	}
	x.request.Trigger = values[0]
	return nil
}

// readQuery turns the query into the operation's parameters. What is wrong is named at once.
func (x *exchange) readQuery() error {
	r := x.request
	var wrong []problem.FieldError
	if given, ok := r.Params[paramDryRun]; ok { // by its header
		if fault := dryRunFault(r, given[0]); fault != "" {
			wrong = append(wrong, problem.FieldError{Path: "header " + transport.HeaderDryRun, Message: fault})
		}
	}
	query, err := url.ParseQuery(x.in.URL.RawQuery)
	if err != nil {
		return problem.At("query", "is not well formed: names and values are percent-encoded and joined by &")
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if fault := paramFault(r, name, query[name]); fault != "" && len(wrong) < faultsMaxNamed {
			wrong = append(wrong, problem.FieldError{Path: name[:min(len(name), faultNameMaxBytes)], Message: fault})
		}
	}
	if len(wrong) > 0 {
		p := problem.New(problem.Invalid, "the parameters are not valid")
		p.Errors = wrong
		return p
	}
	if r.Params == nil {
		r.Params = make(map[string][]string, len(query))
	}
	maps.Copy(r.Params, query)
	return nil
}

const paramDryRun = "dryRun"

func paramOf(op *transport.Operation, name string) (transport.Param, bool) {
	i := slices.IndexFunc(op.Params, func(p transport.Param) bool { return p.Name == name })
	if i < 0 {
		return transport.Param{}, false
	}
	return op.Params[i], true
}

func dryRunFault(r *transport.Request, value string) string {
	if _, ok := paramOf(r.Op, paramDryRun); !ok {
		return r.Op.Name + " has no dry run"
	}
	return valueFault(transport.TypeBoolean, value)
}

// paramFault says what is wrong with a parameter; "": nothing that is not for the operation itself to judge.
func paramFault(r *transport.Request, name string, values []string) string {
	p, known := paramOf(r.Op, name)
	_, twice := r.Params[name]
	switch {
	case !known:
		return "is no parameter of " + r.Op.Name
	case !p.Repeat && (len(values) > 1 || twice):
		return "is given more than once"
	}
	for _, v := range values {
		if fault := valueFault(p.Type, v); fault != "" {
			return fault
		}
	}
	return ""
}

func valueFault(t transport.ParamType, value string) string {
	switch {
	case !utf8.ValidString(value):
		return "is not valid UTF-8"
	case t == transport.TypeBoolean && value != "true" && value != "false":
		return `must be "true" or "false"`
	case t != transport.TypeString && value == "":
		return "is empty"
	default:
		return ""
	}
}

// timedBody bounds the time that the reading of a body takes, from its making or from the last extend on. At the end of
// the body the bound is lifted: net/http goes on reading while the request waits for its answer, and would take a
// deadline that passes then for the client's going away.
type timedBody struct {
	io.ReadCloser
	wire *http.ResponseController
}

// timeBody bounds the reading of the request's body, if it has one. The request is a copy from then on: net/http must
// find its own body in its own request, by whose type it knows what to do with the rest of it.
func (x *exchange) timeBody() {
	if x.in.Body == http.NoBody {
		return
	}
	x.in = x.in.WithContext(x.in.Context())
	if x.in.Body == nil {
		x.in.Body = http.NoBody
		return
	}
	body := &timedBody{x.in.Body, x.wire}
	body.extend()
	x.in.Body = body
}

// Read reads from the body.
func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.wire.SetReadDeadline(time.Time{}) // not on every kind of connection
	}
	return n, err
}

// extend begins the time anew.
func (b *timedBody) extend() {
	_ = b.wire.SetReadDeadline(time.Now().Add(bodyReadTimeout)) // not on every kind of connection
}

// readBody reads the body, as far as the operation takes one.
func (x *exchange) readBody() error {
	r := x.request
	if x.in.ContentLength == 0 {
		return nil
	}
	if r.Op.Body == nil {
		return x.readNothing()
	}
	if err := x.checkType(); err != nil {
		return err
	}
	var err error
	if x.alias != nil && x.alias.BodyMaxBytes > 0 {
		r.Body, err = x.readLong(x.alias.BodyMaxBytes)
	} else {
		r.Body, err = x.readAll(x.server.gate.Limits.RequestMaxBytes)
	}
	return err
}

// leaveLong makes room for another long body.
func (x *exchange) leaveLong() {
	if x.long {
		x.server.long.leave()
	}
}

// checkType holds the Content-Type against what the operation takes. A missing one means JSON, but not from a machine's
// own browsers: a form could send that without asking (see guard). Where the body itself is the proof, that harms nobody.
func (x *exchange) checkType() error {
	const at = "header " + transport.HeaderContentType
	if encoding := x.in.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return problem.At("header Content-Encoding", "bodies are taken as they are only")
	}
	given := x.request.Header.ContentType
	if given == "" && (!x.server.config.Loopback || x.request.Op.Open) {
		return nil
	}
	mediaType, _, err := mime.ParseMediaType(given)
	if taken := append([]string{transport.MediaJSON}, x.request.Op.Types...); err != nil || !slices.Contains(taken, mediaType) {
		return problem.At(at, "must be %s", strings.Join(taken, " or "))
	}
	return nil
}

// readAll reads the body up to a limit.
func (x *exchange) readAll(limit int) ([]byte, error) {
	if x.in.ContentLength > int64(limit) {
		return nil, tooLarge(limit)
	}
	var body bytes.Buffer
	err := x.readInto(&body, http.MaxBytesReader(x.w, x.in.Body, int64(limit)), limit)
	return body.Bytes(), err
}

// readLong reads a body that may be longer than those of the operations. As soon as it is, it is one of few, and has its time
// again.
func (x *exchange) readLong(limit int) ([]byte, error) {
	usual := x.server.gate.Limits.RequestMaxBytes
	if limit <= usual || x.in.ContentLength > int64(limit) {
		return x.readAll(limit)
	}
	from, body := http.MaxBytesReader(x.w, x.in.Body, int64(limit)), &bytes.Buffer{}
	if x.in.ContentLength <= int64(usual) { // or it is not known
		if err := x.readInto(body, io.LimitReader(from, int64(usual)+1), limit); err != nil || body.Len() <= usual {
			return body.Bytes(), err
		}
	}
	if err := x.server.long.enter(); err != nil {
		return nil, err
	}
	x.long = true
	if timed, ok := x.in.Body.(*timedBody); ok {
		timed.extend()
	}
	body.Grow(max(int(x.in.ContentLength), 0) + bytes.MinRead) // room to see the end in, too
	err := x.readInto(body, from, limit)
	return body.Bytes(), err
}

func (x *exchange) readInto(body *bytes.Buffer, from io.Reader, limit int) error {
	_, err := body.ReadFrom(from)
	if _, over := errors.AsType[*http.MaxBytesError](err); over {
		return tooLarge(limit)
	}
	if err != nil {
		return x.unread(err)
	}
	return nil
}

func tooLarge(limit int) error {
	return problem.New(problem.TooLarge, "the limit of a request is %d bytes; larger input goes by upload", limit).
		With("limit", limit)
}

// unread says why a body could not be read to its end.
func (x *exchange) unread(err error) error {
	x.w.Header().Set("Connection", "close")
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return problem.At("body", "did not come within %v", bodyReadTimeout)
	case x.in.Context().Err() != nil:
		return errGone
	default:
		return problem.At("body", "ends before its end: %v", err)
	}
}

// readNothing refuses a body where the operation takes none: what it holds would be ignored. An empty object is none.
func (x *exchange) readNothing() error {
	refused := problem.At("body", "%s takes no body; its parameters stand in the query", x.request.Op.Name)
	body, err := x.readAll(bodylessMaxBytes)
	if errors.Is(err, errGone) {
		return err
	}
	if err != nil {
		return refused
	}
	if members, err := jsonvalue.Members(body); len(body) > 0 && (err != nil || len(members) > 0) {
		return refused
	}
	return nil
}
