package pebblestore

import (
	"bytes"
	"errors"
	"fmt"
	"iter"

	"github.com/cockroachdb/pebble/v2"

	"concord/persistence"
)

// indexPrefix is the front of the keys of an index; with an empty provider of all of it, with an empty term of all terms.
func indexPrefix(k []byte, p persistence.Partition, key persistence.IndexKey) []byte {
	k = append(appendPrefix(k, p, familyIndex), byte(key.Kind))
	k = append(append(k, key.Name...), 0)
	if key.Provider == "" {
		return k
	}
	return append(append(k, key.Provider...), 0)
}

func (k *keyspace) index(c *persistence.IndexChange) []byte {
	b := indexPrefix(k.buf[:0], k.partition, persistence.IndexKey{Kind: k.entity.Kind, Name: c.Name, Provider: k.entity.Provider})
	b = append(append(b, c.Term...), 0)
	b = append(append(b, k.entity.ID...), 0)
	return k.keep(append(append(b, c.Part...), 0))
}

// index writes and removes entries of the entity at hand.
func (w *writer) index(changes []persistence.IndexChange) {
	for i := range changes {
		c := &changes[i]
		if c.Removed {
			w.remove(w.keys.index(c))
		} else {
			w.set(w.keys.index(c), c.Value)
		}
	}
}

// Index yields the entries under the term, those after the given one.
func (r *reader) Index(p persistence.Partition, key persistence.IndexKey, after persistence.IndexEntry) iter.Seq2[persistence.IndexEntry, error] {
	prefix := append(append(indexPrefix(nil, p, key), key.Term...), 0)
	lower := bytes.Clone(prefix)
	if after.Entity != "" {
		lower = append(append(lower, after.Entity...), 0)
		lower = append(append(lower, after.Part...), 1) // above the NUL that ends the part
	}
	return r.entries(key, lower, keyAfter(prefix))
}

// IndexTerms yields the entries of the index from the key's term on.
func (r *reader) IndexTerms(p persistence.Partition, key persistence.IndexKey) iter.Seq2[persistence.IndexEntry, error] {
	prefix := indexPrefix(nil, p, key)
	lower := bytes.Clone(prefix)
	if key.Provider != "" {
		lower = append(lower, key.Term...)
	}
	return r.entries(key, lower, keyAfter(prefix))
}

func (r *reader) entries(key persistence.IndexKey, lower, upper []byte) iter.Seq2[persistence.IndexEntry, error] {
	return func(yield func(persistence.IndexEntry, error) bool) {
		it, err := r.from.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
		if err != nil {
			yield(persistence.IndexEntry{}, fmt.Errorf("read index %s: %w", key.Name, classify(err)))
			return
		}
		ended := false
		for ok := it.First(); ok && !ended; ok = it.Next() {
			entry, err := parseIndexEntry(it.Key(), it.Value())
			ended = !yield(entry, err)
		}
		if err := errors.Join(it.Error(), it.Close()); err != nil && !ended {
			yield(persistence.IndexEntry{}, fmt.Errorf("read index %s: %w", key.Name, classify(err)))
		}
	}
}

// indexKeyFields are name, provider, term, entity and part, each with a NUL behind it.
const indexKeyFields = 5

func parseIndexEntry(key, value []byte) (e persistence.IndexEntry, err error) {
	fields := bytes.SplitN(key[min(len(key), 4):], []byte{0}, indexKeyFields+1)
	if len(fields) != indexKeyFields+1 || len(fields[indexKeyFields]) > 0 {
		return e, fmt.Errorf("%w: key of an index entry: %q", persistence.ErrCorrupt, key)
	}
	return persistence.IndexEntry{Provider: string(fields[1]), Term: string(fields[2]), Entity: string(fields[3]),
		Part: string(fields[4]), Value: bytes.Clone(value)}, nil
}
