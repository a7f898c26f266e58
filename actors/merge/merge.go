package merge

import "concord/actors/jsonvalue"

// Side is one of the two sides that are merged.
type Side uint8

// The sides.
const (
	Neither Side = iota
	ClientSide
	ServerSide
)

// Kind is how the two sides disagree.
type Kind string

// The kinds of conflicts.
const (
	ModifyModify Kind = "modify/modify" // both changed it, each in another way
	AddAdd       Kind = "add/add"       // both added it, each in another way
	DeleteModify Kind = "delete/modify" // the client deleted what the server changed
	ModifyDelete Kind = "modify/delete" // the server deleted what the client changed
	InvalidKey   Kind = "invalid-key"   // the elements of a keyed array cannot be told apart
)

// Conflict is a place where the two sides disagree. nil values are missing.
type Conflict struct {
	Path                 jsonvalue.Pointer
	Kind                 Kind
	Base, Client, Server *jsonvalue.Value
}

// Merge merges one part of a collection; at is where the part stands: /metadata or /documents/<id>. nil values are missing:
// the part does not exist on that side, or is to be removed. What is decided how, the package comment says.
//
// The conflicts are complete, each path once, sorted by their paths: token by token, bytewise. Their paths do not depend
// on which side is called client. With prefer, the named side wins at these paths, and at these only; with Neither, merged
// is nil if there are conflicts.
//
// merged shares with the three sides what it takes from them, with its spelling: where it equals the server's value it is the
// server's, else where it equals the client's it is the client's. The time is linear in the three sides, the sorting of
// names in sets and of conflicts apart, and in the paths of the conflicts.
func Merge(
	base, client, server *jsonvalue.Value, rules *Rules, at jsonvalue.Pointer, prefer Side,
) (merged *jsonvalue.Value, conflicts []Conflict) {
	m := merger{prefer: prefer}
	got := m.node(triple{base, client, server}, rules.start(at))
	if got.clash == nil {
		return got.value, nil
	}
	conflicts = got.clash.list(at)
	if prefer == Neither {
		return nil, conflicts
	}
	return got.value, conflicts
}

// triple is one value on the three sides. nil is missing.
type triple struct{ base, client, server *jsonvalue.Value }

// outcome is what came of a triple.
type outcome struct {
	value *jsonvalue.Value // nil: missing
	// asClient and asServer say if value equals the value of that side.
	asClient, asServer bool
	clash              *clash // nil: no conflict in it
}

// merger is one merge.
type merger struct {
	prefer Side
	// children is a stack: those of all objects and keyed arrays that are being merged, the innermost last.
	children []child
}

// node merges a value by the rule of its place, if there is one, else by the rules of nodes.
func (m *merger) node(t triple, p *place) outcome {
	if p == nil || p.rule == nil {
		return m.plain(t, p)
	}
	switch p.rule.Strategy {
	case Server:
		return t.takeServer()
	case Client:
		if jsonvalue.Equal(t.client, t.base) {
			return t.takeServer()
		}
		return t.takeClient()
	case Counter:
		return m.counter(t)
	case Max:
		return m.extreme(t, +1)
	case Min:
		return m.extreme(t, -1)
	case Set:
		return m.set(t)
	case Keyed:
		return m.keyed(t, p)
	case Atomic:
	}
	return m.whole(t)
}

// plain merges by the rules of nodes: member by member where all sides are objects, or the base is missing and the others are.
func (m *merger) plain(t triple, p *place) outcome {
	if !t.all(jsonvalue.Object) {
		return m.whole(t)
	}
	if p == nil && (t.client == t.server || t.client == t.base || t.server == t.base) {
		return m.whole(t) // the same in memory: nothing to look for inside
	}
	return m.objects(t, p)
}

// all says if client and server are of the kind, and base is, or is missing.
func (t triple) all(kind jsonvalue.Kind) bool {
	return t.client != nil && t.server != nil && t.client.Kind() == kind && t.server.Kind() == kind &&
		(t.base == nil || t.base.Kind() == kind)
}

// whole takes the side that changed the value, and goes not inside.
func (m *merger) whole(t triple) outcome {
	switch {
	case jsonvalue.Equal(t.client, t.server):
		return outcome{value: t.server, asClient: true, asServer: true}
	case jsonvalue.Equal(t.client, t.base):
		return outcome{value: t.server, asServer: true}
	case jsonvalue.Equal(t.server, t.base):
		return outcome{value: t.client, asClient: true}
	default:
		return m.conflict(t, t.kind())
	}
}

// kind is the kind of the conflict of a triple that has one.
func (t triple) kind() Kind {
	switch {
	case t.base == nil:
		return AddAdd
	case t.client == nil:
		return DeleteModify
	case t.server == nil:
		return ModifyDelete
	default:
		return ModifyModify
	}
}

// conflict notes a conflict, and takes the preferred side. Somebody must be taken also if none is, for the sake of what is
// around; nobody gets to see it.
func (m *merger) conflict(t triple, kind Kind) outcome {
	got := t.takeServer()
	if m.prefer == ClientSide {
		got = t.takeClient()
	}
	got.clash = &clash{kind: kind, sides: t}
	return got
}

// takeClient and takeServer take the value of a side. If both have the same it is spelled as the server does.
func (t triple) takeClient() outcome {
	if jsonvalue.Equal(t.client, t.server) {
		return outcome{value: t.server, asClient: true, asServer: true}
	}
	return outcome{value: t.client, asClient: true}
}

func (t triple) takeServer() outcome {
	return outcome{value: t.server, asServer: true, asClient: jsonvalue.Equal(t.client, t.server)}
}
