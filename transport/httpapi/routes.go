package httpapi

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/http/pprof"
	"net/url"
	"slices"
	"strings"

	"concord/actors/problem"
	"concord/transport"
	"concord/transport/schema"
)

// unrouted stands for the operation of a request that reached none.
var unrouted = &transport.Operation{Name: "http.none"}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, in *http.Request) {
	path := in.URL.EscapedPath()
	if !canonical(path) {
		s.handler(unrouted, func(*exchange) error {
			return problem.At("path", `has an empty, "." or ".." segment, or a NUL: ids are percent-encoded`)
		})(w, in)
		return
	}
	s.mux.ServeHTTP(w, maskSlashes(in, path))
}

// slashMask stands for the id "/" on its way through the mux, which takes a segment "%2F" for the end of a path. No id
// has a NUL, and no path with one gets so far.
const slashMask = "\x00"

// maskSlashes is the request with the mask in place of each segment that is a slash alone.
func maskSlashes(in *http.Request, path string) *http.Request {
	segments := strings.Split(path, "/")
	masked := false
	for i, segment := range segments {
		if strings.EqualFold(segment, "%2F") {
			segments[i], masked = "%00", true
		}
	}
	if !masked {
		return in
	}
	out, target := *in, *in.URL
	target.RawPath = strings.Join(segments, "/")
	target.Path, _ = url.PathUnescape(target.RawPath) // it was valid before
	out.URL = &target
	return &out
}

// canonical says whether the mux takes the path as it is. Others it would redirect (RFC 3986 section 6.2.2.3), which
// turns a slip in an id into another resource.
func canonical(path string) bool {
	rest, rooted := strings.CutPrefix(path, "/")
	if !rooted || strings.Contains(path, "%00") {
		return false
	}
	segments := strings.Split(rest, "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		if segment == "." || segment == ".." || segment == "" && !last {
			return false
		}
	}
	return true
}

// route registers every path: the operations, the documents, what the operator asks, and the rest.
func (s *Server) route(table []*transport.Operation) {
	r := &routes{server: s, methods: make(map[string][]string)}
	s.table = make(map[string]*transport.Operation, len(table))
	for _, op := range table {
		s.table[op.Name] = op
		r.operation(op, s.config.Aliases)
	}
	for _, a := range s.config.Aliases {
		if !a.Shares() {
			r.add(a.Method, a.Path, a.Operation, byAlias(a))
		}
	}
	described := slices.Clone(table)
	if content := newContent(table); content != nil {
		r.add(content.op.Method, content.op.Path, content.op, content.serve)
		described = append(described, content.op)
	}
	r.static("/openapi.json", schema.OpenAPI(described, s.config.Aliases, s.config.Version))
	r.static("/asyncapi.json", schema.AsyncAPI(table, s.config.Prefix, s.config.Version))
	r.static("/api/v1", index(described, s.config))
	r.check("/healthz", s.config.Health)
	r.check("/readyz", s.config.Ready)
	for pattern, handler := range s.config.Extra {
		r.foreign(pattern, handler)
	}
	if s.config.Debug {
		r.foreign("/debug/pprof/", http.HandlerFunc(pprof.Index))
		r.foreign("/debug/pprof/cmdline", http.HandlerFunc(pprof.Cmdline))
		r.foreign("/debug/pprof/profile", http.HandlerFunc(pprof.Profile))
		r.foreign("/debug/pprof/symbol", http.HandlerFunc(pprof.Symbol))
		r.foreign("/debug/pprof/trace", http.HandlerFunc(pprof.Trace))
	}
	r.refuseMethods()
	s.mux.Handle("/", s.handler(unrouted, func(*exchange) error {
		return problem.New(problem.NotFound, "there is nothing at this path; GET /api/v1 lists what there is")
	}))
}

// routes are the routes so far.
type routes struct {
	server  *Server
	methods map[string][]string // by path
}

func (r *routes) add(method, path string, op *transport.Operation, serve func(*exchange) error) {
	r.note(method, path)
	r.server.mux.Handle(method+" "+path, r.server.handler(op, serve))
}

