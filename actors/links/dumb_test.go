package links

import (
	"bytes"
	"encoding/json"

	"github.com/go-json-experiment/json/jsontext"
)

// failer is a test, of rapid or of our own.
type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// The dumb version: it decodes a document into values, changes them, and knows nothing of bytes.

func decoded(t failer, body []byte) (v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return v
}

// dumbRewrite is the document as Rewrite should leave it, with the effects by the authorities' ids.
func dumbRewrite(v any, f Format, r *Rules, effect func(id string) Effect) any {
	if f == JSON {
		return dumbObjects(v, effect)
	}
	for _, element := range v.(map[string]any)["fields"].([]any) {
		for tag, data := range element.(map[string]any) {
			if isControl(tag) || len(r.of(tag)) == 0 {
				continue
			}
			data := data.(map[string]any)
			var subs []Subfield
			id := ""
			for _, s := range data["subfields"].([]any) {
				for code, value := range s.(map[string]any) {
					subs = append(subs, Subfield{code, value.(string)})
					if code == "9" {
						id = value.(string)
					}
				}
			}
			if id == "" {
				continue
			}
			list := []any{}
			for _, s := range dumbField(subs, effect(id), r.find(tag, headingTag(effect(id)))) {
				list = append(list, map[string]any{s.Code: s.Value})
			}
			data["subfields"] = list
		}
	}
	return v
}

func headingTag(e Effect) string {
	if e.Heading == nil {
		return ""
	}
	return e.Heading.Tag
}

// dumbField is one linked field with its effect; rule is that for the heading of the effect, if there is one.
func dumbField(subs []Subfield, e Effect, rule *compiled) (out []Subfield) {
	if e.URI != nil {
		has := false
		var with []Subfield
		for _, s := range subs {
			if s.Code == "0" && !has {
				has = true
				if *e.URI != "" {
					with = append(with, Subfield{"0", *e.URI})
				}
				continue
			}
			with = append(with, s)
		}
		if !has && *e.URI != "" {
			with = nil
			for _, s := range subs {
				if s.Code == "9" {
					with = append(with, Subfield{"0", *e.URI})
				}
				with = append(with, s)
			}
		}
		subs = with
	}
	if rule == nil {
		for _, s := range subs {
			if s.Code != "9" || !e.Unlink {
				out = append(out, s)
			}
		}
		return out
	}
	var groups [6][]Subfield
	digit := func(code string) int {
		if len(code) == 1 && code[0] >= '0' && code[0] <= '9' {
			return 4
		}
		return 0
	}
	for _, s := range e.Heading.Subfields {
		if bytes.Contains([]byte(rule.Subfields), []byte(s.Code)) {
			if to := rule.Move[s.Code]; to != "" {
				s.Code = to
			}
			groups[digit(s.Code)] = append(groups[digit(s.Code)], s)
		}
	}
	for _, s := range subs {
		switch {
		case s.Code == "0":
			groups[2] = append(groups[2], s)
		case s.Code == "9" && !e.Unlink:
			groups[3] = append(groups[3], s)
		case s.Code == "9" || dumbFollows(rule, s.Code):
		default:
			groups[digit(s.Code)+1] = append(groups[digit(s.Code)+1], s)
		}
	}
	for _, g := range groups {
		out = append(out, g...)
	}
	return out
}

func dumbFollows(rule *compiled, code string) bool {
	for _, c := range rule.Subfields {
		from := string(c)
		if to := rule.Move[from]; to != "" {
			from = to
		}
		if from == code {
			return true
		}
	}
	return false
}

func dumbObjects(v any, effect func(id string) Effect) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = dumbObjects(v[i], effect)
		}
	case map[string]any:
		for name := range v {
			v[name] = dumbObjects(v[name], effect)
		}
		if id, ok := v["authorityId"].(string); ok {
			e := effect(id)
			set := func(name string, to *string) {
				if _, text := v[name].(string); to != nil && *to != "" {
					v[name] = *to
				} else if to != nil && text {
					delete(v, name)
				}
			}
			set("uri", e.URI)
			if e.Heading != nil {
				set("label", &e.Heading.Label)
			}
			if e.Unlink {
				delete(v, "authorityId")
			}
		}
	}
	return v
}

// outside are the bytes of a document that no link is made of: the tokens with the white space before them, but for those
// that stand in the subfields of a linked field, or are authorityId, uri or label of a link. In JSON the commas and white
// space between members do not count.
func outside(t failer, body []byte, d *Document) string {
	t.Helper()
	inside := map[string]bool{}
	for _, l := range d.Links {
		for _, name := range []string{memberAuthority, memberURI, memberLabel, memberSubfields} {
			inside[l.Path+"/"+name] = true
		}
	}
	var out bytes.Buffer
	in := jsontext.NewDecoder(bytes.NewBuffer(body))
	for at := 0; ; {
		if _, err := in.ReadToken(); err != nil {
			break
		}
		token := body[at:in.InputOffset()]
		at = int(in.InputOffset())
		pointer := in.StackPointer()
		if d.format == MARC {
			for pointer != "" && !inside[string(pointer)] {
				pointer = pointer.Parent()
			}
			if pointer == "" {
				out.Write(token)
			}
			continue
		}
		if !inside[string(pointer)] {
			out.Write(bytes.TrimLeft(token, ", \t\r\n"))
		}
	}
	return out.String()
}
