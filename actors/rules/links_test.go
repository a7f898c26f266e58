package rules

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"concord/actors/links"
	"concord/actors/problem"
)

func TestLinksSetTheirOwn(t *testing.T) {
	set := func(list ...links.Rule) *links.Rules {
		compiled, p := links.NewRules(list, "")
		if p != nil {
			t.Fatal(p)
		}
		return compiled
	}
	for text, want := range map[string]Links{
		`{}`:                            {Rules: links.DefaultRules},
		`{"enabled":true}`:              {Rules: links.DefaultRules},
		`{"enabled":false}`:             {Off: true, Rules: links.DefaultRules},
		`{"unknownAuthority":"refuse"}`: {Rules: links.DefaultRules},
		`{"unknownAuthority":"accept"}`: {Accept: true, Rules: links.DefaultRules},
		`{"enabled":false,"unknownAuthority":"accept"}`: {Off: true, Accept: true, Rules: links.DefaultRules},
		`{"rules":[]}`: {Rules: set()},
		`{"rules":[{"bib":"700","authority":"100","subfields":"abcdq"}]}`: {
			Rules: set(links.Rule{Bib: "700", Authority: "100", Subfields: "abcdq", Auto: true})},
		`{"rules":[{"bib":"650","authority":"150","subfields":"a2","auto":false,"require":{},"move":{}}]}`: {
			Rules: set(links.Rule{Bib: "650", Authority: "150", Subfields: "a2", Require: map[string]bool{}, Move: map[string]string{}})},
		`{"rules":[{"bib":"240","authority":"100","subfields":"fkt","require":{"t":true,"x":false},"move":{"t":"a"},"auto":true}]}`: {
			Rules: set(links.Rule{Bib: "240", Authority: "100", Subfields: "fkt", Require: map[string]bool{"t": true, "x": false},
				Move: map[string]string{"t": "a"}, Auto: true})},
	} {
		t.Run(text, func(t *testing.T) {
			got, err := Parse([]byte(`{"links":` + text + `}`))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got.Links, sameRules); diff != "" {
				t.Error(diff)
			}
		})
	}
	if None.Links.Off || None.Links.Accept || None.Links.Rules != links.DefaultRules {
		t.Errorf("without a type: %+v", None.Links)
	}
}

