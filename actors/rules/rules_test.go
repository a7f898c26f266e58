package rules

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"concord/actors/jsonvalue"
	"concord/actors/links"
	"concord/actors/lock"
	"concord/actors/merge"
	"concord/actors/problem"
	"concord/actors/schema"
)

// Types are compared by what they set: compiled rules as a whole, schemas by being there, the hash of the text not at all.
var (
	sameRules = cmp.Options{
		cmp.Comparer(func(a, b *merge.Rules) bool { return reflect.DeepEqual(a, b) }),
		cmp.Comparer(func(a, b *links.Rules) bool { return reflect.DeepEqual(a, b) }),
		cmp.Comparer(func(a, b *schema.Schema) bool { return (a == nil) == (b == nil) }),
	}
	hashApart = cmpopts.IgnoreFields(Type{}, "Hash")
)

func TestEachMemberSetsItsOwn(t *testing.T) {
	for text, set := range map[string]func(*Type){
		`{}`:                                           func(*Type) {},
		` { "lock" : { "contest" : { } } } `:           func(*Type) {},
		`{"requireVersion":true}`:                      func(t *Type) { t.RequireVersion = true },
		`{"requireVersion":false}`:                     func(*Type) {},
		`{"lock":{"mode":"implicit"}}`:                 func(*Type) {},
		`{"lock":{"mode":"explicit"}}`:                 func(t *Type) { t.Lock.Mode = lock.Explicit },
		`{"lock":{"mode":"optimistic"}}`:               func(t *Type) { t.Lock.Mode = lock.Optimistic },
		`{"lock":{"mode":"\u0065xplicit"}}`:            func(t *Type) { t.Lock.Mode = lock.Explicit },
		`{"lock":{"ttl":90}}`:                          func(t *Type) { t.Lock.TTL = 90 * time.Second },
		`{"lock":{"ttl":9e1}}`:                         func(t *Type) { t.Lock.TTL = 90 * time.Second },
		`{"lock":{"ttl":7.25}}`:                        func(t *Type) { t.Lock.TTL = 7250 * time.Millisecond },
		`{"lock":{"ttl":7.0000014}}`:                   func(t *Type) { t.Lock.TTL = 7*time.Second + time.Microsecond },
		`{"lock":{"minTtl":1}}`:                        func(t *Type) { t.Lock.MinTTL = time.Second },
		`{"lock":{"maxTtl":86400}}`:                    func(t *Type) { t.Lock.MaxTTL = 24 * time.Hour },
		`{"lock":{"maxWaiters":0}}`:                    func(t *Type) { t.Lock.MaxWaiters = 0 },
		`{"lock":{"maxWaiters":1024}}`:                 func(t *Type) { t.Lock.MaxWaiters = 1024 },
		`{"lock":{"maxWaiters":7.00e0}}`:               func(t *Type) { t.Lock.MaxWaiters = 7 },
		`{"lock":{"waiterTtl":1.5}}`:                   func(t *Type) { t.Lock.WaiterTTL = 1500 * time.Millisecond },
		`{"lock":{"offerWindow":20}}`:                  func(t *Type) { t.Lock.OfferWindow = 20 * time.Second },
		`{"lock":{"contest":{"deadline":1}}}`:          func(t *Type) { t.Lock.ContestDeadline = time.Second },
		`{"lock":{"contest":{"cooldown":0}}}`:          func(t *Type) { t.Lock.Cooldown = 0 },
		`{"lock":{"contest":{"onTimeout":"keep"}}}`:    func(*Type) {},
		`{"lock":{"contest":{"onTimeout":"release"}}}`: func(t *Type) { t.Lock.OnTimeout = lock.ReleaseOnTimeout },
		`{"lock":{"lockedStatus":409}}`:                func(*Type) {},
		`{"lock":{"lockedStatus":423}}`:                func(t *Type) { t.Lock.LockedStatus = 423 },
		`{"lock":{"lockedStatus":4.23e2}}`:             func(t *Type) { t.Lock.LockedStatus = 423 },
		`{"lock":{"minTtl":100,"ttl":200,"maxTtl":300}}`: func(t *Type) {
			t.Lock.MinTTL, t.Lock.TTL, t.Lock.MaxTTL = 100*time.Second, 200*time.Second, 300*time.Second
		},
	} {
		t.Run(text, func(t *testing.T) {
			want := *None
			set(&want)
			got, err := Parse([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&want, got, sameRules, hashApart); diff != "" {
				t.Error(diff)
			}
			if got.Hash != sha256.Sum256([]byte(text)) || got.Version != 0 {
				t.Errorf("version %d, hash %x", got.Version, got.Hash)
			}
		})
	}
}

// whole is the example of the contract, as far as this version offers it.
const whole = `{"lock": {"mode": "implicit", "ttl": 60, "minTtl": 5, "maxTtl": 3600, "maxWaiters": 64, "waiterTtl": 30,
	"offerWindow": 10, "contest": {"deadline": 60, "onTimeout": "keep", "cooldown": 30}, "lockedStatus": 409},
	"requireVersion": false, "links": {"enabled": true, "unknownAuthority": "refuse"}}`

// contract has what whole has not.
const contract = `{"conflict": {"allowed": ["merge", "merged", "client"], "default": null,
	"rules": [{"path": "/documents/*/tags", "strategy": "set"}, {"path": "/metadata/people", "strategy": "keyed", "key": "id"}],
	"script": {"source": "function merge(base, client, server, ctx) { return server }"}},
	"schemas": {"metadata": {"type": "object", "properties": {"title": {"type": "string", "minLength": 1}}},
	"documents": {"type": "object", "required": ["to"], "properties": {"to": {"type": "string"}, "year": {"type": "integer"}}}, "warn": false}}`

func TestTheDefaultsWrittenOutSetNothing(t *testing.T) {
	got, err := Parse([]byte(whole))
	if err != nil || !cmp.Equal(got, None, sameRules, hashApart) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestWhatIsWrongIsNamed(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for text, want := range map[string]struct{ path, says string }{
		``:                             {"", "unexpected end"},
		`{`:                            {"", "unexpected end"},
		`[]`:                           {"", "must be an object"},
		`null`:                         {"", "must be an object"},
		`{} {}`:                        {"", "trailing data"},
		`{"lock":{"ttl":10,"ttl":20}}`: {"/lock/ttl", "duplicate member name"},
		`{"requireVersion":true,"require\u0056ersion":true}`: {"/requireVersion", "duplicate member name"},
		"{\"lock\":{\"mode\":\"\xff\"}}":                     {"/lock/mode", "invalid UTF-8"},
		strings.Repeat("[", 70) + strings.Repeat("]", 70):    {strings.Repeat("/0", 64), "nested deeper than 64"},

		`{"locks":{}}`:                         {"/locks", "known are lock, requireVersion, conflict, schemas, keys, indexes, fields, links"},
		`{"Lock":{}}`:                          {"/Lock", `names are exact: "lock" is meant`},
		`{"lock":{"TTL":9}}`:                   {"/lock/TTL", `"ttl" is meant`},
		`{"lock":{"operationExpiry":9}}`:       {"/lock/operationExpiry", "known are mode, ttl, minTtl, maxTtl, maxWaiters, waiterTtl, offerWindow, contest, lockedStatus"},
		`{"lock":{"contest":{"perMinute":9}}}`: {"/lock/contest/perMinute", "known are deadline, onTimeout, cooldown"},
		`{"a/b~c":1}`:                          {"/a~1b~0c", "unknown member"},
		`{"` + long + `":1}`:                   {"", "a name of 1000 bytes"},
		`{"lock":{"` + long + `":1}}`:          {"/lock", "a name of 1000 bytes"},

		`{"keys":{}}`:    {"/keys", "must be a list"},
		`{"indexes":{}}`: {"/indexes", "must be a list"},
		`{"fields":[]}`:  {"/fields", "must be an object"},

		`{"requireVersion":1}`:                        {"/requireVersion", "true or false"},
		`{"requireVersion":null}`:                     {"/requireVersion", "true or false"},
		`{"requireVersion":"true"}`:                   {"/requireVersion", "true or false"},
		`{"lock":null}`:                               {"/lock", "must be an object"},
		`{"lock":[]}`:                                 {"/lock", "must be an object"},
		`{"lock":{"contest":true}}`:                   {"/lock/contest", "must be an object"},
		`{"lock":{"mode":"Implicit"}}`:                {"/lock/mode", `one of "implicit", "explicit", "optimistic"`},
		`{"lock":{"mode":""}}`:                        {"/lock/mode", "one of"},
		`{"lock":{"mode":1}}`:                         {"/lock/mode", "one of"},
		`{"lock":{"contest":{"onTimeout":"break"}}}`:  {"/lock/contest/onTimeout", `one of "keep", "release"`},
		`{"lock":{"ttl":"60"}}`:                       {"/lock/ttl", "number of seconds"},
		`{"lock":{"ttl":null}}`:                       {"/lock/ttl", "number of seconds"},
		`{"lock":{"ttl":-1}}`:                         {"/lock/ttl", "from 0 to 1000000000"},
		`{"lock":{"ttl":-1e-999}}`:                    {"/lock/ttl", "from 0 to 1000000000"},
		`{"lock":{"ttl":1e999999999999999999999}}`:    {"/lock/ttl", "from 0 to 1000000000"},
		`{"lock":{"ttl":1000000000.1}}`:               {"/lock/ttl", "from 0 to 1000000000"},
		`{"lock":{"maxWaiters":"64"}}`:                {"/lock/maxWaiters", "whole number"},
		`{"lock":{"maxWaiters":1.5}}`:                 {"/lock/maxWaiters", "whole number"},
		`{"lock":{"maxWaiters":1.00000000000000001}}`: {"/lock/maxWaiters", "whole number"},
		`{"lock":{"maxWaiters":-1}}`:                  {"/lock/maxWaiters", "whole number"},
		`{"lock":{"maxWaiters":1e99}}`:                {"/lock/maxWaiters", "whole number"},
		`{"lock":{"lockedStatus":404}}`:               {"/lock/lockedStatus", "409 or 423"},
		`{"lock":{"lockedStatus":0}}`:                 {"/lock/lockedStatus", "409 or 423"},
		`{"lock":{"lockedStatus":"423"}}`:             {"/lock/lockedStatus", "409 or 423"},

		`{"lock":{"ttl":0}}`:                       {"/lock/ttl", "0s is not from 5s to 1h0m0s"},
		`{"lock":{"ttl":3601}}`:                    {"/lock/ttl", "not from 5s to 1h0m0s"},
		`{"lock":{"minTtl":0.5}}`:                  {"/lock/minTtl", "500ms is not from 1s"},
		`{"lock":{"minTtl":61}}`:                   {"/lock/ttl", "1m0s is not from 1m1s to 1h0m0s; this is the default: set it, too"},
		`{"lock":{"maxTtl":4}}`:                    {"/lock/maxTtl", "4s is not from 5s"},
		`{"lock":{"maxTtl":86401}}`:                {"/lock/maxTtl", "not from 5s to 24h0m0s"},
		`{"lock":{"maxTtl":30}}`:                   {"/lock/ttl", "this is the default: set it, too"},
		`{"lock":{"maxWaiters":1025}}`:             {"/lock/maxWaiters", "1025 is not from 0 to 1024"},
		`{"lock":{"waiterTtl":0}}`:                 {"/lock/waiterTtl", "not from 1s"},
		`{"lock":{"offerWindow":3601}}`:            {"/lock/offerWindow", "not from 1s to 1h0m0s"},
		`{"lock":{"contest":{"deadline":0.25}}}`:   {"/lock/contest/deadline", "250ms is not from 1s"},
		`{"lock":{"contest":{"cooldown":100000}}}`: {"/lock/contest/cooldown", "not from 0s to 24h0m0s"},
	} {
		t.Run(text[:min(len(text), 60)], func(t *testing.T) {
			got, err := Parse([]byte(text))
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

func TestStoredState(t *testing.T) {
	saved := State{Text: []byte(`{"requireVersion":true}`), Version: 3}
	for name, row := range map[string]struct {
		state []byte
		want  *Type
		wrong bool
	}{
		"never was":                     {nil, None, false},
		"saved":                         {EncodeState(saved), &Type{Lock: None.Lock, Links: None.Links, RequireVersion: true, Version: 3, Hash: sha256.Sum256(saved.Text)}, false},
		"deleted":                       {EncodeState(State{Version: 4, Deleted: true}), None, false},
		"no message":                    {[]byte{0xff}, None, true},
		"of a version that knows more":  {EncodeState(State{Text: []byte(`{"shiny":1}`), Version: 1}), None, true},
		"a live state without its text": {EncodeState(State{Version: 1}), None, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Decode(row.state)
			if !cmp.Equal(got, row.want, sameRules) || (err != nil) != row.wrong {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
	// The stored form may grow, and never change.
	const golden = "0a177b227265717569726556657273696f6e223a747275657d1003"
	if got := hex.EncodeToString(EncodeState(saved)); got != golden {
		t.Errorf("a state is stored as %s, was %s", got, golden)
	}
}

func TestStateReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := State{Text: rapid.SliceOfN(rapid.Byte(), 1, 100).Draw(t, "text"),
			Version: rapid.Uint64Range(1, 1<<60).Draw(t, "version"), Deleted: rapid.Bool().Draw(t, "deleted")}
		back, err := DecodeState(EncodeState(s))
		if err != nil || !bytes.Equal(back.Text, s.Text) || back.Version != s.Version || back.Deleted != s.Deleted {
			t.Fatalf("%+v read back as %+v, %v", s, back, err)
		}
	})
}

// plain is the same shape as the standard library reads it: it knows no bounds, and takes whatever case.
type plain struct {
	Lock struct {
		Mode         string  `json:"mode"`
		TTL          float64 `json:"ttl"`
		MinTTL       float64 `json:"minTtl"`
		MaxTTL       float64 `json:"maxTtl"`
		MaxWaiters   float64 `json:"maxWaiters"`
		WaiterTTL    float64 `json:"waiterTtl"`
		OfferWindow  float64 `json:"offerWindow"`
		LockedStatus float64 `json:"lockedStatus"`
		Contest      struct {
			Deadline  float64 `json:"deadline"`
			OnTimeout string  `json:"onTimeout"`
			Cooldown  float64 `json:"cooldown"`
		} `json:"contest"`
	} `json:"lock"`
	RequireVersion bool `json:"requireVersion"`
	Conflict       struct {
		Allowed []Policy    `json:"allowed,omitzero"`
		Default *Policy     `json:"default"`
		Rules   []plainRule `json:"rules,omitzero"`
		Script  *struct {
			Source string `json:"source"`
		} `json:"script,omitzero"`
	} `json:"conflict"`
	Links struct {
		Enabled bool            `json:"enabled"`
		Unknown string          `json:"unknownAuthority"`
		Rules   json.RawMessage `json:"rules,omitzero"`
	} `json:"links"`
	Schemas struct {
		Metadata  json.RawMessage `json:"metadata,omitzero"`
		Documents json.RawMessage `json:"documents,omitzero"`
		Warn      bool            `json:"warn"`
	} `json:"schemas"`
}

type plainRule struct {
	Path     string  `json:"path"`
	Strategy string  `json:"strategy"`
	Key      *string `json:"key,omitzero"`
}

func plainOf(t *Type) (p plain) {
	l := &p.Lock
	l.Mode, l.TTL, l.MinTTL, l.MaxTTL = string(t.Lock.Mode), t.Lock.TTL.Seconds(), t.Lock.MinTTL.Seconds(), t.Lock.MaxTTL.Seconds()
	l.MaxWaiters, l.WaiterTTL, l.OfferWindow = float64(t.Lock.MaxWaiters), t.Lock.WaiterTTL.Seconds(), t.Lock.OfferWindow.Seconds()
	l.LockedStatus, l.Contest.Deadline = float64(t.Lock.LockedStatus), t.Lock.ContestDeadline.Seconds()
	l.Contest.OnTimeout, l.Contest.Cooldown = string(t.Lock.OnTimeout), t.Lock.Cooldown.Seconds()
	p.RequireVersion, p.Conflict.Allowed, p.Schemas.Warn = t.RequireVersion, t.Conflict.Allowed, t.Schemas.Warn
	p.Links.Enabled, p.Links.Unknown = !t.Links.Off, "refuse"
	if t.Links.Accept {
		p.Links.Unknown = "accept"
	}
	if t.Conflict.Default != "" {
		p.Conflict.Default = &t.Conflict.Default
	}
	if t.Conflict.Script != "" {
		p.Conflict.Script = &struct {
			Source string `json:"source"`
		}{t.Conflict.Script}
	}
	return p
}

// FuzzParse: whatever comes is read or refused with one place named. What is read is within bounds, the standard library
// reads the same in it, and writing it out gives it back.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{whole, contract, `{}`,
		`{"conflict":{"allowed":[],"rules":[]},"schemas":{"metadata":{"$ref":"#"}}}`, `{"conflict":{"default":"merged"},"schemas":{"documents":false}}`, `{"lock":{"ttl":7.0000014,"mode":"explicit"},"requireVersion":true}`,
		`{"lock":{"contest":{"deadline":1e1,"onTimeout":"release","cooldown":0.5},"maxWaiters":0,"lockedStatus":423}}`,
		`{"links":{"enabled":false,"unknownAuthority":"accept","rules":[{"bib":"240","authority":"100","subfields":"kt","require":{"t":true},"move":{"t":"a"},"auto":false}]}}`,
		`{"lock":{"minTtl":61}}`, `{"schemas":{}}`, `{"lock":{"TTL":1}}`, `{"lock":{"ttl":1,"ttl":2}}`, `[1]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := Parse(text)
		if err != nil {
			p, ok := errors.AsType[*problem.Problem](err)
			if !ok || p.Code != problem.Invalid || len(p.Errors) != 1 || got != None {
				t.Fatalf("%q: %+v, %v", text, got, err)
			}
			if _, err := jsonvalue.ParsePointer(p.Errors[0].Path); err != nil {
				t.Fatalf("%q: %q is no pointer", text, p.Errors[0].Path)
			}
			return
		}
		if err := got.Lock.Validate(); err != nil {
			t.Fatalf("%q is out of bounds: %v", text, err)
		}
		want := plainOf(None)
		if err := json.Unmarshal(text, &want); err != nil {
			t.Fatalf("%q: the standard library says %v", text, err)
		}
		have := plainOf(got)
		// What was compiled cannot be written out: that it is there, and later that its text makes the same, is all.
		if len(want.Conflict.Rules) > 0 != (got.Conflict.Rules != nil) || want.Schemas.Metadata != nil != (got.Schemas.Metadata != nil) ||
			want.Schemas.Documents != nil != (got.Schemas.Documents != nil) || want.Links.Rules != nil != (got.Links.Rules != links.DefaultRules) {
			t.Fatalf("%q: rules and schemas are %+v, %+v", text, got.Conflict, got.Schemas)
		}
		have.Conflict.Rules, have.Links.Rules = want.Conflict.Rules, want.Links.Rules
		have.Schemas.Metadata, have.Schemas.Documents = want.Schemas.Metadata, want.Schemas.Documents
		near := cmp.Comparer(func(a, b float64) bool { return a-b < 1e-6 && b-a < 1e-6 })
		if diff := cmp.Diff(want, have, near); diff != "" {
			t.Fatalf("%q: %s", text, diff)
		}
		again, err := json.Marshal(have)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Parse(again); err != nil || !cmp.Equal(back, got, sameRules, hashApart) {
			t.Fatalf("%q is %+v, written as %s it is %+v, %v", text, got, again, back, err)
		}
	})
}
