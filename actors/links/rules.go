package links

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"concord/actors/problem"
)

// RulesMax bounds the rules of a type.
const RulesMax = 100

// Rules are the linking rules of a type, ready for use. They are shared: nobody writes to them. Nil ones are DefaultRules.
type Rules struct {
	byBib map[string][]compiled // in the order in which they were given
}

// Rule says which field of a bibliographic record may be linked to which authorities, and which subfields follow.
type Rule struct {
	Bib       string            // tag of the linked field
	Authority string            // 1XX of the authority
	Subfields string            // codes that are controlled
	Require   map[string]bool   // subfields of the authority that must be there, or must not
	Move      map[string]string // code in the authority -> code in the field
	Auto      bool              // fields are linked by their exact heading (link.auto)
}

// compiled is a rule with what its codes mean at hand. All codes of a rule are ASCII.
type compiled struct {
	Rule
	into  [128]byte // code in the authority -> code in the field; 0: not controlled
	owned [128]bool // codes in the field that follow
}

// follows says that subfields with the code in the field are controlled.
func (c *compiled) follows(code rune) bool { return code < 128 && c.owned[code] }

// moved is the code that a subfield of the authority has in the field; 0 if it is not controlled.
func (c *compiled) moved(code string) rune {
	if len(code) != 1 || code[0] >= 128 {
		return 0
	}
	return rune(c.into[code[0]])
}

// NewRules checks and compiles rules: tags of three digits, codes of one letter or digit, each pair of tags once. A refusal
// names the place (paths begin with path).
//
// Subfields 0, 6, 8 and 9 cannot be controlled: they are the link itself, or say something about their own record.
func NewRules(list []Rule, path string) (*Rules, *problem.Problem) {
	if len(list) > RulesMax {
		return nil, problem.At(path, "must have at most %d rules", RulesMax)
	}
	r := &Rules{byBib: make(map[string][]compiled, len(list))}
	for i, rule := range list {
		place := path + "/" + strconv.Itoa(i)
		c, p := compile(rule, place)
		if p != nil {
			return nil, p
		}
		if about(r.byBib[rule.Bib], rule.Authority) != nil {
			return nil, problem.At(place, "there is another rule for a field %s and a heading %s", rule.Bib, rule.Authority)
		}
		r.byBib[rule.Bib] = append(r.byBib[rule.Bib], c)
	}
	return r, nil
}

func compile(rule Rule, path string) (compiled, *problem.Problem) {
	c := compiled{Rule: rule}
	switch {
	case !isTag(rule.Bib):
		return c, problem.At(path+"/bib", "must be a tag of three digits")
	case isControl(rule.Bib):
		return c, problem.At(path+"/bib", "is a control field: it has no subfields")
	case !isTag(rule.Authority) || !isHeading(rule.Authority):
		return c, problem.At(path+"/authority", "must be the tag of a heading: 100 to 199")
	case rule.Subfields == "":
		return c, problem.At(path+"/subfields", "must name at least one subfield")
	}
	for i := range len(rule.Subfields) {
		code := rule.Subfields[i]
		if why := notControllable(code); why != "" {
			return c, problem.At(path+"/subfields", "%q %s", rune(code), why)
		}
		if c.into[code] != 0 {
			return c, problem.At(path+"/subfields", "%q is in the list twice", rune(code))
		}
		c.into[code] = code
	}
	for _, code := range slices.Sorted(maps.Keys(rule.Require)) {
		if len(code) != 1 || !isCode(code[0]) {
			return c, problem.At(path+"/require/"+escape(code), "must be a code of one letter or digit")
		}
	}
	if p := c.move(path + "/move"); p != nil {
		return c, p
	}
	for i := range len(rule.Subfields) {
		code := c.into[rule.Subfields[i]]
		if c.owned[code] {
			return c, problem.At(path+"/move", "gives two subfields the code %q", rune(code))
		}
		c.owned[code] = true
	}
	return c, nil
}

