package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"concord/actors/problem"
	"concord/transport/client"
)

// stale is a client of a service whose collection demo has moved on to version 2 since version 1, by bob: title and year of
// document x.
func stale(t *testing.T) *client.Client {
	t.Helper()
	ctx := within(t)
	s := startService(t)
	c, bob := s.connect(client.Options{Principal: "ann"}), s.connect(client.Options{Principal: "bob"})
	put := client.PutRequest{Documents: map[string]json.RawMessage{"x": json.RawMessage(`{"title":"Blue","year":1957,"label":"BN"}`)}}
	if _, err := c.CollectionPut(ctx, "demo", put); err != nil {
		t.Fatal(err)
	}
	if _, err := bob.DocumentPut(ctx, "demo", "x", json.RawMessage(`{"title":"Blue Train","year":1958,"label":"BN"}`)); err != nil {
		t.Fatal(err)
	}
	return c
}

const (
	agreeing    = `{"title":"Blue","year":1957,"label":"Blue Note"}`
	disagreeing = `{"title":"BLUE","year":1957,"label":"Blue Note"}`
)

func TestAConflictTellsWhatIsNeededToSettleIt(t *testing.T) {
	ctx := within(t)
	c := stale(t)
	put := func(text string, options ...client.CallOption) (*client.Result, error) {
		return c.DocumentPut(ctx, "demo", "x", json.RawMessage(text), append(options, client.BaseVersion(1))...)
	}
	_, err := put(disagreeing, client.OnConflict(client.PolicyMerge))
	met, ok := errors.AsType[*client.Conflict](err)
	if !ok {
		t.Fatalf("%v is no conflict", err)
	}
	if met.BaseVersion != 1 || met.CurrentVersion != 2 || met.ChangedBy != "bob" || met.Total != 0 {
		t.Errorf("%+v", met)
	}
	want := []client.Clash{{Path: "/documents/x/title", Kind: "modify/modify", Base: json.RawMessage(`"Blue"`),
		Client: json.RawMessage(`"BLUE"`), Server: json.RawMessage(`"Blue Train"`), Version: 2, ChangedBy: "bob"}}
	if !reflect.DeepEqual(met.Clashes, want) {
		t.Errorf("clashes are %+v", met.Clashes)
	}
	if !met.Allows(client.PolicyMergeClient) || met.Allows("nonsense") {
		t.Errorf("allowed are %v", met.Allowed)
	}
	if !client.IsCode(met, problem.VersionConflict) || met.Error() != met.Problem.Error() {
		t.Errorf("%v does not hold the refusal", met)
	}
	_, err = put(disagreeing)
	if met, ok := errors.AsType[*client.Conflict](err); !ok || len(met.Clashes) != 1 || met.Clashes[0].Path != "/documents/x" {
		t.Errorf("without a policy: %+v", met)
	}
	_, err = put(disagreeing, client.OnConflict(client.PolicyMerge), client.Fields("/documents/y"))
	if met, ok := errors.AsType[*client.Conflict](err); !ok || len(met.Clashes) != 0 || met.Total != 1 {
		t.Errorf("with other fields: %+v", met)
	}
	_, err = c.CollectionGet(ctx, "nothing")
	if met, ok := errors.AsType[*client.Conflict](err); ok {
		t.Errorf("%v is a conflict: %v", err, met)
	}
}

func TestPoliciesSettleAStaleWrite(t *testing.T) {
	for name, row := range map[string]struct {
		policy     client.Policy
		text       string
		version    uint64
		resolution string
		want       string
		taken      string
		overwrote  uint64
	}{
		"merge where the sides agree":          {client.PolicyMerge, agreeing, 3, "merged", `{"title":"Blue Train","year":1958,"label":"Blue Note"}`, "", 0},
		"merge, the client wins":               {client.PolicyMergeClient, disagreeing, 3, "merged", `{"title":"BLUE","year":1958,"label":"Blue Note"}`, "client", 0},
		"merge, the server wins":               {client.PolicyMergeServer, disagreeing, 3, "merged", `{"title":"Blue Train","year":1958,"label":"Blue Note"}`, "server", 0},
		"the client's content":                 {client.PolicyClient, disagreeing, 3, "client", disagreeing, "", 2},
		"the server's content":                 {client.PolicyServer, disagreeing, 2, "server", `{"title":"Blue Train","year":1958,"label":"BN"}`, "", 0},
		"the rules of the type, if it has any": {client.PolicyCustomLogic, agreeing, 3, "server-logic", `{"title":"Blue Train","year":1958,"label":"Blue Note"}`, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := within(t)
			c := stale(t)
			r, err := c.DocumentPut(ctx, "demo", "x", json.RawMessage(row.text), client.BaseVersion(1), client.OnConflict(row.policy))
			if err != nil {
				t.Fatal(err)
			}
			if r.Version != row.version || r.Resolution != row.resolution || r.BaseVersion != 1 || r.Overwrote != row.overwrote {
				t.Errorf("result %+v", r.Result)
			}
			if row.taken != "" && (len(r.Conflicts) != 1 || r.Conflicts[0].Taken != row.taken) {
				t.Errorf("decided %+v", r.Conflicts)
			}
			if row.policy == client.PolicyServer && (r.Content == nil || string(r.Content.Documents["x"]) != row.want) {
				t.Errorf("content %+v", r.Content)
			}
			d, err := c.DocumentGet(ctx, "demo", "x")
			if err != nil || !sameJSON(t, d.Value, row.want) {
				t.Errorf("%s, %v; want %s", d.Value, err, row.want)
			}
			page, err := c.CollectionHistory(ctx, "demo")
			if err != nil {
				t.Fatal(err)
			}
			if merge := page.Items[0].Merge; row.policy != client.PolicyServer && (merge == nil || merge.Policy != string(row.policy) || merge.BaseVersion != 1) {
				t.Errorf("the history tells %+v", merge)
			}
		})
	}
}

