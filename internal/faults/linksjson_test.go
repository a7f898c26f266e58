package faults

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
)

// dumbJSON is a JSON document whose links are flat objects. Their bytes are known until one of them is unlinked: from then
// on it is compared by value.
type dumbJSON struct {
	raw   string
	loose bool
}

var dumbObject = regexp.MustCompile(`\{[^{}]*"authorityId"\s*:\s*"([^"]*)"[^{}]*\}`)

func (d *dumbJSON) authorities() (all []string) {
	for _, match := range dumbObject.FindAllStringSubmatch(d.raw, -1) {
		all = append(all, match[1])
	}
	return all
}

func (d *dumbJSON) follow(authority string, e dumbEffect) {
	d.raw = dumbObject.ReplaceAllStringFunc(d.raw, func(object string) string {
		if dumbObject.FindStringSubmatch(object)[1] != authority {
			return object
		}
		if e.unlink {
			d.loose = true
			return unlinked(object)
		}
		if e.heading != nil {
			object = saying(object, "label", e.heading.label())
		}
		return saying(object, "uri", e.uri)
	})
}

var dumbAuthorityID = regexp.MustCompile(`"authorityId"\s*:\s*"[^"]*"\s*,\s*`)

func unlinked(object string) string { return dumbAuthorityID.ReplaceAllString(object, "") }

// saying is a link with another text in the place of that of a member.
func saying(object, name, text string) string {
	var was map[string]any
	if err := json.Unmarshal([]byte(object), &was); err != nil {
		panic(fmt.Sprintf("a document of these tests: %v", err))
	}
	old, _ := was[name].(string)
	return strings.Replace(object, quoted(old), quoted(text), 1)
}

func (d *dumbJSON) hear(h heard) error {
	n := -1
	d.raw = dumbObject.ReplaceAllStringFunc(d.raw, func(object string) string {
		n++
		if n != h.link {
			return object
		}
		if h.kind == "DELETE" {
			return unlinked(object)
		}
		for _, s := range h.changes {
			name := s.code
			if name == "0" {
				name = "uri"
			}
			object = saying(object, name, s.text)
		}
		return object
	})
	return nil
}

func (d *dumbJSON) clone() dumbDocument {
	one := *d
	return &one
}

func (d *dumbJSON) says() string { return d.raw }

func (d *dumbJSON) same(body []byte) error {
	if d.loose {
		var want, got any
		if err := json.Unmarshal(body, &got); err != nil {
			return fmt.Errorf("a document %.80q: %w", body, err)
		}
		if err := json.Unmarshal([]byte(d.raw), &want); err != nil {
			return fmt.Errorf("a document %.80q: %w", d.raw, err)
		}
		if !reflect.DeepEqual(want, got) {
			return fmt.Errorf("document %s, want the value of %s", body, d.raw)
		}
		return nil
	}
	if d.raw != string(body) {
		return fmt.Errorf("document %s, want %s", body, d.raw)
	}
	return nil
}
