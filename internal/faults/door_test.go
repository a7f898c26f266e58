package faults

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"concord/actors/lock/scenario"
	"concord/transport"
)

// call is a request, whichever door it goes through.
type call struct {
	op       string // of the table
	id       string // of the entity
	inner    string // id below it
	by       scenario.Party
	token    string
	header   map[string]string
	query    map[string]string // members of the body over NATS
	body     map[string]any
	text     string // in place of body: not JSON, and over HTTP alone
	raw      []byte // in place of body: JSON as it stands, over HTTP alone
	provider string // "": provider
}

// provider is the tenant of all that the tests of this package write.
const provider = "p"

// reply is what came of a call. Over NATS a success has no status.
type reply struct {
	status int
	code   string // of the problem, "" for a success
	body   map[string]any
	text   []byte
}

// errNotSent means that nobody got the request: it had no effect.
var errNotSent = errors.New("not sent")

// door is a way in. An error says that there was no answer.
type door interface {
	do(c call) (reply, error)
	name() string
}

// place is where an operation stands over HTTP, as the documentation has it: not taken from the table that the service
// itself is made of.
var places = map[string]string{
	"collection.put": "PUT " + collectionPath, "collection.get": "GET " + collectionPath,
	"collection.delete": "DELETE " + collectionPath, "collection.events": "GET " + collectionPath + "/events",
	"collection.patch": "PATCH " + collectionPath, "collection.history": "GET " + collectionPath + "/history",
	"document.delete": "DELETE " + collectionPath + "/documents/{inner}",
	"document.put":    "PUT " + collectionPath + "/documents/{inner}", "document.get": "GET " + collectionPath + "/documents/{inner}",
	"operation.get": "GET " + collectionPath + "/operations/{inner}", "operation.cancel": "DELETE " + collectionPath + "/operations/{inner}",
	"type.put": "PUT /api/v1/providers/{provider}/types/{id}", "lock.list": "GET /api/v1/providers/{provider}/locks",
	"lock.acquire": "POST " + lockPath, "lock.renew": "PUT " + lockPath, "lock.release": "DELETE " + lockPath,
	"lock.get": "GET " + lockPath, "lock.break": "POST " + lockPath + "/break", "lock.contest": "POST " + lockPath + "/contest",
	"lock.outcome": "GET " + lockPath + "/contest", "lock.withdraw": "DELETE " + lockPath + "/contest",
	"lock.deny": "POST " + lockPath + "/contest/deny", "lock.accept": "POST " + lockPath + "/contest/accept",
	"lock.claim": "POST " + ticketPath, "lock.keepalive": "PUT " + ticketPath, "lock.leave": "DELETE " + ticketPath,
	"lock.queue": "GET " + ticketPath + "/events", "prompt.list": "GET /api/v1/prompts", "admin.status": "GET /api/v1/admin/status",
	"source.put": "PUT " + sourcePath, "source.patch": "PATCH " + sourcePath, "source.get": "GET " + sourcePath, "source.impact": "GET " + sourcePath + "/impact",
	"authority.put": "PUT " + authorityPath, "authority.get": "GET " + authorityPath, "authority.delete": "DELETE " + authorityPath,
	"authority.impact": "GET " + authorityPath + "/impact", "authority.import": "POST " + providerPath + "/authorities",
	"link.list": "GET " + providerPath + "/links", "link.count": "GET " + providerPath + "/links/count",
	"link.auto": "POST " + providerPath + "/links/auto", "link.audit": "POST " + providerPath + "/links/audit",
	"propagation.get": "GET " + propagationPath, "propagation.items": "GET " + propagationPath + "/items",
	"propagation.list": "GET " + providerPath + "/propagations", "propagation.pause": "POST " + propagationPath + "/pause",
	"propagation.resume": "POST " + propagationPath + "/resume", "propagation.cancel": "POST " + propagationPath + "/cancel",
	"propagation.retry": "POST " + propagationPath + "/retry", "propagation.rollback": "POST " + propagationPath + "/rollback", "report.list": "GET " + providerPath + "/link-reports",
	"collection.list": "GET " + providerPath + "/collections",
	"bulk.submit":     "POST " + providerPath + "/bulk-updates", "bulk.get": "GET " + bulkPath, "bulk.list": "GET " + providerPath + "/bulk-updates",
	"bulk.items": "GET " + bulkPath + "/items", "bulk.pause": "POST " + bulkPath + "/pause", "bulk.resume": "POST " + bulkPath + "/resume",
	"bulk.cancel": "POST " + bulkPath + "/cancel", "bulk.retry": "POST " + bulkPath + "/retry", "bulk.rollback": "POST " + bulkPath + "/rollback",
	"edit.open": "POST " + providerPath + "/bulk-edits", "edit.list": "GET " + providerPath + "/bulk-edits", "edit.get": "GET " + editPath,
	"edit.match": "POST " + editPath + "/match", "edit.records": "GET " + editPath + "/records", "edit.results": "GET " + editPath + "/results",
	"edit.preview": "POST " + editPath + "/preview", "edit.apply": "POST " + editPath + "/apply", "edit.rollback": "POST " + editPath + "/rollback",
	"edit.redo": "POST " + editPath + "/redo", "edit.cancel": "POST " + editPath + "/cancel", "edit.close": "POST " + editPath + "/close",
	"upload.open": "POST " + providerPath + "/uploads", "upload.append": "POST " + uploadPath + "/append", "upload.close": "POST " + uploadPath + "/close",
	"type.get": "GET /api/v1/providers/{provider}/types/{id}", "type.delete": "DELETE /api/v1/providers/{provider}/types/{id}",
	"admin.verify": "POST /api/v1/admin/verify", "beacon": "POST /api-noauth/v1/locks/collection:{provider}:{id}/release",
}

