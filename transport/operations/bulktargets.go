package operations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"

	"concord/actors/collection"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport"
)

// Kinds of targets: the members of the request's targets, and what a retry, a roll-back and a run of an edit session have.
const (
	targetsIDs    = "ids"
	targetsKeys   = "keys"
	targetsQuery  = "query"
	targetsAll    = "all"
	targetsItems  = "items"
	targetsUpload = "upload"
	targetsRetry  = "retry"
	targetsUndo   = "rollback"
	targetsEdit   = "session"
)

var targetKinds = []string{targetsIDs, targetsKeys, targetsQuery, targetsAll, targetsItems, targetsUpload}

// bulkStepItems is after how many items it is looked if anybody still waits for the answer.
const bulkStepItems = 1024

// bulkTargets are what a bulk update is for.
type bulkTargets struct {
	by     string
	query  []byte
	upload string
	task   string // whose items these are
	edit   string // session whose records these are
	items  uint64 // that were named, once they are checked
	some   []jsonvalue.RawMember
	lines  iter.Seq2[importLine, error]
	rows   iter.Seq2[bulkTarget, error] // nil: they are those of a request

	keyed, withValues bool // as far as they are checked
}

// byType says that the targets mean nothing without a type.
func (t *bulkTargets) byType() bool { return t.by == targetsKeys || t.by == targetsQuery }

// valued says that they may have values.
func (t *bulkTargets) valued() bool {
	return t.by == targetsItems || t.by == targetsUpload || t.by == targetsRetry
}

// named says that they are named one by one, so that they can be checked.
func (t *bulkTargets) named() bool { return t.by != targetsQuery && t.by != targetsAll }

// told is what is kept of them to be shown, as JSON.
func (t *bulkTargets) told() []byte {
	text, err := json.Marshal(struct {
		By     string          `json:"by"`
		Count  uint64          `json:"count,omitempty"`
		Query  json.RawMessage `json:"query,omitempty"`
		Upload string          `json:"upload,omitempty"`
		Task   string          `json:"task,omitempty"`
		Edit   string          `json:"session,omitempty"`
	}{t.by, t.items, t.query, t.upload, t.task, t.edit})
	if err != nil {
		panic("operations: targets that were read always marshal: " + err.Error())
	}
	return text
}

// at says where a target was named.
func (t *bulkTargets) at(place uint32) string {
	if t.by == targetsUpload {
		return fmt.Sprintf("line %d", place)
	}
	return "/targets/" + t.by + indexPath(int(place))
}

// atID says where the id or key of one was named.
func (t *bulkTargets) atID(b *bulkTarget) string {
	switch {
	case t.by != targetsItems:
		return t.at(b.place)
	case b.key != nil:
		return t.at(b.place) + "/key"
	default:
		return t.at(b.place) + "/id"
	}
}

// readTargets opens the targets of a request; their items are read by each.
func readTargets(request *envelope) (t bulkTargets, err error) {
	m, ok := request.members["targets"]
	if !ok {
		return t, problem.At("/targets", "is missing: one of %s", strings.Join(targetKinds, ", "))
	}
	if m.Kind != jsonvalue.Object {
		return t, problem.At("/targets", "must be an object with one of %s", strings.Join(targetKinds, ", "))
	}
	e, err := openEnvelope(m.Text, "/targets", targetKinds...)
	if err != nil {
		return t, err
	}
	if len(e.members) != 1 {
		return t, problem.At("/targets", "must have exactly one of %s", strings.Join(targetKinds, ", "))
	}
	for t.by = range e.members {
	}
	switch t.by {
	case targetsQuery:
		t.query, err = e.bulkQuery()
	case targetsAll:
		var all bool
		if all, err = e.flag(targetsAll, false); err == nil && !all {
			err = problem.At(e.at(targetsAll), "must be true")
		}
	case targetsUpload:
		if t.upload, err = e.str(targetsUpload, sourceTextMaxBytes); err == nil && !transport.ValidID(t.upload) {
			err = problem.At(e.at(targetsUpload), "is no id of an upload")
		}
	default:
		t.some, err = e.someOf(t.by)
	}
	return t, err
}

func (e *envelope) bulkQuery() ([]byte, error) {
	m := e.members[targetsQuery]
	if m.Kind != jsonvalue.Object {
		return nil, problem.At(e.at(targetsQuery), "must be an object {path: value}")
	}
	members, err := jsonvalue.Members(m.Text)
	switch {
	case err != nil:
		return nil, syntax(e.at(targetsQuery), err)
	case len(members) == 0:
		return nil, problem.At(e.at(targetsQuery), "is empty, and would match everything; that is asked for by all")
	}
	return m.Text, nil
}

// someOf are the elements of a list that has some.
func (e *envelope) someOf(name string) ([]jsonvalue.RawMember, error) {
	m := e.members[name]
	if m.Kind != jsonvalue.Array {
		return nil, problem.At(e.at(name), "must be a list")
	}
	list, err := jsonvalue.Elements(m.Text)
	switch {
	case err != nil:
		return nil, syntax(e.at(name), err)
	case len(list) == 0:
		return nil, problem.At(e.at(name), "is empty: there is nothing to do")
	}
	return list, nil
}

