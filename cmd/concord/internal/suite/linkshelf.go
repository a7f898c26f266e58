package suite

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"concord/transport/client"
)

// Bounds of what is made before links are measured.
const (
	importRequests   = 2 // as many as a node does at once
	importMaxItems   = 2000
	shelfMaxItems    = 50 // documents of one request
	jobPause         = 5 * time.Millisecond
	linksEach        = 10 // of a document
	documentsEach    = 10 // of a collection, on average
	namersEach       = 10 // links to an authority, on average
	zipfExponent     = 1.1
	movesMax         = 10_000 // changes of a base URL in one round
	shelfSeed        = 5
	fieldsUnlinked   = 6 // further fields of a document
	requestedMaxWait = 10 * time.Minute
)

// shelf is a source, its authorities, and collections of MARC documents with links to them. All of it follows from its name
// and its sizes: which document names which authority is skewed, and so is how many documents a collection has.
type shelf struct {
	name                   string // of the source, and what all ids begin with
	authorities            int
	documents, collections int
	each                   int  // links of a document
	even                   bool // all collections have the same number of documents
	kind                   string
	written                bool // documents come with their $0
}

// linkedShelf is one with so many links.
func linkedShelf(name string, links int) *shelf {
	documents := max(links/linksEach, 1)
	return &shelf{name: name, authorities: max(links/namersEach, 1), documents: documents, collections: max(documents/documentsEach, 1), each: linksEach}
}

func (s *shelf) links() int { return s.documents * s.each }

// url is one base URL after the other.
func (s *shelf) url(n int) string { return fmt.Sprintf("http://%s.example.org/%d/", s.name, n) }

func (s *shelf) authority(n int) string { return s.name + ":" + s.naturalID(n) }

func (*shelf) naturalID(n int) string { return fmt.Sprintf("n%08d", n) }

// askAll sends a request of an operation that is about no single entity.
func (c *connection) askAll(ctx context.Context, operation, body string) ([]byte, error) {
	return c.ask(ctx, &nats.Msg{Subject: client.DefaultPrefix + "." + operation + "." + DefaultProvider, Data: []byte(body)})
}

// source makes the source.
func (s *shelf) source(ctx context.Context, c *Concord, url string) error {
	conn, err := c.connect(0)
	if err != nil {
		return err
	}
	defer conn.nc.Close()
	letters := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return 'a' + r - '0'
		}
		return r
	}, s.name)
	_, err = conn.askOf(ctx, "source.put", s.name, fmt.Sprintf(`{"name":%q,"codes":[%q],"baseUrl":%q}`, s.name, letters, url))
	return err
}

// catalogue imports the authorities from one number to another.
func (s *shelf) catalogue(ctx context.Context, c *Concord, from, to int) error {
	conns, closeAll, err := c.connections(importRequests)
	if err != nil {
		return err
	}
	defer closeAll()
	var next atomic.Int64
	workers, ctx := errgroup.WithContext(ctx)
	requests := (to - from + importMaxItems - 1) / importMaxItems
	for _, conn := range conns {
		workers.Go(func() error {
			return each(ctx, &next, requests, conn, func(ctx context.Context, conn *connection, i int) error {
				first := from + i*importMaxItems
				return s.importSome(ctx, conn, first, min(first+importMaxItems, to))
			})
		})
	}
	return workers.Wait()
}

func (s *shelf) importSome(ctx context.Context, conn *connection, from, to int) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"source":%q,"items":[`, s.name)
	for n := from; n < to; n++ {
		if n > from {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"naturalId":%q,"record":%s}`, s.naturalID(n), s.record(n, 0))
	}
	b.WriteString("]}")
	answer, err := conn.askAll(ctx, "authority.import", b.String())
	if err != nil {
		return err
	}
	var came struct{ Created int }
	if err := json.Unmarshal(answer, &came); err != nil || came.Created != to-from {
		return fmt.Errorf("import of %d authorities: %.300s (%w)", to-from, answer, err)
	}
	return nil
}

