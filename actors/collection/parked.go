package collection

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"concord/actors/collection/collectionpb"
	"concord/actors/entity"
	"concord/actors/jsonvalue"
	"concord/actors/rules"
)

// encodeWrite is the stored form of a change that waits for its turn.
func encodeWrite(c content, m entity.Meta) []byte {
	w := &collectionpb.Write{RequestId: m.RequestID, Reason: m.Reason, Conditions: conditionsMessage(*c.preconditions())}
	switch c := c.(type) {
	case *Delete:
		w.Delete = true
	case *Revert:
		w.RevertTo = c.To
	case *Write:
		w.Create, w.Format, w.Type, w.ReplaceDocuments = c.Create, c.Format, c.Type, c.ReplaceDocuments
		w.Policy, w.Single = string(c.Policy), c.Single
		for i := range c.Changes {
			w.Changes = append(w.Changes, changeMessage(&c.Changes[i]))
		}
		if c.Moves != nil {
			w.Moves = c.Moves.Patch.Text()
		}
	}
	return marshal(w)
}

// decodeWrite reads it back.
func decodeWrite(text []byte) (content, Origin, error) {
	var m collectionpb.Write
	if err := proto.Unmarshal(text, &m); err != nil {
		return nil, Origin{}, fmt.Errorf("parked update: %w", err)
	}
	origin := Origin{RequestID: m.GetRequestId(), Reason: m.GetReason()}
	p := conditionsOf(m.GetConditions())
	switch {
	case m.GetDelete():
		return &Delete{Preconditions: p}, origin, nil
	case m.GetRevertTo() > 0:
		return &Revert{Preconditions: p, To: m.GetRevertTo()}, origin, nil
	}
	w := &Write{Preconditions: p, Create: m.GetCreate(), Format: m.GetFormat(), Type: m.GetType(),
		ReplaceDocuments: m.GetReplaceDocuments(), Policy: rules.Policy(m.GetPolicy()), Single: m.GetSingle()}
	for _, c := range m.GetChanges() {
		ch, err := changeOf(c)
		if err != nil {
			return nil, origin, fmt.Errorf("parked update, change %s: %w", c.GetPath(), err)
		}
		w.Changes = append(w.Changes, ch)
	}
	if m.GetMoves() != nil {
		patch, err := jsonvalue.ParsePatch(m.GetMoves())
		if err == nil {
			w.Moves, err = ParseCrossPatch(patch)
		}
		if err != nil {
			return nil, origin, fmt.Errorf("parked update: %w", err)
		}
	}
	return w, origin, nil
}

func conditionsMessage(p Preconditions) *collectionpb.Conditions {
	return &collectionpb.Conditions{IfMatch: p.IfMatch, IfExists: p.IfExists, IfNoneMatch: p.IfNoneMatch, Base: p.Base}
}

func conditionsOf(m *collectionpb.Conditions) Preconditions {
	if m == nil {
		return Preconditions{}
	}
	return Preconditions{IfMatch: m.GetIfMatch(), IfExists: m.GetIfExists(), IfNoneMatch: m.GetIfNoneMatch(), Base: m.Base}
}

func changeMessage(ch *Change) *collectionpb.Change {
	m := &collectionpb.Change{Op: uint32(ch.Op), Part: ch.Part, Path: ch.Path, Body: ch.Body, Hash: ch.Hash,
		Conditions: conditionsMessage(Preconditions{IfMatch: ch.IfMatch, IfExists: ch.IfExists, IfNoneMatch: ch.IfNoneMatch, Base: ch.Base})}
	switch ch.Op {
	case OpMerge:
		m.Body = ch.Merge.Text()
	case OpPatch:
		m.Body = ch.Patch.Text()
	case OpPut, OpRemove, OpRemoveIfThere:
	}
	return m
}

func changeOf(m *collectionpb.Change) (ch Change, err error) {
	p := conditionsOf(m.GetConditions())
	ch = Change{Op: Op(m.GetOp()), Part: m.GetPart(), Path: m.GetPath(), Base: p.Base, IfMatch: p.IfMatch,
		IfExists: p.IfExists, IfNoneMatch: p.IfNoneMatch}
	switch ch.Op {
	case OpMerge:
		ch.Merge, err = jsonvalue.Parse(m.GetBody())
	case OpPatch:
		ch.Patch, err = jsonvalue.ParsePatch(m.GetBody())
	case OpPut:
		ch.Body, ch.Hash = m.GetBody(), m.GetHash()
	case OpRemove, OpRemoveIfThere:
	default:
		err = fmt.Errorf("unknown operation %d", ch.Op)
	}
	return ch, err
}
