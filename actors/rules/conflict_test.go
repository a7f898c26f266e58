package rules

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"concord/actors/jsonvalue"
	"concord/actors/merge"
	"concord/actors/problem"
)

func TestConflictSetsItsOwn(t *testing.T) {
	rules := func(list ...merge.Rule) *merge.Rules {
		compiled, err := merge.Compile(list)
		if err != nil {
			t.Fatal(err)
		}
		return compiled
	}
	for text, want := range map[string]Conflict{
		`{}`:                                    {},
		`{"default":null}`:                      {},
		`{"default":"merge"}`:                   {Default: Merge},
		`{"rules":[]}`:                          {},
		`{"allowed":[]}`:                        {Allowed: []Policy{}},
		`{"allowed":["client","server"]}`:       {Allowed: []Policy{Client, Server}},
		`{"script":{"source":"let x = \"é\""}}`: {Script: `let x = "é"`},
		`{"allowed":["merge-client","merge-server","merged","server-logic","custom-logic"],"default":"merge-server"}`: {
			Allowed: []Policy{MergeClient, MergeServer, Merged, ServerLogic, CustomLogic}, Default: MergeServer},
		`{"allowed":["server-logic"],"default":"custom-logic"}`: {Allowed: []Policy{ServerLogic}, Default: CustomLogic},
		`{"rules":[{"path":"/documents/*/tags","strategy":"set"},{"path":"/metadata/people","strategy":"keyed","key":"id"}]}`: {
			Rules: rules(merge.Rule{Path: jsonvalue.Pointer{"documents", "*", "tags"}, Strategy: merge.Set},
				merge.Rule{Path: jsonvalue.Pointer{"metadata", "people"}, Strategy: merge.Keyed, Key: "id"})},
	} {
		t.Run(text, func(t *testing.T) {
			got, err := Parse([]byte(`{"conflict":` + text + `}`))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got.Conflict, sameRules); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatIsAllowed(t *testing.T) {
	for name, row := range map[string]struct {
		allowed []Policy
		want    []Policy
	}{
		"nothing said: all":       {nil, Policies},
		"an empty list: none":     {[]Policy{}, nil},
		"what is listed":          {[]Policy{Merge, Client}, []Policy{Merge, Client}},
		"server-logic: by either": {[]Policy{ServerLogic}, []Policy{ServerLogic, CustomLogic}},
		"custom-logic: by either": {[]Policy{CustomLogic}, []Policy{ServerLogic, CustomLogic}},
	} {
		t.Run(name, func(t *testing.T) {
			c := Conflict{Allowed: row.allowed}
			for _, p := range Policies {
				if c.Allows(p) != slices.Contains(row.want, p) {
					t.Errorf("%s: %v", p, c.Allows(p))
				}
			}
		})
	}
}

func TestWrongConflictsAndSchemasAreNamed(t *testing.T) {
	rule := func(text string) string {
		return `{"conflict":{"rules":[{"path":"/metadata/ok","strategy":"set"},` + text + `]}}`
	}
	many := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprintf(`{"path":"/metadata/n%d","strategy":"counter"}`, i)
		}
		return `{"conflict":{"rules":[` + strings.Join(list, ",") + `]}}`
	}
	source := func(n int) string { return `{"conflict":{"script":{"source":"` + strings.Repeat("x", n) + `"}}}` }
	for text, want := range map[string]struct{ path, says string }{
		many(rulesMax):             {},
		many(rulesMax + 1):         {"/conflict/rules", "at most 1000 rules"},
		source(sourceMaxBytes):     {},
		source(sourceMaxBytes + 1): {"/conflict/script/source", "has 32769 bytes; the limit is 32768"},

		`{"conflict":null}`:                                     {"/conflict", "must be an object"},
		`{"conflict":{"policy":"merge"}}`:                       {"/conflict/policy", "known are allowed, default, rules, script"},
		`{"conflict":{"Allowed":[]}}`:                           {"/conflict/Allowed", `"allowed" is meant`},
		`{"conflict":{"allowed":null}}`:                         {"/conflict/allowed", "must be an array of policies"},
		`{"conflict":{"allowed":"merge"}}`:                      {"/conflict/allowed", "must be an array of policies"},
		`{"conflict":{"allowed":["merge","Merge"]}}`:            {"/conflict/allowed/1", `must be one of "merge", "merge-client"`},
		`{"conflict":{"allowed":[null]}}`:                       {"/conflict/allowed/0", "must be one of"},
		`{"conflict":{"allowed":["merge","merge"]}}`:            {"/conflict/allowed/1", "twice"},
		`{"conflict":{"default":"none"}}`:                       {"/conflict/default", "must be one of"},
		`{"conflict":{"default":""}}`:                           {"/conflict/default", "must be one of"},
		`{"conflict":{"default":"merge","allowed":[]}}`:         {"/conflict/default", "not among the allowed"},
		`{"conflict":{"allowed":["merge"],"default":"client"}}`: {"/conflict/default", "not among the allowed"},

		`{"conflict":{"rules":{}}}`:    {"/conflict/rules", "must be an array of rules"},
		rule(`null`):                   {"/conflict/rules/1", "must be an object"},
		rule(`{}`):                     {"/conflict/rules/1/path", "is missing"},
		rule(`{"path":"/metadata/a"}`): {"/conflict/rules/1/strategy", "is missing"},
		rule(`{"path":"/metadata/a","strategy":"sum"}`):             {"/conflict/rules/1/strategy", `must be one of "atomic", "set", "keyed"`},
		rule(`{"path":1,"strategy":"set"}`):                         {"/conflict/rules/1/path", "must be a string"},
		rule(`{"path":"metadata/a","strategy":"set"}`):              {"/conflict/rules/1/path", "must be a JSON Pointer"},
		rule(`{"path":"/metadata/~a","strategy":"set"}`):            {"/conflict/rules/1/path", "must be a JSON Pointer"},
		rule(`{"path":"/metadata/a","strategy":"keyed"}`):           {"/conflict/rules/1/key", "is missing"},
		rule(`{"path":"/metadata/a","strategy":"keyed","key":1}`):   {"/conflict/rules/1/key", "must be a string"},
		rule(`{"path":"/metadata/a","strategy":"set","key":"id"}`):  {"/conflict/rules/1/key", `only the strategy "keyed"`},
		rule(`{"path":"/metadata/a","strategy":"set","keys":"id"}`): {"/conflict/rules/1/keys", "known are path, strategy, key"},

		`{"conflict":{"script":null}}`:                         {"/conflict/script", "must be an object"},
		`{"conflict":{"script":"function merge() {}"}}`:        {"/conflict/script", "must be an object"},
		`{"conflict":{"script":{}}}`:                           {"/conflict/script/source", "is missing"},
		`{"conflict":{"script":{"source":" \n"}}}`:             {"/conflict/script/source", "must not be empty"},
		`{"conflict":{"script":{"source":1}}}`:                 {"/conflict/script/source", "must be a string"},
		`{"conflict":{"script":{"source":"x","file":"a.js"}}}`: {"/conflict/script/file", "known are source"},

		`{"schemas":null}`:                         {"/schemas", "must be an object"},
		`{"schemas":{"document":{}}}`:              {"/schemas/document", "known are metadata, documents, warn"},
		`{"schemas":{"warn":null}}`:                {"/schemas/warn", "true or false"},
		`{"schemas":{"metadata":null}}`:            {"/schemas/metadata", "must be an object, true or false"},
		`{"schemas":{"documents":{"type":"int"}}}`: {"/schemas/documents/type", "that are allowed"},
		`{"schemas":{"documents":{"properties":{"a/b":{"$ref":"http://localhost/x"}}}}}`: {"/schemas/documents/properties/a~1b/$ref", "must be a place in this schema"},
	} {
		t.Run(text[:min(len(text), 90)], func(t *testing.T) {
			got, err := Parse([]byte(text))
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

func TestSchemasAreThoseOfTheirParts(t *testing.T) {
	got, err := Parse([]byte(`{"schemas":{"metadata":{"type":"object"},"documents":{"type":"string"},"warn":true}}`))
	if err != nil {
		t.Fatal(err)
	}
	text, number := jsonvalue.NewString("x"), jsonvalue.NewObject()
	if s := got.Schemas; !s.Warn || s.Documents.Check(text, "") != nil || s.Documents.Check(number, "") == nil ||
		s.Metadata.Check(number, "") != nil || s.Metadata.Check(text, "") == nil {
		t.Errorf("%+v", got.Schemas)
	}
	if s := None.Schemas; s.Metadata != nil || s.Documents != nil {
		t.Error("no type demands something")
	}
}