// record is the record of an authority that was renamed so many times.
func (s *shelf) record(n, renamed int) string {
	tag, _ := s.tags(n)
	return fmt.Sprintf(`{"leader":"00000nz  a2200000n  4500","fields":[{"001":%q},{"%s":{"ind1":"1","ind2":" ","subfields":[%s]}}]}`,
		s.naturalID(n), tag, s.heading(n, renamed))
}

// tags are those of the heading of an authority, and of fields that are linked to it.
func (*shelf) tags(n int) (heading, field string) {
	if n%2 == 0 {
		return "100", "700"
	}
	return "150", "650"
}

func (s *shelf) heading(n, renamed int) string {
	more := ""
	if renamed > 0 {
		more = ", " + strconv.Itoa(renamed)
	}
	return fmt.Sprintf(`{"a":"Heading %08d of %s%s"}`, n, s.name, more)
}

// document is a record of about 200 bytes a link.
func (s *shelf) document(n int) []byte {
	random := rand.New(rand.NewPCG(shelfSeed, uint64(n)))
	zipf := s.zipf(random)
	b := make([]byte, 0, 256*(s.each+1))
	b = fmt.Appendf(b, `{"leader":"00962njm a2200253 a 4500","fields":[{"001":"%s-%d"},{"245":{"ind1":"1","ind2":"0","subfields":[{"a":"Title %d of the shelf"},{"c":"by somebody"}]}}`,
		s.name, n, n)
	for range min(s.each, fieldsUnlinked) {
		b = fmt.Appendf(b, `,{"500":{"ind1":" ","ind2":" ","subfields":[{"a":"A note of some length, %016x, and nothing more to be said"}]}}`, random.Uint64())
	}
	for range s.each {
		authority := int(zipf())
		_, field := s.tags(authority)
		uri := ""
		if s.written {
			uri = fmt.Sprintf(`,{"0":%q}`, s.url(0)+s.naturalID(authority))
		}
		b = fmt.Appendf(b, `,{"%s":{"ind1":"1","ind2":" ","subfields":[%s%s,{"9":%q}]}}`, field, s.heading(authority, 0), uri, s.authority(authority))
	}
	return append(b, "]}"...)
}

// zipf draws authorities: the first ones are named most.
func (s *shelf) zipf(r *rand.Rand) func() uint64 {
	if s.authorities == 1 {
		return func() uint64 { return 0 }
	}
	return rand.NewZipf(r, zipfExponent, 1, uint64(s.authorities-1)).Uint64
}

// starts are the first documents of the collections, and one number more.
func (s *shelf) starts() []int {
	starts := make([]int, 0, s.collections+1)
	if s.even {
		for i := range s.collections + 1 {
			starts = append(starts, i*s.documents/s.collections)
		}
		return starts
	}
	// Each has one; the rest goes by rank, as Zipf has it.
	whole := 0.0
	for i := range s.collections {
		whole += 1 / float64(i+1)
	}
	at, sum := 0, 0.0
	for i := range s.collections {
		starts = append(starts, at)
		sum += 1 / float64(i+1)
		at = i + 1 + int(math.Round(float64(s.documents-s.collections)*sum/whole))
	}
	return append(starts, s.documents)
}

func (s *shelf) collection(i int) string { return s.name + "-" + strconv.Itoa(i) }

