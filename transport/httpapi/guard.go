package httpapi

import (
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"concord/actors/problem"
	"concord/transport"
)

// guard keeps out what no route may see.
//
// A token in a URL ends in logs and histories (RFC 6750 section 5.3): it is refused wherever it stands.
//
// A service on loopback that believes its callers must not believe what a web page makes a browser send: a page of
// another origin (Origin, RFC 6454), or one whose name was made to point here (Host). The content type of a body is the
// third lock: a browser asks before it sends JSON to another origin, and here nobody answers such a question. What the
// connection says of its far end is not asked: behind a proxy it is always loopback.
func (s *Server) guard(in *http.Request) error {
	if err := checkNoToken(in.URL.RawQuery); err != nil {
		return err
	}
	if !s.config.Loopback {
		return nil
	}
	if !isLoopback(in.Host) {
		return problem.New(problem.Forbidden, "with --auth off, Host must name loopback")
	}
	for _, origin := range in.Header.Values("Origin") {
		if !isOwn(origin, in.Host) {
			return problem.New(problem.Forbidden, "with --auth off, no other origin is served")
		}
	}
	return nil
}

// checkNoToken refuses a parameter that could only mean a token, whatever the case, "-" and "_" of its name.
func checkNoToken(rawQuery string) error {
	query, _ := url.ParseQuery(rawQuery) // of a broken one, what could be read
	for _, name := range slices.Sorted(maps.Keys(query)) {
		plain := strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(name))
		place := transport.HeaderLockToken
		switch {
		case plain == "authorization", strings.HasSuffix(plain, "accesstoken"):
			place = transport.HeaderAuthorization
		case !strings.HasSuffix(plain, "token"):
			continue
		}
		return problem.At(name[:min(len(name), faultNameMaxBytes)], "a token never stands in a URL: it goes in the header %s", place)
	}
	return nil
}

// isLoopback says whether a Host header names this machine to itself: localhost, 127.0.0.0/8 or [::1], with any port.
func isLoopback(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.Zone() == "" && ip.IsLoopback()
}

// isOwn says whether the origin is the one that the request was sent to. "null" is nobody's.
func isOwn(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}
