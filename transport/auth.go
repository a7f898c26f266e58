package transport

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"concord/actors/problem"
)

// AuthOff trusts the caller's own word, as Concord-Principal. It is for loopback only; cmd sees to that.
type AuthOff struct{}

// Anonymous is the principal of a caller that names none, with --auth off.
const Anonymous = "anonymous"

// Authenticate takes the caller's word.
func (AuthOff) Authenticate(h *Header) (Caller, error) {
	name := h.Principal
	if name == "" {
		name = Anonymous
	}
	return Caller{Principal: name, Kind: "person", All: true}, nil
}

// Knows accepts every provider: it comes into being with its first record.
func (AuthOff) Knows(string) bool { return true }

// AuthFile knows the principals of a file.
type AuthFile struct {
	byDigest  map[[sha256.Size]byte]Caller
	providers map[string]bool
}

// authEntry is one principal in the file.
type authEntry struct {
	Name        string             `json:"name"`
	Kind        string             `json:"kind"`
	TokenSHA256 string             `json:"tokenSha256"`
	Rights      map[string][]Right `json:"rights"`
}

// LoadAuthFile reads a JSON file {"providers": [...], "principals": [{"name", "kind": "person"|"service",
// "tokenSha256", "rights": {"<provider>|*": ["read", ...]}}]}. Tokens stand in it as the hex of their SHA-256 only.
func LoadAuthFile(path string) (*AuthFile, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the principals: %w", err)
	}
	var file struct {
		Providers  []string    `json:"providers"`
		Principals []authEntry `json:"principals"`
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		return nil, fmt.Errorf("read the principals %s: %w", path, err)
	}
	a := &AuthFile{byDigest: make(map[[sha256.Size]byte]Caller), providers: make(map[string]bool)}
	for _, p := range file.Providers {
		a.providers[p] = true
	}
	for i, e := range file.Principals {
		if err := a.add(e); err != nil {
			return nil, fmt.Errorf("principals %s, entry %d: %w", path, i, err)
		}
	}
	return a, nil
}

func (a *AuthFile) add(e authEntry) error {
	digest, err := hex.DecodeString(e.TokenSHA256)
	switch {
	case err != nil || len(digest) != sha256.Size:
		return fmt.Errorf("tokenSha256 of %q is not the hex of a SHA-256", e.Name)
	case e.Name == "":
		return fmt.Errorf("a principal without a name")
	case e.Kind != "person" && e.Kind != "service":
		return fmt.Errorf("kind of %q: person or service", e.Name)
	}
	for provider, rights := range e.Rights {
		if provider != "*" && !ValidID(provider) {
			return fmt.Errorf("%q of %q is no provider: %s", provider, e.Name, idRule)
		}
		if provider != "*" {
			a.providers[provider] = true
		}
		for _, r := range rights {
			if !validRight(r) {
				return fmt.Errorf("%q of %q is no right: %v", r, e.Name, Rights)
			}
		}
	}
	key := [sha256.Size]byte(digest)
	if _, twice := a.byDigest[key]; twice {
		return fmt.Errorf("%q has the token of another", e.Name)
	}
	a.byDigest[key] = Caller{Principal: e.Name, Kind: e.Kind, Rights: e.Rights}
	return nil
}

func validRight(r Right) bool {
	for _, known := range Rights {
		if r == known {
			return true
		}
	}
	return false
}

// Authenticate finds the principal of the bearer token (RFC 6750). The digest of the token is the key of the look-up,
// so that its time tells nothing about how near a guess was.
func (a *AuthFile) Authenticate(h *Header) (Caller, error) {
	scheme, token, _ := strings.Cut(h.Authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return Caller{}, problem.New(problem.Unauthenticated, "a bearer token is needed")
	}
	caller, ok := a.byDigest[sha256.Sum256([]byte(token))]
	if !ok {
		return Caller{}, problem.New(problem.Unauthenticated, "the token is not known")
	}
	return caller, nil
}

// Knows says whether the file names the provider.
func (a *AuthFile) Knows(provider string) bool { return a.providers[provider] }
