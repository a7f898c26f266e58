package faults

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/rs/zerolog"

	"concord/transport"
)

// waiting is an update that waits behind ann's lock.
type waiting struct {
	policy string
	value  members
	comes  string // "done", or the code of the problem
}

type members = map[string]any

// TestParkedUpdatesMerge: bob's updates of a document {x:0, y:0} wait while ann makes it {x:1, y:0}. Each runs with its own
// policy, on the version of when it was parked, under the type as it is when its turn comes.
func TestParkedUpdatesMerge(t *testing.T) {
	h := startInProcess(t, zerolog.Nop(), transport.AuthOff{})
	merging := members{"conflict": members{"default": "merge"}}
	n := 0
	for name, row := range map[string]struct {
		before, meanwhile members // texts of the type; nil: an empty one, and as before
		updates           []waiting
		value             members // in the end
	}{
		"merge":                    {nil, nil, []waiting{{"merge", members{"x": 0, "y": 5}, "done"}}, members{"x": 1, "y": 5}},
		"merge, and they disagree": {nil, nil, []waiting{{"merge", members{"x": 7, "y": 5}, "version-conflict"}}, members{"x": 1, "y": 0}},
		"merge-client":             {nil, nil, []waiting{{"merge-client", members{"x": 7, "y": 5}, "done"}}, members{"x": 7, "y": 5}},
		"merge-server":             {nil, nil, []waiting{{"merge-server", members{"x": 7, "y": 5}, "done"}}, members{"x": 1, "y": 5}},
		"client":                   {nil, nil, []waiting{{"client", members{"x": 0, "y": 5}, "done"}}, members{"x": 0, "y": 5}},
		"server":                   {nil, nil, []waiting{{"server", members{"x": 7, "y": 5}, "done"}}, members{"x": 1, "y": 0}},
		"merged":                   {nil, nil, []waiting{{"merged", members{"x": 7, "y": 5}, "version-conflict"}}, members{"x": 1, "y": 0}},
		"several, in their order: each is merged with those before it": {nil, nil, []waiting{{"merge", members{"x": 0, "y": 5}, "done"},
			{"merge", members{"x": 0, "y": 6}, "version-conflict"}, {"merge-client", members{"x": 0, "y": 7}, "done"},
			{"merge", members{"x": 0, "y": 0, "z": 1}, "done"}}, members{"x": 1, "y": 7, "z": 1}},
		"the type merges from now on": {nil, merging, []waiting{{"", members{"x": 0, "y": 5}, "done"}}, members{"x": 1, "y": 5}},
		"the type merges no longer":   {merging, members{}, []waiting{{"", members{"x": 0, "y": 5}, "version-conflict"}}, members{"x": 1, "y": 0}},
		"the type has come to forbid the policy": {nil, members{"conflict": members{"allowed": []string{"merge"}}},
			[]waiting{{"client", members{"x": 0, "y": 5}, "policy-not-allowed"}, {"merge", members{"x": 0, "y": 6}, "done"}}, members{"x": 1, "y": 6}},
		"the type has come to count": {merging, members{"conflict": members{"default": "merge", "rules": []members{
			{"path": "/documents/*/x", "strategy": "counter"}}}}, []waiting{{"", members{"x": 10, "y": 0}, "done"}}, members{"x": 11, "y": 0}},
	} {
		t.Run(name, func(t *testing.T) {
			n++
			l := &parkedMerge{t, h.doors()[n%2], fmt.Sprint("parked", n)}
			l.tell(row.before, row.meanwhile, row.updates, row.value)
		})
	}
}

// parkedMerge is a collection with updates that wait.
type parkedMerge struct {
	t  *testing.T
	d  door
	id string
}

func (l *parkedMerge) tell(before, meanwhile members, updates []waiting, value members) {
	l.t.Helper()
	if before == nil {
		before = members{}
	}
	l.do(call{op: "type.put", body: before})
	l.do(call{op: "collection.put", body: members{"type": l.id, "documents": members{"a": members{"x": 0, "y": 0}}}})
	token := fmt.Sprint(l.do(call{op: "lock.acquire", by: ann, body: members{}}).body["token"])
	operations := make([]string, len(updates))
	for i, u := range updates {
		body := members{"value": u.value, "onLocked": "queue", "baseVersion": 1}
		if u.policy != "" {
			body["policy"] = u.policy
		}
		operations[i] = fmt.Sprint(l.do(call{op: "document.put", inner: "a", by: bob, body: body}).body["operation"])
	}
	l.do(call{op: "document.put", inner: "a", by: ann, token: token, body: members{"value": members{"x": 1, "y": 0}}})
	if meanwhile != nil {
		l.do(call{op: "type.put", body: meanwhile})
	}
	l.do(call{op: "lock.release", by: ann, token: token})
	l.do(call{op: "lock.get"}) // it is answered when all that is decided is durable
	for i, u := range updates {
		r := l.do(call{op: "operation.get", inner: operations[i], by: bob})
		came := fmt.Sprint(r.body["state"])
		if refusal, _ := r.body["problem"].(map[string]any); came == "failed" {
			came = fmt.Sprint(refusal["code"])
		}
		if came != u.comes {
			l.t.Errorf("%s: want %s: %s", u.policy, u.comes, r.text)
		}
	}
	if got := l.do(call{op: "document.get", inner: "a"}).body["value"]; !reflect.DeepEqual(got, plain(value)) {
		l.t.Errorf("%v, want %v", got, value)
	}
}

func (l *parkedMerge) do(c call) reply {
	l.t.Helper()
	c.id = l.id
	return succeed(l.t, l.d, c)
}
