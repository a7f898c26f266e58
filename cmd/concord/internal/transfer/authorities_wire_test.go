package transfer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"concord/actors/problem"
	"concord/internal/records"
	"concord/transport"
	"concord/transport/client"
)

// authorityService is a service that takes authorities, and refuses what it is told to.
type authorityService struct {
	mu      sync.Mutex
	taken   map[string][]string // headings of each id, in the order in which they came
	largest int                 // bytes of a request
	most    int                 // items of a request
	whole   string              // a request with this in it is refused as a whole
	code    problem.Code        // with this
}

func (s *authorityService) answer(msg *nats.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var r client.ImportRequest
	if err := json.Unmarshal(msg.Data, &r); err != nil {
		panic(err) // the tests send JSON
	}
	s.largest, s.most = max(s.largest, len(msg.Data)), max(s.most, len(r.Items))
	if s.whole != "" && strings.Contains(string(msg.Data), s.whole) {
		p := problem.New(s.code, "no")
		_ = msg.RespondMsg(&nats.Msg{Data: transport.RenderProblem(p, "r"),
			Header: nats.Header{transport.HeaderServiceCode: {strconv.Itoa(p.Code.Status())}}})
		return
	}
	done := client.Imported{Total: len(r.Items)}
	for i, item := range r.Items {
		var record struct{ Heading string }
		if err := json.Unmarshal(item.Record, &record); err != nil || record.Heading == "" {
			done.Failed++
			done.Errors = append(done.Errors, client.ImportError{Line: i + 1, ID: item.ID, Code: "invalid", Path: "/record/heading", Message: "is missing"})
			continue
		}
		done.Created++
		s.taken[item.ID] = append(s.taken[item.ID], record.Heading)
	}
	text, _ := json.Marshal(done)
	_ = msg.Respond(text)
}

func takeAuthorities(t *testing.T, s *authorityService) *client.Client {
	s.taken = make(map[string][]string)
	n, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, MaxPayload: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	n.Start()
	t.Cleanup(func() { n.Shutdown(); n.WaitForShutdown() })
	if !n.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server does not start")
	}
	nc, err := nats.Connect(n.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	if _, err := nc.Subscribe(client.DefaultPrefix+".authority.import.>", s.answer); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	c, err := client.Connect(n.ClientURL(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// importing runs an import of lines; failed are the rows that were refused, in order.
func importing(t *testing.T, s *authorityService, clients int, from records.Reader) (totals AuthorityTotals, failed []string, err error) {
	im := &Authorities{Client: takeAuthorities(t, s), Source: "names", Clients: clients,
		Failed: func(f Failure) { failed = append(failed, fmt.Sprintf("%d %s %s", f.Row, f.ID, f.Code)) }}
	totals, err = im.Run(t.Context(), from)
	slices.Sort(failed)
	return totals, failed, err
}

func TestAuthoritiesGoInRequestsOfBoundedSize(t *testing.T) {
	var text strings.Builder
	for i := range 2500 {
		fmt.Fprintf(&text, `{"id":"a%d","naturalId":"n%d","record":{"heading":"%d"}}`+"\n", i, i, i)
	}
	for i := range 10 { // large ones
		fmt.Fprintf(&text, `{"id":"b%d","naturalId":"m%d","record":{"heading":"%0300000d"}}`+"\n", i, i, i)
	}
	s := &authorityService{}
	totals, failed, err := importing(t, s, 3, lines(t, text.String()))
	if err != nil || failed != nil || totals.Total != 2510 || totals.Created != 2510 || totals.Moved() != 2510 {
		t.Errorf("%+v, %v, %v", totals, failed, err)
	}
	if s.most > authorityBatchMaxItems || s.largest > authorityBatchMaxBytes+1024 || len(s.taken) != 2510 {
		t.Errorf("requests of %d authorities and %d bytes; %d came", s.most, s.largest, len(s.taken))
	}
}

// TestTheLaterRowCounts: all rows about one authority come in their order, however many requests are under way.
func TestTheLaterRowCounts(t *testing.T) {
	var text strings.Builder
	var want []string
	for round := range 30 {
		for i := range 100 {
			fmt.Fprintf(&text, `{"id":"a%d","naturalId":"n","record":{"heading":"%d"}}`+"\n", i, round)
		}
		want = append(want, fmt.Sprint(round))
	}
	s := &authorityService{}
	if _, _, err := importing(t, s, 8, lines(t, text.String())); err != nil {
		t.Fatal(err)
	}
	for id, got := range s.taken {
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s: %s", id, diff)
		}
	}
}

func TestWhatIsRefusedCostsNoOther(t *testing.T) {
	text := `{"id":"a","naturalId":"1","record":{"heading":"A"}}
no JSON
{"id":"b","naturalId":"2","record":{}}
{"heading":"no record"}
{"id":"c","naturalId":"3","record":{"heading":"C"}}
`
	for name, row := range map[string]struct {
		service *authorityService
		want    []string
		totals  AuthorityTotals
		code    problem.Code // of an error that ends the run
	}{
		"item by item": {&authorityService{}, []string{"2  unreadable", "3 b invalid", "4  unreadable"},
			AuthorityTotals{Total: 5, Created: 2, Failed: 3, Requests: 1}, ""},
		"a request for what one of them is": {&authorityService{whole: `"A"`, code: problem.Invalid},
			[]string{"1 a invalid", "2  unreadable", "3 b invalid", "4  unreadable"}, AuthorityTotals{Total: 5, Created: 1, Failed: 4, Requests: 1}, ""},
		"a request for itself": {&authorityService{whole: `"A"`, code: problem.NotFound},
			[]string{"1 a not-found", "2  unreadable", "3 b not-found", "4  unreadable", "5 c not-found"}, AuthorityTotals{Total: 5, Failed: 5}, ""},
		"the caller": {&authorityService{whole: `"A"`, code: problem.Forbidden},
			[]string{"2  unreadable", "4  unreadable"}, AuthorityTotals{Total: 2, Failed: 2}, problem.Forbidden},
	} {
		t.Run(name, func(t *testing.T) {
			totals, failed, err := importing(t, row.service, 1, lines(t, text))
			if (row.code == "") != (err == nil) || err != nil && !client.IsCode(err, row.code) {
				t.Errorf("%v, want %q", err, row.code)
			}
			if diff := cmp.Diff(row.want, failed) + cmp.Diff(row.totals, totals); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestABrokenFileEndsAnImportOfAuthorities(t *testing.T) {
	broken := errors.New("the disk is gone")
	r, err := records.NewReader(io.MultiReader(strings.NewReader(`{"id":"a","naturalId":"1","record":{"heading":"A"}}`+"\n"), failing{broken}),
		records.JSONL, records.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := importing(t, &authorityService{}, 2, r); !errors.Is(err, broken) {
		t.Errorf("%v, want %v", err, broken)
	}
}