func sameJSON(t *testing.T, text json.RawMessage, want string) bool {
	t.Helper()
	var a, b any
	if json.Unmarshal(text, &a) != nil || json.Unmarshal([]byte(want), &b) != nil {
		t.Fatalf("%s or %s is no JSON", text, want)
	}
	return reflect.DeepEqual(a, b)
}

func TestATypeIsTriedBeforeItIsUsed(t *testing.T) {
	ctx := within(t)
	c := startService(t).connect(client.Options{})
	side := func(text string) client.TrySide {
		return client.TrySide{Metadata: json.RawMessage(`{"n":1.0}`), Documents: map[string]json.RawMessage{"x": json.RawMessage(text)}}
	}
	trial, err := c.TypeTry(ctx, "record", client.TryRequest{Base: side(`{"n":5}`), Client: side(`{"n":6}`), Server: side(`{"n":7}`),
		Type: json.RawMessage(`{"conflict":{"rules":[{"path":"/documents/*/n","strategy":"counter"}]}}`)})
	if err != nil || trial.Resolution != "merged" || string(trial.Content.Documents["x"]) != `{"n":8}` {
		t.Errorf("%+v, %v", trial, err)
	}
	trial, err = c.TypeTry(ctx, "record", client.TryRequest{Base: side(`{"n":5}`), Client: side(`{"n":6}`), Server: side(`{"n":7}`), Type: json.RawMessage(`{}`)})
	if err != nil || trial.Resolution != "" || len(trial.Conflicts) != 1 || trial.Conflicts[0].Path != "/documents/x/n" {
		t.Errorf("%+v, %v", trial, err)
	}
	if _, err := c.TypeTry(ctx, "record", client.TryRequest{Base: side(`1`), Client: side(`1`), Server: side(`1`)}); !client.IsCode(err, problem.NotFound) {
		t.Errorf("%v, want that there is no such type", err)
	}
}

// overtaken is an update of ann's whose function sees bob come in between, the first time.
type overtaken struct {
	kind      string // collection type; "": none
	first     string
	bob, ann  string // what they change: a merge patch of bob's, what ann's function puts the first and every time
	options   []client.CallOption
	wantCalls int
	want      string
	merged    bool // the history says so
}