func TestWrongLinksAreNamed(t *testing.T) {
	rule := func(text string) string {
		return `{"rules":[{"bib":"100","authority":"100","subfields":"a"},` + text + `]}`
	}
	with := func(members string) string {
		return rule(`{"bib":"700","authority":"100","subfields":"at",` + members + `}`)
	}
	many := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf(`{"bib":"%d","authority":"100","subfields":"a"}`, 600+i)
		}
		return `{"rules":[` + strings.Join(list, ",") + `]}`
	}
	for text, want := range map[string]struct{ path, says string }{
		many(links.RulesMax):                    {},
		many(links.RulesMax + 1):                {"/links/rules", "at most 100 rules"},
		`null`:                                  {"/links", "must be an object"},
		`[]`:                                    {"/links", "must be an object"},
		`{"rule":[]}`:                           {"/links/rule", "known are enabled, unknownAuthority, rules"},
		`{"Enabled":true}`:                      {"/links/Enabled", `"enabled" is meant`},
		`{"enabled":null}`:                      {"/links/enabled", "true or false"},
		`{"enabled":"true"}`:                    {"/links/enabled", "true or false"},
		`{"unknownAuthority":true}`:             {"/links/unknownAuthority", `one of "refuse", "accept"`},
		`{"unknownAuthority":"wait"}`:           {"/links/unknownAuthority", `one of "refuse", "accept"`},
		`{"rules":{}}`:                          {"/links/rules", "must be an array of linking rules"},
		`{"rules":null}`:                        {"/links/rules", "must be an array of linking rules"},
		rule(`1`):                               {"/links/rules/1", "must be an object"},
		rule(`{}`):                              {"/links/rules/1/bib", "is missing"},
		rule(`{"bib":"700"}`):                   {"/links/rules/1/authority", "is missing"},
		rule(`{"bib":"700","authority":"100"}`): {"/links/rules/1/subfields", "is missing"},
		rule(`{"bib":700,"authority":"100","subfields":"a"}`):     {"/links/rules/1/bib", "must be a string"},
		rule(`{"bib":"70","authority":"100","subfields":"a"}`):    {"/links/rules/1/bib", "three digits"},
		rule(`{"bib":"70x","authority":"100","subfields":"a"}`):   {"/links/rules/1/bib", "three digits"},
		rule(`{"bib":"001","authority":"100","subfields":"a"}`):   {"/links/rules/1/bib", "control field"},
		rule(`{"bib":"700","authority":"400","subfields":"a"}`):   {"/links/rules/1/authority", "100 to 199"},
		rule(`{"bib":"700","authority":"100","subfields":""}`):    {"/links/rules/1/subfields", "at least one"},
		rule(`{"bib":"700","authority":"100","subfields":["a"]}`): {"/links/rules/1/subfields", "must be a string"},
		rule(`{"bib":"700","authority":"100","subfields":"aba"}`): {"/links/rules/1/subfields", `'a' is in the list twice`},
		rule(`{"bib":"700","authority":"100","subfields":"a b"}`): {"/links/rules/1/subfields", `' ' is no code`},
		rule(`{"bib":"700","authority":"100","subfields":"a9"}`):  {"/links/rules/1/subfields", `'9' cannot be controlled`},
		rule(`{"bib":"700","authority":"100","subfields":"a0"}`):  {"/links/rules/1/subfields", `'0' cannot be controlled`},
		rule(`{"bib":"700","authority":"100","subfields":"é"}`):   {"/links/rules/1/subfields", "is no code"},
		rule(`{"bib":"100","authority":"100","subfields":"b"}`):   {"/links/rules/1", "another rule for a field 100 and a heading 100"},
		with(`"also":1`):                          {"/links/rules/1/also", "known are bib, authority, subfields, require, move, auto"},
		with(`"auto":1`):                          {"/links/rules/1/auto", "true or false"},
		with(`"require":[]`):                      {"/links/rules/1/require", "must be an object"},
		with(`"require":{"t":1}`):                 {"/links/rules/1/require/t", "true or false"},
		with(`"require":{"tt":true}`):             {"/links/rules/1/require/tt", "one letter or digit"},
		with(`"require":{"/~":true}`):             {"/links/rules/1/require/~1~0", "one letter or digit"},
		with(`"move":"t"`):                        {"/links/rules/1/move", "must be an object"},
		with(`"move":{"t":1}`):                    {"/links/rules/1/move/t", "must be a string"},
		with(`"move":{"t":"ab"}`):                 {"/links/rules/1/move/t", "one letter or digit"},
		with(`"move":{"t":"9"}`):                  {"/links/rules/1/move/t", "cannot be controlled"},
		with(`"move":{"x":"b"}`):                  {"/links/rules/1/move/x", "not among the controlled"},
		with(`"move":{"t":"a"}`):                  {"/links/rules/1/move", `gives two subfields the code 'a'`},
		with(`"move":{"t":"a","a":"t"}`):          {},
		with(`"move":{"t":"b","t":"c"}`):          {"/links/rules/1/move/t", "duplicate member name"},
		with(`"move":{"` + long(300) + `":"b"}`):  {"/links/rules/1/move", "a name of 300 bytes"},
		with(`"require":{"` + long(300) + `":1}`): {"/links/rules/1/require", "a name of 300 bytes"},
	} {
		t.Run(text[:min(len(text), 110)], func(t *testing.T) {
			got, err := Parse([]byte(`{"links":` + text + `}`))
			if want.says == "" {
				if err != nil || got == None {
					t.Fatal(err)
				}
				return
			}
			p, ok := errors.AsType[*problem.Problem](err)
			if !ok || p.Code != problem.Invalid || len(p.Errors) != 1 || got != None {
				t.Fatalf("%+v, %v", got, err)
			}
			if e := p.Errors[0]; e.Path != want.path || !strings.Contains(e.Message, want.says) {
				t.Errorf("%s: %s; want %s: %s", e.Path, e.Message, want.path, want.says)
			}
		})
	}
}

func long(n int) string { return strings.Repeat("x", n) }
