package source

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// baseURLMaxBytes bounds a base URL: it stands in every linked field.
const baseURLMaxBytes = 512

// NormalBaseURL is a base URL in the form in which URIs begin with it: as it was given, with a "/" at its end unless it has
// a query or ends in "/", "=" or "#". An error says what is wrong with it.
func NormalBaseURL(text string) (string, error) {
	u, err := parseBaseURL(text)
	if err != nil {
		return "", err
	}
	if u.RawQuery == "" && !u.ForceQuery && !strings.ContainsAny(text[len(text)-1:], "/=#") {
		text += "/"
	}
	if len(text) > baseURLMaxBytes {
		return "", fmt.Errorf("%d bytes: the limit is %d", len(text), baseURLMaxBytes)
	}
	return text, nil
}

// parseBaseURL reads an absolute URL of a host.
func parseBaseURL(text string) (*url.URL, error) {
	if len(text) > baseURLMaxBytes {
		return nil, fmt.Errorf("%d bytes: the limit is %d", len(text), baseURLMaxBytes)
	}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool {
		return r <= 0x20 || 0x7f <= r && r < 0xa0 || strings.ContainsRune(`"<>\^{|}`+"`", r)
	}) {
		return nil, errors.New("a URL has no blanks, control characters, quotes or brackets of other kinds")
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("is no URL")
	case u.Scheme == "":
		return nil, errors.New("has no scheme, such as http://")
	case u.Host == "" || u.Hostname() == "":
		return nil, errors.New("has no host: http://example.org/names/ would be one")
	case u.User != nil:
		return nil, errors.New("names a user: every linked field would show that")
	}
	return u, nil
}

// comparable is the form under which base URLs are unique: "www." does not count, nor the case of scheme and host.
func comparableURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return text // it was checked when it was taken in
	}
	_, rest, _ := strings.Cut(text, "//")
	rest = rest[min(len(rest), len(u.Host)):]
	return u.Scheme + "://" + strings.TrimPrefix(strings.ToLower(u.Host), "www.") + rest
}
