package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Target can do the steps of one story. An error of it ends the story: it says that the step could not be tried, not
// that it was refused. A Target that cannot do a verb returns an error that wraps errors.ErrUnsupported.
type Target interface {
	// Do does a step. Its token, ticket, contest and operation are the real ones, "" for none.
	Do(s Step) (Observed, error)
	// Advance lets time pass: everything that falls due on the way happens at its time.
	Advance(d time.Duration) error
	// Restart ends the service and starts it again, at the same time.
	Restart() error
}

// Observed is what a step came to.
type Observed struct {
	Word      string // the problem's code, or see Step
	Status    int
	Token     string // that was given, as the next three
	Ticket    string
	Contest   string
	Operation string
	Fields    map[string]string
	Events    []string
}

// forged has the form of a token, and is none.
const forged = "AAAAAAAAAAAAAAAAAAAAAA"

// given remembers who got what, oldest first.
type given map[string][]string

func (g given) add(kind string, who Party, value string) {
	name := kind + " " + who.String()
	if value != "" && !slices.Contains(g[name], value) {
		g[name] = append(g[name], value)
	}
}

// find resolves a name: true (the caller's), ann#1, ann#1/2, forged, none.
func (g given) find(kind string, who Party, name string) (string, error) {
	switch name {
	case "none":
		return "", nil
	case "forged":
		return forged, nil
	case "true":
		name = who.String()
	}
	name, nth, numbered := strings.Cut(name, "/")
	list := g[kind+" "+name]
	n := len(list)
	if numbered {
		var err error
		if n, err = strconv.Atoi(nth); err != nil {
			return "", fmt.Errorf("%s %s: %w", kind, name, err)
		}
	}
	if n < 1 || n > len(list) {
		return "", fmt.Errorf("%s never got that %s", name, kind)
	}
	return list[n-1], nil
}

// Run tells the story to the target. The error names the first line that came to something else.
func (sc Scenario) Run(t Target) error {
	got := given{}
	for _, s := range sc.Steps {
		if err := sc.step(t, s, got); err != nil {
			return fmt.Errorf("%s:%d: %s\n  %s\n  %w", sc.File, s.Line, sc.Name, s.Text, err)
		}
	}
	return nil
}

func (sc Scenario) step(t Target, s Step, got given) error {
	switch {
	case s.Restart:
		return t.Restart()
	case s.Verb == "":
		return t.Advance(s.Advance)
	}
	real := make(map[string]string, len(s.Args))
	for name, value := range s.Args {
		real[name] = value
	}
	if name := own[s.Verb]; name != "" && real[name] == "" {
		real[name] = "true"
	}
	for _, kind := range []string{"token", "ticket", "contest", "operation"} {
		if name, ok := real[kind]; ok {
			value, err := got.find(kind, s.Who, name)
			if err != nil {
				return err
			}
			real[kind] = value
		}
	}
	s.Args = real
	o, err := t.Do(s)
	if err != nil {
		return err
	}
	got.add("token", s.Who, o.Token)
	got.add("ticket", s.Who, o.Ticket)
	got.add("contest", s.Who, o.Contest)
	got.add("operation", s.Who, o.Operation)
	return s.Want.compare(s.Verb, o)
}

func (w Want) compare(verb string, o Observed) error {
	if verb == "events" {
		if !slices.Equal(w.Events, o.Events) && (len(o.Events) > 0 || !slices.Equal(w.Events, []string{"none"})) {
			return fmt.Errorf("got %s", strings.Join(o.Events, " "))
		}
		return nil
	}
	if o.Word != w.Word {
		return fmt.Errorf("got %s", o)
	}
	for _, f := range w.Fields {
		value, ok := o.Fields[f.Name]
		if f.Name == "status" {
			value, ok = strconv.Itoa(o.Status), true
		}
		if f.Value == "-" && !ok || ok && (f.Value == "*" || f.Value == value) {
			continue
		}
		return fmt.Errorf("%s: got %q in %s", f.Name, value, o)
	}
	return nil
}

// String is the observation without its token.
func (o Observed) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s status=%d", o.Word, o.Status)
	names := make([]string, 0, len(o.Fields))
	for name := range o.Fields {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, " %s=%q", name, o.Fields[name])
	}
	return b.String()
}