// operation adds the route of an operation, which aliases may share with it: the scope in the path or a header tells
// whose it is.
func (r *routes) operation(op *transport.Operation, aliases []*transport.Alias) {
	own := r.server.handler(op, func(x *exchange) error { return x.operate() })
	var shared []*transport.Alias
	var theirs []http.HandlerFunc
	for _, a := range aliases {
		if a.Shares() && a.Method == op.Method && a.Path == op.Path {
			shared, theirs = append(shared, a), append(theirs, r.server.handler(a.Operation, byAlias(a)))
		}
	}
	r.note(op.Method, op.Path)
	r.server.mux.HandleFunc(op.Method+" "+op.Path, func(w http.ResponseWriter, in *http.Request) {
		for i, a := range shared {
			if a.Trigger != "" && op.Method == http.MethodGet {
				w.Header().Add("Vary", a.Trigger) // a cache must not take the one for the other
			}
			if a.For(in.PathValue("scope"), in.Header.Values) {
				theirs[i](w, in)
				return
			}
		}
		own(w, in)
	})
}

// byAlias answers requests in the words of another system.
func byAlias(a *transport.Alias) func(*exchange) error {
	return func(x *exchange) error {
		x.alias = a
		return x.operate()
	}
}

// location is the path of a place of the request's entity (RFC 9110 section 10.2.2).
func (s *Server) location(r *transport.Request, p transport.Place) string {
	op := s.table[p.Operation]
	if op == nil {
		panic("httpapi: there is no operation " + p.Operation + " to look at")
	}
	return strings.NewReplacer("{provider}", r.Provider, "{id}", cmp.Or(p.ID, r.ID), "{scope}", "collection:"+r.Provider+":"+r.ID,
		"{"+op.Inner+"}", url.PathEscape(p.Inner)).Replace(op.Path)
}

// note remembers that the path has the method.
func (r *routes) note(method, path string) {
	r.methods[path] = append(r.methods[path], method)
	if method == http.MethodGet {
		r.methods[path] = append(r.methods[path], http.MethodHead) // the mux takes HEAD for GET
	}
}

// static is a document that does not change.
func (r *routes) static(path string, text []byte) {
	r.add(http.MethodGet, path, unrouted, func(x *exchange) error {
		x.reply(&transport.Reply{Status: http.StatusOK, Body: text})
		return nil
	})
}

// check is a probe of the operator's.
func (r *routes) check(path string, ask func() error) {
	r.add(http.MethodGet, path, unrouted, func(x *exchange) error {
		if ask != nil {
			if err := ask(); err != nil {
				return problem.New(problem.Unavailable, "%v", err)
			}
		}
		x.reply(&transport.Reply{Status: http.StatusOK, Body: []byte(`{"status":"ok"}`)})
		return nil
	})
}

// foreign is a route that somebody else answers. The guard stands in front of it, too.
func (r *routes) foreign(pattern string, handler http.Handler) {
	if method, path, ok := strings.Cut(pattern, " "); ok {
		r.note(method, path)
	}
	r.server.mux.Handle(pattern, r.server.handler(unrouted, func(x *exchange) error {
		x.started = true
		handler.ServeHTTP(x.w, x.in)
		return nil
	}))
}

// refuseMethods answers for the methods that a path does not have (RFC 9110 section 15.5.6).
func (r *routes) refuseMethods() {
	for path, methods := range r.methods {
		slices.Sort(methods)
		allow := strings.Join(methods, ", ")
		r.server.mux.Handle(path, r.server.handler(unrouted, func(x *exchange) error {
			x.refuseMethod(allow)
			return nil
		}))
	}
}

// indexEntry is an operation in the index.
type indexEntry struct {
	Name    string          `json:"name"`
	Doc     string          `json:"doc"`
	Method  string          `json:"method"`
	Path    string          `json:"path"`
	Subject string          `json:"subject,omitempty"` // none: over HTTP only
	Right   transport.Right `json:"right"`
}

// index is what stands at /api/v1: a start for people with curl.
func index(table []*transport.Operation, c Config) []byte {
	page := struct {
		Version    string       `json:"version"`
		OpenAPI    string       `json:"openapi"`
		AsyncAPI   string       `json:"asyncapi"`
		Operations []indexEntry `json:"operations"`
	}{c.Version, "/openapi.json", "/asyncapi.json", nil}
	for _, op := range table {
		entry := indexEntry{Name: op.Name, Doc: op.Doc, Method: op.Method, Path: op.Path, Right: op.Right}
		if op.Handle != nil {
			entry.Subject = schema.Subject(op, c.Prefix)
		}
		page.Operations = append(page.Operations, entry)
	}
	for _, a := range c.Aliases {
		if !a.Shares() {
			page.Operations = append(page.Operations, indexEntry{Name: a.ID(), Doc: a.Doc, Method: a.Method, Path: a.Path, Right: a.Right})
		}
	}
	text, err := json.MarshalIndent(page, "", "  ")
	if err != nil {
		panic("httpapi: an index of strings always marshals: " + err.Error())
	}
	return text
}
