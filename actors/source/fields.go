package source

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"concord/actors/problem"
)

// Bounds of the members.
const (
	nameMaxChars  = 250
	textMaxChars  = 100 // type and origin
	codesMax      = 100
	codeMaxChars  = 25
	numberMax     = 1<<53 - 1 // so that every JSON reader reads it exactly
	codesDistinct = "codes of one source differ from each other"
)

// Fields are the members of a source that a change gives; nil: it does not. An empty BaseURL is none.
type Fields struct {
	Name, Type, BaseURL, Origin *string
	Codes                       *[]string
	Selectable                  *bool
	Sequence                    **Sequence
}

// on is the source with the fields; as a whole, those that are not given are as in a new one.
func (f *Fields) on(s State, whole bool) (State, error) {
	base := s
	if whole {
		s.Name, s.Codes, s.Type, s.BaseURL, s.Origin, s.Selectable, s.Sequence = "", nil, "", "", "", true, nil
	}
	set(&s.Name, f.Name)
	set(&s.Type, f.Type)
	set(&s.Origin, f.Origin)
	set(&s.Codes, f.Codes)
	set(&s.Selectable, f.Selectable)
	set(&s.Sequence, f.Sequence)
	set(&s.BaseURL, f.BaseURL)
	for _, text := range []struct {
		path, value string
		least, most int
	}{{"/name", s.Name, 1, nameMaxChars}, {"/type", s.Type, 0, textMaxChars}, {"/origin", s.Origin, 0, textMaxChars}} {
		if why := badText(text.value, text.least, text.most); why != "" {
			return s, problem.At(text.path, "%s", why)
		}
	}
	if s.BaseURL != "" {
		normal, err := NormalBaseURL(s.BaseURL)
		if err != nil {
			return s, problem.At("/baseUrl", "%v", err)
		}
		s.BaseURL = normal
	}
	if err := checkCodes(s.Codes); err != nil {
		return s, err
	}
	return s, checkSequence(&base, &s)
}

func set[T any](into *T, given *T) {
	if given != nil {
		*into = *given
	}
}

func badText(text string, least, most int) string {
	chars := utf8.RuneCountInString(text)
	switch {
	case chars == 0 && least > 0:
		return "is missing"
	case chars > most:
		return fmt.Sprintf("%d characters: the limit is %d", chars, most)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 || 0x7f <= r && r < 0xa0 }):
		return "must be UTF-8 without control characters"
	case strings.TrimSpace(text) != text:
		return "must not begin or end with a blank"
	}
	return ""
}

func checkCodes(codes []string) error {
	if len(codes) > codesMax {
		return problem.At("/codes", "%d codes: the limit is %d", len(codes), codesMax)
	}
	for i, code := range codes {
		path := fmt.Sprintf("/codes/%d", i)
		letters := !strings.ContainsFunc(code, func(r rune) bool { return r|0x20 < 'a' || r|0x20 > 'z' })
		switch {
		case code == "" || len(code) > codeMaxChars || !letters:
			return problem.At(path, "a code is 1 to %d letters, a to z or A to Z", codeMaxChars)
		case slices.Contains(codes[:i], code):
			return problem.At(path, codesDistinct)
		}
	}
	return nil
}

// checkSequence sees to it that no local id is given twice: once numbers were given, their code stays, and they go on.
func checkSequence(before, after *State) error {
	if after.Numbered != "" && !slices.Contains(after.Codes, after.Numbered) {
		return inUse("/codes", "local ids were given under the code %q: it must stay", after.Numbered)
	}
	if after.Sequence == nil {
		return nil
	}
	start := after.Sequence.Start
	switch {
	case len(after.Codes) != 1:
		return problem.At("/sequence", "a sequence needs exactly one code, there are %d", len(after.Codes))
	case start > numberMax:
		return problem.At("/sequence/start", "must be from 0 to %d", uint64(numberMax))
	case before.Sequence != nil && before.Sequence.Start == start:
		return nil
	case after.Numbered != "" && start < after.Next:
		return inUse("/sequence/start", "local ids up to %s%d were given: the sequence can only go on from there",
			after.Numbered, after.Next-1)
	}
	return nil
}

func inUse(path, format string, args ...any) error {
	p := problem.New(problem.InUse, "the request has an error at %s", path)
	p.Errors = []problem.FieldError{{Path: path, Message: fmt.Sprintf(format, args...)}}
	return p
}

// same says that a change has changed nothing.
func (s *State) same(o *State) bool {
	return s.Name == o.Name && slices.Equal(s.Codes, o.Codes) && s.Type == o.Type && s.BaseURL == o.BaseURL &&
		s.Origin == o.Origin && s.Selectable == o.Selectable &&
		(s.Sequence == nil) == (o.Sequence == nil) && (s.Sequence == nil || *s.Sequence == *o.Sequence)
}
