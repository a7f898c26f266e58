package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Setting is a line of the table.
type Setting struct {
	Key   string // dotted, as in the file and for --set
	Flag  string // of its own, without the dashes; empty: --set alone
	value value
	Doc   string // what it is, or what it bounds
}

// Env is the name of the setting in the environment.
func (s Setting) Env() string { return envName(s.Key) }

// Kind is the type of the value in a word.
func (s Setting) Kind() string { return s.value.kind() }

// Range is what the value may be, for people.
func (s Setting) Range() string { return s.value.span() }

// Default is the value that nobody has changed, as Show prints it.
func (s Setting) Default() string { return s.value.standard() }

// Settings are all settings, in the order of the table.
func Settings() []Setting { return table(new(Config)) }

// value is a field of a Config together with what it may be.
type value interface {
	set(text string) error // changes nothing if it returns an error
	reset()                // to the default
	show() string          // in a form that set takes
	standard() string      // the default, likewise
	kind() string
	span() string
	mask(text string) string // without secrets
}

// number is a field with a lowest and a highest value.
type number interface{ ~int | ~int64 | ~uint64 }

// units is how numbers of a kind are written.
type units struct {
	name   string
	parse  func(string) (int64, error)
	format func(int64) string
}

var (
	counts = units{"count", parseCount, func(n int64) string { return strconv.FormatInt(n, 10) }}
	sizes  = units{"size", ParseSize, FormatSize}
	times  = units{"duration", func(text string) (int64, error) {
		d, err := ParseDuration(text)
		return int64(d), err
	}, func(n int64) string { return FormatDuration(time.Duration(n)) }}
)

type bounded[T number] struct {
	field         *T
	def, min, max T
	units         units
}

// count is a number of things, from one on.
func count(field *int, def, max int) value { return bounded[int]{field, def, 1, max, counts} }

func size[T number](field *T, def, min, max T) value { return bounded[T]{field, def, min, max, sizes} }

func duration(field *time.Duration, def, min, max time.Duration) value {
	return bounded[time.Duration]{field, def, min, max, times}
}

func (v bounded[T]) set(text string) error {
	n, err := v.units.parse(text)
	switch {
	case err != nil:
		return err
	case n < int64(v.min):
		return fmt.Errorf("too small: it must be %s", v.span())
	case n > int64(v.max):
		return fmt.Errorf("too large: it must be %s", v.span())
	}
	*v.field = T(n)
	return nil
}

func (v bounded[T]) reset()           { *v.field = v.def }
func (v bounded[T]) show() string     { return v.units.format(int64(*v.field)) }
func (v bounded[T]) standard() string { return v.units.format(int64(v.def)) }
func (v bounded[T]) kind() string     { return v.units.name }
func (v bounded[T]) span() string {
	return v.units.format(int64(v.min)) + " to " + v.units.format(int64(v.max))
}
func (bounded[T]) mask(text string) string { return text }

// toggled is a field that is on or off.
type toggled struct {
	field *bool
	def   bool
}

// toggle is off, unless somebody turns it on.
func toggle(field *bool) value { return toggled{field, false} }

func (v toggled) set(text string) error {
	on, err := parseBool(text)
	if err != nil {
		return err
	}
	*v.field = on
	return nil
}

func (v toggled) reset()                { *v.field = v.def }
func (v toggled) show() string          { return strconv.FormatBool(*v.field) }
func (v toggled) standard() string      { return strconv.FormatBool(v.def) }
func (toggled) kind() string            { return kindBool }
func (toggled) span() string            { return "true, false" }
func (toggled) mask(text string) string { return text }

// kindBool marks the settings whose flag needs no value.
const kindBool = "bool"

// chosen is a field with one of a few values.
type chosen struct {
	field *string
	def   string
	among []string
}

func choice(field *string, def string, among ...string) value { return chosen{field, def, among} }

func (v chosen) set(text string) error {
	if !slices.Contains(v.among, text) {
		return fmt.Errorf("unknown: it must be one of %s", v.span())
	}
	*v.field = text
	return nil
}

func (v chosen) reset()                { *v.field = v.def }
func (v chosen) show() string          { return *v.field }
func (v chosen) standard() string      { return v.def }
func (chosen) kind() string            { return "choice" }
func (v chosen) span() string          { return strings.Join(v.among, ", ") }
func (chosen) mask(text string) string { return text }

// worded is a field of text in some form.
type worded struct {
	field *string
	def   string
	form  form
}

// form is what a text must look like.
type form struct {
	name  string
	look  string // for people
	check func(string) error
	mask  func(string) string // nil: nothing to hide
}

func text(field *string, def string, f form) value { return worded{field, def, f} }

// textMaxBytes bounds every text: no path, address or list of servers is longer.
const textMaxBytes = 4096

func (v worded) set(text string) error {
	switch {
	case len(text) > textMaxBytes:
		return fmt.Errorf("too long: it must be %d bytes at most", textMaxBytes)
	case strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' }):
		return fmt.Errorf("it must be text without control characters")
	}
	if err := v.form.check(text); err != nil {
		return fmt.Errorf("%w: it must be %s", err, v.form.look)
	}
	*v.field = text
	return nil
}

func (v worded) reset()           { *v.field = v.def }
func (v worded) show() string     { return *v.field }
func (v worded) standard() string { return v.def }
func (v worded) kind() string     { return v.form.name }
func (v worded) span() string     { return v.form.look }
func (v worded) mask(text string) string {
	if v.form.mask == nil {
		return text
	}
	return v.form.mask(text)
}
