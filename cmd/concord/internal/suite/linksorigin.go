package suite

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"concord/transport"
)

// What is known of the algorithm of the origin (mod-entities-links and mod-source-record-storage).
const (
	originEventLinks = 100 // of an event
	originPartitions = 10  // of its topic, each with a consumer
	originTriesMax   = 5   // after a conflict of generations
)

// origin takes turns: the change of a base URL as Concord does it, and by the algorithm of the origin over the same store.
//
// That algorithm makes events of at most 100 links of one authority, without a key. For each of them the consumer loads the
// records by their ids, rebuilds them, and saves a whole new generation of each: one version of a record an event, not of a
// collection a change. Here it is a client of the normal API. It is given more than it has: one consumer for each partition,
// where the default is one in all; all records of an event at once; its links from memory, without a query; no report, no
// second service that maps the record again, no job and no progress. Its documents are in collections whose type knows no links.
func (l Links) origin(ctx context.Context, c *Concord) ([]Measure, error) {
	ours, theirs := linkedShelf("ours", l.Origin), linkedShelf("origin", l.Origin)
	theirs.kind, theirs.written = "origin", true
	conns, closeAll, err := c.connections(originPartitions)
	if err != nil {
		return nil, err
	}
	defer closeAll()
	if _, err := conns[0].askOf(ctx, "type.put", theirs.kind, `{"links":{"enabled":false}}`); err != nil {
		return nil, err
	}
	for _, s := range []*shelf{ours, theirs} {
		l.say("%d documents of %d collections, with %d links", s.documents, s.collections, s.links())
		if err := s.fill(ctx, c); err != nil {
			return nil, err
		}
	}
	events := theirs.events()
	var here, there, ratios, conflicts, lost []float64
	for round := range l.Rounds {
		l.say("%d links follow, by either algorithm, round %d of %d", ours.links(), round+1, l.Rounds)
		took, err := ours.follow(ctx, conns[0], func() (string, error) { return ours.move(ctx, conns[0], ours.url(round+1)) })
		if err != nil {
			return nil, err
		}
		begin := time.Now()
		came, err := theirs.consume(ctx, conns, events, theirs.url(round+1))
		if err != nil {
			return nil, err
		}
		here, there = append(here, float64(ours.links())/took.Seconds()), append(there, float64(theirs.links())/time.Since(begin).Seconds())
		ratios, conflicts = append(ratios, here[round]/there[round]), append(conflicts, float64(came.conflicts.Load()))
		lost = append(lost, float64(came.lost.Load()))
	}
	note := fmt.Sprintf("%d links in %d documents of %d collections", ours.links(), ours.documents, ours.collections)
	return []Measure{measured("links, here", "/s", here, 0, note),
		measured("links, by the origin's algorithm", "/s", there, 0, fmt.Sprintf("the same: %d events of at most %d links, %d consumers", len(events), originEventLinks, originPartitions)),
		measured("conflicts of generations", "", conflicts, 0, "of the origin's algorithm: records that were loaded and saved again"),
		measured("records given up", "", lost, 0, fmt.Sprintf("of the origin's algorithm: after %d conflicts one after the other; their $0 stays as it was", originTriesMax)),
		measured("against the origin's algorithm", "x", ratios, 0, "in the same round")}, nil
}

// originEvent is a message of the origin: links of one authority.
type originEvent struct {
	authority string
	naturalID string
	records   []originRecord
}

type originRecord struct{ collection, document string }

// events are the messages of a change: for each authority its links, in order of the documents.
func (s *shelf) events() (events []originEvent) {
	named := map[string][]originRecord{}
	starts := s.starts()
	for i := range s.collections {
		for n := starts[i]; n < starts[i+1]; n++ {
			once := map[string]bool{}
			for _, id := range linkedIn(s.document(n)) {
				if !once[id] {
					named[id] = append(named[id], originRecord{s.collection(i), documentName(n)})
				}
				once[id] = true
			}
		}
	}
	for n := range s.authorities {
		id := s.authority(n)
		for records := named[id]; len(records) > 0; {
			some := min(len(records), originEventLinks)
			events = append(events, originEvent{id, s.naturalID(n), records[:some]})
			records = records[some:]
		}
	}
	return events
}

