package transport

import (
	"encoding/base32"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"concord/actors/problem"
)

// Bounds of names.
const (
	idMaxBytes       = 128
	documentMaxBytes = 256
	deadlineMaxMS    = 10 * 60 * 1000
)

// ValidID says whether s can be the id of a provider, collection, type or job: letters, digits, "_" and "-", not
// beginning with one of the latter two, at most 128 bytes.
func ValidID(s string) bool {
	if s == "" || len(s) > idMaxBytes || s[0] == '-' || s[0] == '_' {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// ValidDocumentID says whether s can be the id of a document or authority: 1 to 256 bytes of UTF-8 without control
// characters, not "." or "..".
func ValidDocumentID(s string) bool {
	if s == "" || len(s) > documentMaxBytes || s == "." || s == ".." || !utf8.ValidString(s) {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || 0x7f <= r && r < 0xa0 })
}

// PromptToken is a principal as the last token of the subject of its prompts: base32 (RFC 4648 section 6) in lower case,
// without padding.
func PromptToken(principal string) string {
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(principal)))
}

// DefaultProvider is the tenant of a scope that names none.
const DefaultProvider = "main"

// ParseScope reads what a lock is on: "collection:<provider>:<id>", or "collection:<id>" of the default provider, also
// as "neverpile:collection:<id>", the name of the lock service that Concord follows.
func ParseScope(scope string) (provider, id string, err error) {
	parts := strings.Split(strings.TrimPrefix(scope, "neverpile:"), ":")
	switch {
	case len(parts) == 3 && parts[0] == "collection":
		return parts[1], parts[2], nil
	case len(parts) == 2 && parts[0] == "collection":
		return DefaultProvider, parts[1], nil
	default:
		return "", "", problem.At("scope", "must be collection:<provider>:<id> or collection:<id>")
	}
}

const idRule = "1 to 128 letters, digits, \"_\" or \"-\", the first a letter or digit"

// DocumentIDRule says in words what ValidDocumentID checks.
const DocumentIDRule = "1 to 256 bytes of UTF-8 without control characters, not \".\" or \"..\""

// CheckIDs judges the ids that the subject or the path named.
func CheckIDs(r *Request) error {
	if !r.Op.Global && !ValidID(r.Provider) {
		return problem.At("provider", "%s", idRule)
	}
	if r.Op.HasID && !ValidID(r.ID) {
		return problem.At("id", "%s", idRule)
	}
	if r.Inner != "" && !ValidDocumentID(r.Inner) {
		return problem.At(r.Op.Inner, "%s", DocumentIDRule)
	}
	return nil
}

// check bounds the headers that are stored or compared, and keeps control bytes out of them.
func (h *Header) check(maxBytes int) error {
	for _, f := range []struct{ name, value string }{
		{HeaderPrincipal, h.Principal}, {HeaderSession, h.Session}, {HeaderIdempotencyKey, h.IdempotencyKey},
		{HeaderIfMatch, h.IfMatch}, {HeaderIfNoneMatch, h.IfNoneMatch}, {HeaderLockToken, h.LockToken},
		{HeaderPrefer, h.Prefer}, {HeaderTraceParent, h.TraceParent}, {HeaderAuthorization, h.Authorization},
	} {
		if len(f.value) > maxBytes {
			return problem.At("header "+f.name, "%d bytes: the limit is %d", len(f.value), maxBytes)
		}
		if !utf8.ValidString(f.value) || strings.ContainsFunc(f.value, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
			return problem.At("header "+f.name, "control characters or invalid UTF-8")
		}
	}
	return nil
}

// setDeadline reads Concord-Deadline: how many milliseconds the caller will still wait, from the receipt on.
func (r *Request) setDeadline(now time.Time) error {
	if r.Header.Deadline == "" {
		return nil
	}
	ms, err := strconv.ParseUint(r.Header.Deadline, 10, 32)
	if err != nil || ms > deadlineMaxMS {
		return problem.At("header "+HeaderDeadline, "milliseconds from 0 to %d", deadlineMaxMS)
	}
	r.Deadline = now.Add(time.Duration(ms) * time.Millisecond)
	return nil
}

// ParseETags reads If-Match (RFC 9110 section 13.1.1). any is true for "*". Weak tags never match and are refused.
func ParseETags(value string) (versions []uint64, any bool, err error) {
	if strings.TrimSpace(value) == "*" {
		return nil, true, nil
	}
	for tag := range strings.SplitSeq(value, ",") {
		tag = strings.TrimSpace(tag)
		inner, ok := strings.CutPrefix(tag, `"v`)
		inner, ok2 := strings.CutSuffix(inner, `"`)
		n, err := strconv.ParseUint(inner, 10, 64)
		if !ok || !ok2 || err != nil || inner != strconv.FormatUint(n, 10) {
			return nil, false, problem.At("header "+HeaderIfMatch, `entity tags are of the form "v7", or *`)
		}
		versions = append(versions, n)
	}
	return versions, false, nil
}