// fill makes all of it: the first documents of each collection, then what is left.
func (s *shelf) fill(ctx context.Context, c *Concord) error {
	if !s.written {
		if err := errors.Join(s.source(ctx, c, s.url(0)), s.catalogue(ctx, c, 0, s.authorities)); err != nil {
			return err
		}
	}
	type chunk struct{ collection, from, to int }
	var first, rest []chunk
	starts := s.starts()
	for i := range s.collections {
		for from := starts[i]; from < starts[i+1]; from += shelfMaxItems {
			one := chunk{i, from, min(from+shelfMaxItems, starts[i+1])}
			if from == starts[i] {
				first = append(first, one)
			} else {
				rest = append(rest, one)
			}
		}
	}
	return errors.Join(
		c.all(ctx, len(first), func(ctx context.Context, conn *connection, i int) error {
			body := bytes.NewBufferString(`{"format":"marc"`)
			if s.kind != "" {
				fmt.Fprintf(body, `,"type":%q`, s.kind)
			}
			body.WriteString(`,"documents":{`)
			for n := first[i].from; n < first[i].to; n++ {
				if n > first[i].from {
					body.WriteByte(',')
				}
				fmt.Fprintf(body, `"d%d":%s`, n, s.document(n))
			}
			body.WriteString("}}")
			_, err := conn.askOf(ctx, "collection.put", s.collection(first[i].collection), body.String())
			return err
		}),
		c.all(ctx, len(rest), func(ctx context.Context, conn *connection, i int) error {
			body := bytes.NewBufferString(`{"changes":[`)
			for n := rest[i].from; n < rest[i].to; n++ {
				if n > rest[i].from {
					body.WriteByte(',')
				}
				fmt.Fprintf(body, `{"op":"put-document","id":"d%d","value":%s}`, n, s.document(n))
			}
			body.WriteString("]}")
			_, err := conn.askOf(ctx, "collection.patch", s.collection(rest[i].collection), body.String())
			return err
		}))
}

// move changes the base URL.
func (s *shelf) move(ctx context.Context, conn *connection, url string) (job string, err error) {
	return jobIn(conn.askOf(ctx, "source.patch", s.name, fmt.Sprintf(`{"baseUrl":%q}`, url)))
}

// rename gives the first authority another heading.
func (s *shelf) rename(ctx context.Context, conn *connection, renamed int) (job string, err error) {
	return jobIn(conn.askAll(ctx, "authority.put", fmt.Sprintf(`{"authority":%q,"source":%q,"naturalId":%q,"record":%s}`,
		s.authority(0), s.name, s.naturalID(0), s.record(0, renamed))))
}

func jobIn(answer []byte, err error) (string, error) {
	var came struct{ Propagation string }
	if err == nil {
		err = json.Unmarshal(answer, &came)
	}
	if err == nil && came.Propagation == "" {
		err = fmt.Errorf("no job: %s", answer)
	}
	return came.Propagation, err
}

// follow makes a change and waits until every link has followed.
func (s *shelf) follow(ctx context.Context, conn *connection, change func() (job string, err error)) (time.Duration, error) {
	begin := time.Now()
	job, err := change()
	if err != nil {
		return 0, err
	}
	done, err := s.watch(ctx, conn, job, nil)
	if err == nil && int(done) != s.links() {
		err = fmt.Errorf("%.0f of %d links have followed", done, s.links())
	}
	return time.Since(begin), err
}

// watch reads a job until it has ended, or until enough is seen of it; how many links have followed, by it or by a correction.
func (s *shelf) watch(ctx context.Context, conn *connection, job string, enough <-chan struct{}) (followed float64, err error) {
	for until := time.Now().Add(requestedMaxWait); time.Now().Before(until); {
		answer, err := conn.askOf(ctx, "propagation.get", job, "{}")
		if err != nil {
			return followed, err
		}
		var seen struct {
			State  string
			Counts struct{ Updated, Unchanged float64 }
		}
		if err := json.Unmarshal(answer, &seen); err != nil {
			return followed, fmt.Errorf("job %s: %w", job, err)
		}
		followed = seen.Counts.Updated + seen.Counts.Unchanged
		switch seen.State {
		case "REQUESTED", "PLANNED", "RUNNING":
		case "COMPLETED", "SUPERSEDED":
			return followed, nil
		default:
			return followed, fmt.Errorf("job %s: %s", job, answer)
		}
		select {
		case <-enough:
			return followed, nil
		case <-time.After(jobPause):
		}
	}
	return followed, fmt.Errorf("job %s has not ended after %v", job, requestedMaxWait)
}
