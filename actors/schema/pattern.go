package schema

import (
	"regexp"
	"regexp/syntax"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// program is a regular expression that knows its size.
type program struct {
	*regexp.Regexp
	instructions int
}

var _ jsonschema.RegexpEngine = newPattern

func newPattern(text string) (jsonschema.Regexp, error) {
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	n, err := instructions(text)
	if err != nil {
		return nil, err
	}
	return program{re, n}, nil
}

// instructions is about the size of the program of a regular expression, found without making it. A match takes at most a
// time in proportion to it and to the length of the text.
func instructions(text string) (int, error) {
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return 0, err
	}
	return size(parsed), nil
}

func size(re *syntax.Regexp) int {
	n := 1 + len(re.Rune)/2 // a range of a class, or two letters
	for _, sub := range re.Sub {
		n += size(sub)
	}
	if re.Op == syntax.OpRepeat {
		n *= max(re.Min, re.Max, 1)
	}
	return n
}

// matchSteps is what one match of a text costs.
func matchSteps(instructions, textBytes int) int { return 1 + instructions*textBytes/64 }
