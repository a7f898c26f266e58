package config

import (
	"encoding/base64"
	"fmt"
	"net"
	"strings"
)

// rules are what the settings must be to each other.
var rules = []func(*Config) []error{authOffIsLocal, embeddedNATSIsLocal, testClockIsLocal, listenersDiffer, limitsFit}

func (c *Config) check() []error {
	var problems []error
	for _, rule := range rules {
		problems = append(problems, rule(c)...)
	}
	return problems
}

// said is a setting with its value and origin, for an error.
func (c *Config) said(key string) string {
	return fmt.Sprintf("%s = %s (%s)", key, c.Text(key), c.Origin(key))
}

// authOffIsLocal: where nobody is asked who they are, only this machine may call.
func authOffIsLocal(c *Config) []error {
	if c.Auth != authOff {
		return nil
	}
	open := []string{}
	if !listensLocally(c.HTTP.Listen) {
		open = append(open, "http.listen")
	}
	if c.NATS.URL != "" {
		for server := range strings.SplitSeq(c.NATS.URL, ",") {
			if host, err := serverHost(server); err != nil || !isLoopback(host) {
				open = append(open, "nats.url")
				break
			}
		}
	}
	var problems []error
	for _, key := range open {
		problems = append(problems, fmt.Errorf("%s is not on loopback, and %s lets everybody in who reaches it: use 127.0.0.1, "+
			"or list who may call with auth = %sPATH", c.said(key), c.said("auth"), authFilePrefix))
	}
	return problems
}

// embeddedNATSIsLocal: the embedded server knows no users, so that whoever reaches it could listen to the requests of
// others, and to their tokens.
func embeddedNATSIsLocal(c *Config) []error {
	if c.NATS.URL != "" || listensLocally(c.NATS.Listen) {
		return nil
	}
	return []error{fmt.Errorf("%s is not on loopback, and the embedded NATS server has no users of its own: use 127.0.0.1, "+
		"or a NATS server with permissions (nats.url)", c.said("nats.listen"))}
}

func listensLocally(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && isLoopback(host)
}

// testClockIsLocal: whoever can move the time can end every lock.
func testClockIsLocal(c *Config) []error {
	if !c.TestClock || listensLocally(c.HTTP.Listen) {
		return nil
	}
	return []error{fmt.Errorf("%s is for tests on loopback, but %s is not: use 127.0.0.1, or leave the clock alone",
		c.said("test.clock"), c.said("http.listen"))}
}

// listenersDiffer: two servers cannot have one port.
func listenersDiffer(c *Config) []error {
	if c.NATS.URL != "" || c.NATS.Listen != c.HTTP.Listen || strings.HasSuffix(c.HTTP.Listen, ":0") {
		return nil
	}
	return []error{fmt.Errorf("%s is taken by %s: use another port", c.said("http.listen"), c.said("nats.listen"))}
}

// answerEnvelopeBytes is what stands around contents in an answer, at most.
const answerEnvelopeBytes = 16 << 10

// chunkEnvelopeBytes is what stands around the base64 of a chunk in its request, at most.
const chunkEnvelopeBytes = 256

// limitsFit: what is inside must not be larger than what is around it.
func limitsFit(c *Config) []error {
	col, up := c.Operations.Actors.Collection, c.Operations.Actors.Upload
	pairs := []struct {
		inner  string
		need   int
		outer  string
		have   int
		reason string
	}{
		{"limits.document", col.DocumentMaxBytes + answerEnvelopeBytes, "limits.request", c.API.RequestMaxBytes, ""},
		{"limits.metadata", col.MetadataMaxBytes + answerEnvelopeBytes, "limits.request", c.API.RequestMaxBytes, ""},
		{"limits.type", c.Operations.Actors.Type.MaxBytes + answerEnvelopeBytes, "limits.request", c.API.RequestMaxBytes, ""},
		{"limits.authority", c.Operations.Actors.Authority.RecordMaxBytes + answerEnvelopeBytes, "limits.request", c.API.RequestMaxBytes, ""},
		{"limits.page.bytes", c.Operations.PageMaxBytes + answerEnvelopeBytes, "limits.request", c.API.RequestMaxBytes, ""},
		{"limits.upload.chunk", base64.StdEncoding.EncodedLen(up.ChunkMaxBytes) + chunkEnvelopeBytes,
			"limits.request", c.API.RequestMaxBytes, ", as base64,"},
		{"limits.upload.chunk", up.ChunkMaxBytes, "limits.upload", up.UploadMaxBytes, ""},
		{"limits.document", col.DocumentMaxBytes, "limits.version.bytes", col.VersionMaxBytes, ""},
		{"limits.metadata", col.MetadataMaxBytes, "limits.version.bytes", col.VersionMaxBytes, ""},
		{"limits.page.default", c.Operations.PageItems, "limits.page.items", c.Operations.PageMaxItems, ""},
	}
	var problems []error
	for _, p := range pairs {
		if p.need > p.have {
			problems = append(problems, fmt.Errorf("%s%s does not fit into %s: lower the one or raise the other",
				c.said(p.inner), p.reason, c.said(p.outer)))
		}
	}
	return problems
}
