package operations

import (
	"iter"

	"concord/actors/lookup"
	"concord/persistence"
)

// all gives the collections of a partition that are found by all that is asked, in order of their ids: entries of one
// collection stand in one partition, and those under one term in order of collections.
func (l *lookups) all(p persistence.Partition, asks []lookup.Ask, give func(id string) error) error {
	lines := make([]*line, len(asks))
	for i, a := range asks {
		lines[i] = newLine(l.view.Index(p, l.key(a.Index(l.typ), a.Term), persistence.IndexEntry{}))
		defer lines[i].stop()
	}
	for at := ""; ; {
		agreed := 0
		for _, next := range lines {
			if err := next.to(at); err != nil {
				return err
			}
			if next.ended {
				return nil
			}
			if next.id != at {
				at, agreed = next.id, 0
			}
			agreed++
		}
		if agreed < len(lines) {
			continue // some stood before it: they are taken there
		}
		if err := give(at); err != nil {
			return err
		}
		at += "\x00" // behind it
	}
}

// line is the collections under one term, one after the other.
type line struct {
	next  func() (persistence.IndexEntry, error, bool)
	stop  func()
	id    string // where it stands; "": before the first
	ended bool
}

func newLine(entries iter.Seq2[persistence.IndexEntry, error]) *line {
	l := new(line)
	l.next, l.stop = iter.Pull2(entries)
	return l
}

// to goes to the first collection that is not before the one named.
func (l *line) to(id string) error {
	for !l.ended && (l.id == "" || l.id < id) {
		e, err, ok := l.next()
		if err != nil {
			return err
		}
		l.id, l.ended = e.Entity, !ok
	}
	return nil
}
