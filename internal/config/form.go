package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// The forms of text.
var (
	path          = form{name: "path", look: "a path", check: func(string) error { return nil }}
	directory     = form{name: "directory", look: "a path, or mem:", check: checkDirectory}
	address       = form{name: "address", look: "host:port", check: checkAddress}
	servers       = form{name: "url", look: "nats://host:port, with commas between several", check: checkServers, mask: maskServers}
	principals    = form{name: "auth", look: "off, or file:PATH", check: checkAuth}
	streamName    = form{name: "name", look: "1 to 64 of A-Z a-z 0-9 _ -", check: matches(`^[A-Za-z0-9_-]{1,64}$`)}
	subjectPrefix = form{name: "subject", look: "1 to 8 words of A-Z a-z 0-9 _ -, with dots between, the first not beginning with _",
		check: matches(`^[A-Za-z0-9-][A-Za-z0-9_-]{0,31}(\.[A-Za-z0-9_-]{1,32}){0,7}$`)}
)

// Values of the setting auth.
const (
	authOff        = "off"
	authFilePrefix = "file:"
)

func matches(pattern string) func(string) error {
	re := regexp.MustCompile(pattern)
	return func(text string) error {
		if !re.MatchString(text) {
			return errors.New("not a valid name")
		}
		return nil
	}
}

func checkDirectory(text string) error {
	if text == "" || text != MemoryData && strings.HasPrefix(text, MemoryData) {
		return errors.New("not a directory")
	}
	return nil
}

func checkAddress(text string) error {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return errors.New("not an address")
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return fmt.Errorf("%q is no port", port)
	}
	if strings.ContainsAny(host, " /@") {
		return fmt.Errorf("%q is no host", host)
	}
	return nil
}

func checkAuth(text string) error {
	if path, ok := strings.CutPrefix(text, authFilePrefix); text != authOff && (!ok || path == "") {
		return errors.New("unknown")
	}
	return nil
}

// checkServers never shows what it was given: there may be a password in it.
func checkServers(text string) error {
	if text == "" {
		return nil
	}
	for i, server := range strings.Split(text, ",") {
		if _, err := serverHost(server); err != nil {
			return fmt.Errorf("server %d of the list: %w", i+1, err)
		}
	}
	return nil
}

// serverHost is the host that a NATS URL names.
func serverHost(server string) (string, error) {
	server = strings.TrimSpace(server)
	if !strings.Contains(server, "://") {
		server = "nats://" + server
	}
	u, err := url.Parse(server)
	switch {
	case err != nil:
		return "", errors.New("not a url")
	case u.Hostname() == "":
		return "", errors.New("no host")
	case strings.Contains(u.Path+u.RawQuery+u.Fragment, "@"):
		return "", errors.New("an @ behind the host: / ? # @ in a password are written %2F %3F %23 %40")
	case u.Scheme != "nats" && u.Scheme != "tls" && u.Scheme != "ws" && u.Scheme != "wss":
		return "", errors.New("the scheme is none of nats, tls, ws, wss")
	}
	return u.Hostname(), nil
}

// masked stands where a secret was.
const masked = "xxxxx"

// maskServers hides what stands in front of the @ of each server, and all of what is no URL: where the secret begins in
// that, nobody knows.
func maskServers(text string) string {
	if text == "" {
		return ""
	}
	list := strings.Split(text, ",")
	for i, server := range list {
		if _, err := serverHost(server); err != nil {
			list[i] = masked
			continue
		}
		scheme, rest, found := strings.Cut(server, "://")
		if !found {
			scheme, rest = "nats", server
		}
		if at := strings.LastIndexByte(rest, '@'); at >= 0 {
			list[i] = scheme + "://" + masked + rest[at:]
		}
	}
	return strings.Join(list, ",")
}

// isLoopback says whether only this machine can reach the host. A name other than localhost may mean anything.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