func TestUpdateMergesWhatDoesNotOverlap(t *testing.T) {
	long := strings.Repeat("n", 5000) // more than a refusal shows
	for name, row := range map[string]overtaken{
		"different members are merged, and the function runs once": {
			first: `{"a":1,"b":1}`, bob: `{"a":2}`, ann: `{"b":9}`, wantCalls: 1, want: `{"a":2,"b":9}`, merged: true},
		"so are members of members, and new ones": {
			first: `{"o":{"a":1}}`, bob: `{"o":{"x":1}}`, ann: `{"o":{"y":1}}`, wantCalls: 1, want: `{"o":{"a":1,"x":1,"y":1}}`, merged: true},
		"and members of documents that a refusal does not show": {
			first: `{"a":1,"b":1,"long":"` + long + `"}`, bob: `{"a":2}`, ann: `{"b":9}`, wantCalls: 1,
			want: `{"a":2,"b":9,"long":"` + long + `"}`, merged: true},
		"one member changed by both: the function runs again": {
			first: `{"a":1,"b":1}`, bob: `{"a":2}`, ann: `{"a":9}`, wantCalls: 2, want: `{"a":9,"b":1}`},
		"also if both change it to the same": {
			first: `{"a":1,"b":1}`, bob: `{"a":2,"b":2}`, ann: `{"a":2}`, wantCalls: 2, want: `{"a":2,"b":2}`},
		"a list that both change": {
			first: `{"l":[1]}`, bob: `{"l":[1,2]}`, ann: `{"l":[0,1]}`, wantCalls: 2, want: `{"l":[0,1]}`},
		"switched off": {
			first: `{"a":1,"b":1}`, bob: `{"a":2}`, ann: `{"b":9}`, options: []client.CallOption{client.WithoutMerge()}, wantCalls: 2, want: `{"a":2,"b":9}`},
		"not allowed by the type": {
			kind: `{"conflict":{"allowed":["merged"]}}`, first: `{"a":1,"b":1}`, bob: `{"a":2}`, ann: `{"b":9}`, wantCalls: 2, want: `{"a":2,"b":9}`},
		"a type that would overwrite": {
			kind:  `{"conflict":{"allowed":["client"],"default":"client"}}`,
			first: `{"a":1,"b":1}`, bob: `{"a":2}`, ann: `{"b":9}`, wantCalls: 2, want: `{"a":2,"b":9}`},
		"a type that merges by default what both change alike": {
			kind:  `{"conflict":{"default":"merge-client"}}`,
			first: `{"a":1}`, bob: `{"a":2}`, ann: `{"a":2}`, wantCalls: 2, want: `{"a":2}`},
		"a rule that takes the document as one": {
			kind:  `{"conflict":{"rules":[{"path":"/documents/*","strategy":"atomic"}]}}`,
			first: `{"a":1,"b":1}`, bob: `{"a":2}`, ann: `{"b":9}`, wantCalls: 2, want: `{"a":2,"b":9}`},
		"a policy of the caller's own": {
			kind:  `{"conflict":{"rules":[{"path":"/documents/*/l","strategy":"set"}]}}`,
			first: `{"l":[1]}`, bob: `{"l":[1,2]}`, ann: `{"l":[1,3]}`, options: []client.CallOption{client.OnConflict(client.PolicyMerge)},
			wantCalls: 1, want: `{"l":[1,2,3]}`, merged: true},
	} {
		t.Run(name, func(t *testing.T) { row.check(t) })
	}
}

func (row *overtaken) check(t *testing.T) {
	ctx := within(t)
	s := startService(t)
	ann, bob := s.connect(client.Options{Principal: "ann"}), s.connect(client.Options{Principal: "bob"})
	put := client.PutRequest{Documents: map[string]json.RawMessage{"x": json.RawMessage(row.first)}}
	if row.kind != "" {
		put.Type = "record"
		if _, err := ann.TypePut(ctx, "record", json.RawMessage(row.kind)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := ann.CollectionPut(ctx, "demo", put); err != nil {
		t.Fatal(err)
	}
	calls := 0
	r, err := ann.Update(ctx, "demo", func(s *client.Snapshot) ([]client.Change, error) {
		if calls++; calls == 1 {
			change := []client.Change{client.MergeDocument("x", json.RawMessage(row.bob))}
			if _, err := bob.CollectionPatch(ctx, "demo", change); err != nil {
				return nil, err
			}
		}
		return row.change(ctx, s)
	}, row.options...)
	if err != nil || calls != row.wantCalls {
		t.Fatalf("%d calls, %v; want %d", calls, err, row.wantCalls)
	}
	d, err := ann.DocumentGet(ctx, "demo", "x")
	if err != nil || !sameJSON(t, d.Value, row.want) {
		t.Errorf("%s, %v; want %s", d.Value, err, row.want)
	}
	page, err := ann.CollectionHistory(ctx, "demo")
	if err != nil || r.Changed && page.Items[0].Version != r.Version || (page.Items[0].Merge != nil) != row.merged {
		t.Errorf("the history is %+v, %v", page, err)
	}
}

// change reads the document and puts it back with ann's members.
func (row *overtaken) change(ctx context.Context, s *client.Snapshot) ([]client.Change, error) {
	text, err := s.Document(ctx, "x")
	if err != nil {
		return nil, err
	}
	var value, ann map[string]any
	if err := errors.Join(json.Unmarshal(text, &value), json.Unmarshal([]byte(row.ann), &ann)); err != nil {
		return nil, err
	}
	mix(value, ann)
	text, err = json.Marshal(value)
	return []client.Change{client.PutDocument("x", text)}, err
}

func mix(into, from map[string]any) {
	for name, v := range from {
		inner, ok := v.(map[string]any)
		there, both := into[name].(map[string]any)
		switch {
		case v == nil:
			delete(into, name)
		case ok && both:
			mix(there, inner)
		default:
			into[name] = v
		}
	}
}

func ExampleConflict() {
	var err error // of a write that named its base
	if met, ok := errors.AsType[*client.Conflict](err); ok {
		for _, clash := range met.Clashes {
			fmt.Printf("%s: it was %s, %s made it %s\n", clash.Path, clash.Base, clash.ChangedBy, clash.Server)
		}
	}
	// Output:
}