func (c *compiled) move(path string) *problem.Problem {
	for _, from := range slices.Sorted(maps.Keys(c.Move)) {
		place := path + "/" + escape(from)
		if c.moved(from) == 0 {
			return problem.At(place, "is not among the controlled subfields")
		}
		to := c.Move[from]
		if len(to) != 1 {
			return problem.At(place, "must be a code of one letter or digit")
		}
		if why := notControllable(to[0]); why != "" {
			return problem.At(place, "%q %s", rune(to[0]), why)
		}
		c.into[from[0]] = to[0]
	}
	return nil
}

// notControllable says why no rule may control the code; "" if one may.
func notControllable(code byte) string {
	switch {
	case !isCode(code):
		return "is no code: a letter or a digit"
	case strings.IndexByte(ownCodes, code) >= 0:
		return "cannot be controlled: subfields 0, 6, 8 and 9 belong to their own record"
	}
	return ""
}

// ownCodes are subfields that say something about their own record, and are no part of what a heading is.
const ownCodes = "0689"

func isCode(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

func isTag(tag string) bool {
	return len(tag) == 3 && isDigit(rune(tag[0])) && isDigit(rune(tag[1])) && isDigit(rune(tag[2]))
}

func isDigit(c rune) bool { return '0' <= c && c <= '9' }

// isControl says that a field with the tag is a text, without subfields.
func isControl(tag string) bool { return strings.HasPrefix(tag, "00") }

// isHeading says that an authority's field with the tag is what it is called.
func isHeading(tag string) bool { return isTag(tag) && tag[0] == '1' }

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

// escape is a name as it stands in a JSON Pointer.
func escape(name string) string { return pointerEscapes.Replace(name) }

// of are the rules for a field; none if it is not to be linked.
func (r *Rules) of(bib string) []compiled {
	if r == nil {
		r = DefaultRules
	}
	return r.byBib[bib]
}

// find is the rule for a field and a heading; nil if they are not to be linked.
func (r *Rules) find(bib, authority string) *compiled { return about(r.of(bib), authority) }

func about(rules []compiled, authority string) *compiled {
	for i := range rules {
		if rules[i].Authority == authority {
			return &rules[i]
		}
	}
	return nil
}

// Allows says why a field must not be linked to an authority with the heading; "" if it may. In JSON (field "") every
// authority may be named.
func (r *Rules) Allows(field string, h *Heading) (why string) {
	if field == "" {
		return ""
	}
	if h.Tag == "" {
		return "a MARC field cannot be linked to an authority whose record is not MARC"
	}
	rule := r.find(field, h.Tag)
	if rule == nil {
		return "no linking rule lets a field " + field + " name an authority with a heading " + h.Tag
	}
	for _, code := range slices.Sorted(maps.Keys(rule.Require)) {
		if has := h.has(code); has != rule.Require[code] {
			must := "must"
			if has {
				must = "must not"
			}
			return "the heading " + h.Tag + " of an authority that a field " + field + " names " + must + " have a subfield " + code
		}
	}
	return ""
}

// Texts is what the controlled subfields of a field with the tag become with the heading: those of the heading in its order,
// with the codes that they have in the field, then those that it lacks with an empty value. Of JSON (field "") it is the
// label, with the code "label". Without a rule for the two there are none.
func (r *Rules) Texts(field string, h *Heading) []Subfield {
	if field == "" {
		return []Subfield{{Code: memberLabel, Value: h.Label}}
	}
	rule := r.find(field, h.Tag)
	if rule == nil {
		return nil
	}
	var texts []Subfield
	var there [128]bool
	for _, s := range h.Subfields {
		if code := rule.moved(s.Code); code != 0 {
			texts = append(texts, Subfield{Code: string(code), Value: s.Value})
			there[code] = true
		}
	}
	for i := range len(rule.Subfields) {
		if code := rule.into[rule.Subfields[i]]; !there[code] {
			texts = append(texts, Subfield{Code: string(rune(code))})
		}
	}
	return texts
}