// marcRecord is a record as the origin rebuilds it.
type marcRecord struct {
	Leader string           `json:"leader"`
	Fields []map[string]any `json:"fields"`
}

func linkedIn(body []byte) (ids []string) {
	var r marcRecord
	if json.Unmarshal(body, &r) != nil {
		return nil
	}
	r.subfields(func(s map[string]any, _ []any) {
		if id, ok := s["9"].(string); ok {
			ids = append(ids, id)
		}
	})
	return ids
}

// subfields calls fn with each subfield, and all of its field.
func (r *marcRecord) subfields(fn func(one map[string]any, all []any)) {
	for _, field := range r.Fields {
		for _, value := range field {
			data, _ := value.(map[string]any)
			all, _ := data["subfields"].([]any)
			for _, one := range all {
				if s, ok := one.(map[string]any); ok {
					fn(s, all)
				}
			}
		}
	}
}

// consumed counts what came of events.
type consumed struct {
	conflicts atomic.Int64 // records that had changed since they were loaded
	lost      atomic.Int64 // records that had so again and again
}

// consume works through the events.
func (s *shelf) consume(ctx context.Context, conns []*connection, events []originEvent, url string) (*consumed, error) {
	var next atomic.Int64
	came := new(consumed)
	workers, ctx := errgroup.WithContext(ctx)
	for _, conn := range conns {
		workers.Go(func() error {
			return each(ctx, &next, len(events), conn, func(ctx context.Context, conn *connection, i int) error {
				e := &events[i]
				var records sync.WaitGroup
				failed := make([]error, len(e.records))
				for k := range e.records {
					records.Go(func() { failed[k] = e.rebuild(ctx, conn, e.records[k], url, came) })
				}
				records.Wait()
				for _, err := range failed {
					if err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	return came, workers.Wait()
}

// rebuild loads a record, has its fields follow, and saves all of it.
func (e *originEvent) rebuild(ctx context.Context, conn *connection, at originRecord, url string, came *consumed) error {
	for range originTriesMax {
		answer, err := conn.ask(ctx, &nats.Msg{Subject: conn.get + at.collection, Data: []byte(`{"document":` + strconv.Quote(at.document) + `}`)})
		if err != nil {
			return err
		}
		var was struct {
			Version uint64
			Value   marcRecord
		}
		if err := json.Unmarshal(answer, &was); err != nil {
			return fmt.Errorf("record %s of %s: %w", at.document, at.collection, err)
		}
		was.Value.subfields(func(one map[string]any, all []any) {
			if one["9"] == e.authority {
				follow(all, url+e.naturalID)
			}
		})
		value, err := json.Marshal(was.Value)
		if err != nil {
			return fmt.Errorf("record %s of %s: %w", at.document, at.collection, err)
		}
		saved, err := conn.nc.RequestMsgWithContext(ctx, &nats.Msg{Subject: conn.put + at.collection,
			Data: fmt.Appendf(nil, `{"document":%q,"baseVersion":%d,"value":%s}`, at.document, was.Version, value)})
		if err != nil {
			return fmt.Errorf("save %s of %s: %w", at.document, at.collection, err)
		}
		switch code := saved.Header.Get(transport.HeaderServiceCode); code {
		case "":
			return nil
		case "409":
			came.conflicts.Add(1)
		default:
			return fmt.Errorf("save %s of %s: %s", at.document, at.collection, saved.Data)
		}
	}
	came.lost.Add(1) // it is reported as failed there, and left
	return nil
}

// follow sets $0 in place.
func follow(subfields []any, uri string) {
	for _, one := range subfields {
		if s, ok := one.(map[string]any); ok && s["0"] != nil {
			s["0"] = uri
		}
	}
}