const (
	providerPath    = "/api/v1/providers/{provider}"
	collectionPath  = providerPath + "/collections/{id}"
	sourcePath      = providerPath + "/authority-sources/{id}"
	authorityPath   = providerPath + "/authorities/{inner}"
	propagationPath = providerPath + "/propagations/{id}"
	bulkPath        = providerPath + "/bulk-updates/{id}"
	editPath        = providerPath + "/bulk-edits/{id}"
	uploadPath      = providerPath + "/uploads/{id}"
	lockPath        = "/api/v1/locks/collection:{provider}:{id}"
	ticketPath      = lockPath + "/queue/{inner}"
)

// inners are the names of the ids below an entity, as members of a body over NATS.
var inners = map[string]string{"document": "document", "operation": "operation", "lock": "ticket", "authority": "authority"}

// headers are all headers of a call.
func (c call) headers() map[string]string {
	h := maps.Clone(c.header)
	if h == nil {
		h = map[string]string{}
	}
	for name, value := range map[string]string{transport.HeaderPrincipal: c.by.Principal, transport.HeaderSession: c.by.Session,
		transport.HeaderLockToken: c.token} {
		if value != "" {
			h[name] = value
		}
	}
	return h
}

func (c call) tenant() string {
	if c.provider != "" {
		return c.provider
	}
	return provider
}

// httpDoor is the HTTP API. address is asked at each call: a service that starts again has another.
type httpDoor struct {
	address func() string
	client  http.Client
}

func (*httpDoor) name() string { return "http" }

func (d *httpDoor) do(c call) (reply, error) {
	method, path, _ := strings.Cut(places[c.op], " ")
	if path == "" {
		return reply{}, fmt.Errorf("%s has no place", c.op)
	}
	path = strings.NewReplacer("{provider}", url.PathEscape(c.tenant()), "{id}", url.PathEscape(c.id),
		"{inner}", url.PathEscape(c.inner)).Replace(path)
	query := url.Values{}
	for name, value := range c.query {
		query.Set(name, value)
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	var body io.Reader
	contentType := ""
	switch {
	case c.text != "":
		body, contentType = strings.NewReader(c.text), "text/plain"
	case c.raw != nil:
		body, contentType = bytes.NewReader(c.raw), "application/json"
	case c.body != nil:
		body, contentType = bytes.NewReader(mustMarshal(c.body)), "application/json"
	}
	request, err := http.NewRequest(method, d.address()+path, body)
	if err != nil {
		return reply{}, err
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	for name, value := range c.headers() {
		request.Header.Set(name, value)
	}
	response, err := d.client.Do(request)
	if err != nil {
		return reply{}, errUnknown{err}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return reply{}, errUnknown{err}
	}
	return read(response.StatusCode, text, response.StatusCode >= 400)
}

// natsDoor is the NATS API, by plain request-reply.
type natsDoor struct{ connection func() (*nats.Conn, error) }

func (*natsDoor) name() string { return "nats" }

func (d *natsDoor) do(c call) (reply, error) {
	subject := "concord.v1." + c.op
	if !strings.HasPrefix(c.op, "prompt.") && !strings.HasPrefix(c.op, "admin.") {
		subject += "." + c.tenant()
		if c.id != "" {
			subject += "." + c.id
		}
	}
	body := maps.Clone(c.body)
	if body == nil {
		body = map[string]any{}
	}
	noun, _, _ := strings.Cut(c.op, ".")
	if c.inner != "" {
		body[inners[noun]] = c.inner
	}
	h := c.headers()
	for name, value := range c.query {
		if name == "dryRun" {
			h[transport.HeaderDryRun] = value
			continue
		}
		body[name] = scalar(value)
	}
	msg := &nats.Msg{Subject: subject, Data: mustMarshal(body), Header: nats.Header{}}
	for name, value := range h {
		msg.Header.Set(name, value)
	}
	nc, err := d.connection()
	if err != nil {
		return reply{}, fmt.Errorf("%w: %w", errNotSent, err)
	}
	answer, err := nc.RequestMsg(msg, requestTimeout)
	if err != nil {
		return reply{}, errUnknown{err}
	}
	status, _ := strconv.Atoi(answer.Header.Get(transport.HeaderServiceCode))
	return read(status, answer.Data, status != 0)
}

// scalar is a parameter as a member of a body.
func scalar(value string) any {
	if n, err := strconv.ParseUint(value, 10, 53); err == nil {
		return n
	}
	return value
}

func read(status int, text []byte, refused bool) (reply, error) {
	r := reply{status: status, text: text, body: map[string]any{}}
	if len(text) > 0 {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&r.body); err != nil {
			return r, fmt.Errorf("unreadable answer %q: %w", text, err)
		}
	}
	if refused {
		if r.code, _ = r.body["code"].(string); r.code == "" {
			return r, fmt.Errorf("status %d without a code: %q", status, text)
		}
	}
	return r, nil
}

func mustMarshal(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("a body of plain values always marshals: %v", err))
	}
	return text
}

const doorTimeout = 10 * time.Second

func newHTTPDoor(address func() string) *httpDoor {
	return &httpDoor{address: address, client: http.Client{Timeout: doorTimeout}}
}
