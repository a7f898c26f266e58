package operations

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"concord/actors/collectiontype"
	"concord/actors/jsonvalue"
	"concord/actors/lookup"
	"concord/actors/problem"
	"concord/actors/rules"
	"concord/persistence"
)

// lookups finds collections by the keys and indexes that their type declares. It is for one request, on one view.
type lookups struct {
	view          persistence.View
	provider, typ string
	declared      lookup.Declared
}

// lookup reads what the type declares; a type that is not there is `not-found`. What is found may not be durable yet: whoever
// answers with it waits for SettledAll.
func (s *Service) lookup(view persistence.View, provider, typ string) (*lookups, error) {
	head, err := view.Head(persistence.EntityID{Kind: persistence.KindType, Provider: provider, ID: typ})
	if errors.Is(err, persistence.ErrNotFound) {
		return nil, collectiontype.Missing()
	}
	if err != nil {
		return nil, err
	}
	state, err := rules.DecodeState(head.State)
	if err != nil {
		return nil, errors.Join(persistence.ErrCorrupt, err)
	}
	if !state.Live() {
		return nil, collectiontype.Missing()
	}
	t, err := rules.Decode(head.State)
	if err != nil {
		return nil, errors.Join(persistence.ErrCorrupt, err)
	}
	return &lookups{view: view, provider: provider, typ: typ, declared: lookup.Declared{Set: t.Lookups, Built: state.IsBuilt}}, nil
}

const (
	// keyMaxFound is how many collections are told that have one key: two are too many already.
	keyMaxFound = 2
	// lookupMaxSkip is how many entries are read over to the next one that is sought: beyond it a jump is cheaper.
	lookupMaxSkip = 16
)

// keys finds the living collections that have each of the keys: objects {path: value, ...} with exactly the paths of one
// declared key. The outcome is that of the key at the same place: ids, at most keyMaxFound of them. pathOf says
// where a key stands in the request, for problems: an undeclared key is `schema-invalid`, one that is still being built
// `index-building`, a value that is no text, number, boolean or null `invalid`. Many keys at once are much cheaper than one by
// one.
func (l *lookups) keys(ctx context.Context, keys []*jsonvalue.Value, pathOf func(int) string) ([][]string, error) {
	found := make([][]string, len(keys))
	sought := make([]soughtKey, len(keys))
	for i, k := range keys {
		a, refused := l.declared.Key(k, pathOf(i))
		if refused != nil {
			return nil, refused
		}
		sought[i] = soughtKey{a.Index(l.typ), a.Term, i}
	}
	slices.SortFunc(sought, func(a, b soughtKey) int {
		return cmp.Or(strings.Compare(a.index, b.index), strings.Compare(a.term, b.term))
	})
	for p := range l.view.Partitions() {
		for rest := sought; len(rest) > 0; {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			n := sameIndex(rest)
			if err := l.under(persistence.Partition(p), rest[:n], found); err != nil {
				return nil, err
			}
			rest = rest[n:]
		}
	}
	for i := range found {
		slices.Sort(found[i])
		found[i] = found[i][:min(len(found[i]), keyMaxFound)]
	}
	return found, nil
}

// soughtKey is a term of a key that is looked for, and its place in the request.
type soughtKey struct {
	index, term string
	at          int
}

// sameIndex is how many of the first are of one index.
func sameIndex(all []soughtKey) int {
	n := 1
	for n < len(all) && all[n].index == all[0].index {
		n++
	}
	return n
}

// under walks through one index of a partition and the terms that are sought in it, both in order: it reads on where they are
// close to one another, and jumps where they are not.
func (l *lookups) under(p persistence.Partition, sought []soughtKey, found [][]string) error {
	for jump := true; jump && len(sought) > 0; {
		jump = false
		skipped := 0
		for e, err := range l.view.IndexTerms(p, l.key(sought[0].index, sought[0].term)) {
			if err != nil {
				return err
			}
			for len(sought) > 0 && sought[0].term < e.Term {
				sought = sought[1:]
			}
			if len(sought) == 0 {
				return nil
			}
			if note(found, sought, e) {
				skipped = 0
			} else if skipped++; skipped > lookupMaxSkip {
				jump = true
				break
			}
		}
	}
	return nil
}

// note keeps an entry for all that seek its term; false: the first that are sought have another one.
func note(found [][]string, sought []soughtKey, e persistence.IndexEntry) (any bool) {
	for _, s := range sought {
		if s.term != e.Term {
			break
		}
		if any = true; len(found[s.at]) < keyMaxFound {
			found[s.at] = append(found[s.at], e.Entity)
		}
	}
	return any
}

func (l *lookups) key(index, term string) persistence.IndexKey {
	return persistence.IndexKey{Kind: persistence.KindCollection, Name: index, Provider: l.provider, Term: term}
}

// query finds the living collections that have all of the values: an object {path: value, ...} of declared indexes; a
// declared key counts, too, if all of its paths are there. The ids come sorted, each once. More than most are `too-large`.
func (l *lookups) query(ctx context.Context, query *jsonvalue.Value, path string, most int) ([]string, error) {
	asks, refused := l.declared.Query(query, path)
	if refused != nil {
		return nil, refused
	}
	var ids []string
	for p := range l.view.Partitions() {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		err := l.all(persistence.Partition(p), asks, func(id string) error {
			if ids = append(ids, id); len(ids) > most {
				return problem.New(problem.TooLarge, "more than %d collections are found", most).With("limit", most)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(ids)
	return ids, nil
}