// each reads the targets that are named, one by one.
func (t *bulkTargets) each() iter.Seq2[bulkTarget, error] {
	switch {
	case t.rows != nil:
		return t.rows
	case t.lines != nil:
		return t.uploaded()
	}
	return func(yield func(bulkTarget, error) bool) {
		for i := range t.some {
			if !yield(t.element(uint32(i), &t.some[i]), nil) {
				return
			}
		}
	}
}

func (t *bulkTargets) element(place uint32, m *jsonvalue.RawMember) bulkTarget {
	b := bulkTarget{place: place}
	switch t.by {
	case targetsIDs:
		b.id, b.fault = idOf(m, t.at(place))
	case targetsKeys:
		b.key, b.fault = keyOf(m, t.at(place))
	default:
		b.object(m.Text, t.at(place))
	}
	return b
}

// checkTargets reads the targets that are named, and finds what is wrong with them and what is there twice. Keys are not
// looked up.
func (s *Service) checkTargets(ctx context.Context, o *bulkOrder, f *bulkFaults) error {
	t := &o.targets
	if !t.named() {
		return nil
	}
	ids := newIDHashes(len(t.some))
	for target, err := range t.each() {
		if err != nil {
			return err
		}
		if t.items++; t.items > uint64(s.Limits.Bulk.ItemsMax) {
			return s.tooManyItems()
		}
		if t.items%bulkStepItems == 0 && ctx.Err() != nil {
			return fmt.Errorf("read the targets: %w", context.Cause(ctx))
		}
		if err := f.add(o.check(&target)); err != nil {
			return err
		}
		if f.full() {
			return nil
		}
		if target.fault == nil && target.key == nil {
			ids.add(target.id, uint32(t.items-1), target.place)
		}
		t.keyed, t.withValues = t.keyed || target.key != nil, t.withValues || target.value != nil
	}
	if t.items == 0 {
		return f.add(problem.At("/targets/"+t.by, "has no lines: there is nothing to do"))
	}
	return s.checkTwice(o, ids, f)
}

// check judges a target within its order.
func (o *bulkOrder) check(b *bulkTarget) error {
	switch {
	case b.fault != nil:
		return b.fault
	case b.key != nil && b.id == "" && o.typ == "":
		return problem.At(o.targets.atID(b), "keys are those of a type: the request names none at /type")
	case o.perItem && b.value == nil && o.targets.valued():
		return problem.At(o.targets.at(b.place)+"/value", "is missing: an instruction takes its value from the items")
	case o.valueless && b.value != nil:
		return problem.At(o.targets.at(b.place)+"/value", "is taken by no instruction: one that takes it says so by valueFrom")
	default:
		return nil
	}
}

func (s *Service) tooManyItems() error {
	most := s.Limits.Bulk.ItemsMax
	return problem.New(problem.TooLarge, "more than %d items: that is the limit of a task", most).With("limit", most)
}

// checkTwice says which collections are there twice, with both places.
func (s *Service) checkTwice(o *bulkOrder, ids *idHashes, f *bulkFaults) error {
	pairs, err := ids.twice(bulkFaultsMax-len(f.list), func(rows []uint32) ([]string, error) {
		texts := make([]string, 0, len(rows))
		row := uint32(0)
		for target, err := range o.targets.each() {
			if err != nil {
				return nil, err
			}
			if row == rows[len(texts)] {
				if texts = append(texts, target.id); len(texts) == len(rows) {
					return texts, nil
				}
			}
			row++
		}
		return nil, errors.New("the targets have changed while they were read")
	})
	if err != nil {
		return err
	}
	return f.add(o.twice(pairs))
}

// twice is the refusal of what is there twice.
func (o *bulkOrder) twice(pairs []idPair) error {
	if len(pairs) == 0 {
		return nil
	}
	p := problem.New(problem.Invalid, "%d collections are there twice", len(pairs))
	for _, pair := range pairs {
		p.Errors = append(p.Errors, problem.FieldError{Path: o.targets.at(pair.second),
			Message: fmt.Sprintf("the collection %q is there already, at %s", pair.id, o.targets.at(pair.first))})
	}
	return p
}

// all are the living collections of the provider, or of the order's type, in the order of their ids.
func (o *bulkOrder) all(view persistence.View, provider string) iter.Seq2[bulkTarget, error] {
	return func(yield func(bulkTarget, error) bool) {
		for e, err := range view.Entities(persistence.KindCollection, provider, "") {
			if err != nil {
				yield(bulkTarget{}, fmt.Errorf("list the collections: %w", err))
				return
			}
			state, err := collection.Behavior{}.DecodeState(e.Head.State)
			if err != nil {
				yield(bulkTarget{}, errors.Join(persistence.ErrCorrupt, err))
				return
			}
			if !state.Live() || o.typ != "" && state.Type != o.typ {
				continue
			}
			if !yield(bulkTarget{id: e.ID}, nil) {
				return
			}
		}
	}
}

// foundTargets are the ids that a query has found.
func foundTargets(ids []string) iter.Seq2[bulkTarget, error] {
	return func(yield func(bulkTarget, error) bool) {
		for _, id := range ids {
			if !yield(bulkTarget{id: id}, nil) {
				return
			}
		}
	}
}
