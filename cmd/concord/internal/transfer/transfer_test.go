package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"concord/actors/host"
	"concord/internal/node"
	"concord/internal/records"
	"concord/transport"
	"concord/transport/client"
	"concord/transport/fanout"
	"concord/transport/operations"
)

func connect(t *testing.T) *client.Client {
	n, err := node.Start(node.Options{
		Memory: true, NATSHost: "127.0.0.1", HTTPHost: "127.0.0.1", Auth: transport.AuthOff{}, AuthOff: true,
		Prefix: client.DefaultPrefix, Version: "0.1.0", Limits: operations.DefaultLimits, Transport: transport.DefaultLimits,
		Bounds: host.DefaultBounds, Events: fanout.Config{Stream: "CONCORD_EVENTS", MaxAge: time.Hour, MaxBytes: 64 << 20},
		Fatal: func(err error) { t.Errorf("the node cannot go on: %v", err) }, Log: zerolog.Nop(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	c, err := client.Connect(n.NATSAddress(), client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func lines(t *testing.T, text string) records.Reader {
	r, err := records.NewReader(strings.NewReader(text), records.JSONL, records.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// versions are the collections with their versions and counts.
func versions(t *testing.T, c *client.Client) []string {
	var got []string
	for item, err := range c.Collections(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s v%d %d", item.ID, item.Version, item.DocumentCount))
	}
	return got
}

func TestPatterns(t *testing.T) {
	for _, row := range []struct {
		into   string
		each   int
		number int
		want   string // "": refused
	}{
		{"cat", 50, 1, "cat-000001"},
		{"cat", 50, 12, "cat-000012"},
		{"cat-{n}-2026", 50, 7, "cat-000007-2026"},
		{"{n}", 50, 7, "000007"},
		{"people", 0, 1, "people"},
		{"a b", 50, 1, ""},
		{"-cat", 50, 1, ""},
		{"people-{n}", 0, 1, ""},
		{strings.Repeat("x", 125), 50, 1, ""},
	} {
		im := &Import{Into: row.into, PerCollection: row.each}
		err := im.Check()
		if (row.want == "") != (err != nil) || err == nil && im.collection(row.number) != row.want {
			t.Errorf("%q makes %q, %v; want %q", row.into, im.collection(row.number), err, row.want)
		}
	}
	for _, im := range []Import{{Into: "x", PerCollection: -1}, {Into: "x", PerCollection: 10_001}, {Into: "x", Clients: 257}} {
		if im.Check() == nil {
			t.Errorf("%+v is accepted", im)
		}
	}
}

// TestLargeCollectionsTakeSeveralRequests: more than one request holds, and one record that none may hold.
func TestLargeCollectionsTakeSeveralRequests(t *testing.T) {
	c := connect(t)
	var text strings.Builder
	for i := range 60 {
		fmt.Fprintf(&text, `{"id":"d%02d","text":"%020000d"}`+"\n", i, i)
	}
	fmt.Fprintf(&text, `{"id":"giant","text":"%0600000d"}`+"\n", 0)
	for run := range 2 {
		var failed []Failure
		im := &Import{Client: c, Into: "large", PerCollection: 100, Clients: 2, Failed: func(f Failure) { failed = append(failed, f) }}
		totals, err := im.Run(t.Context(), lines(t, text.String()))
		want := Totals{Rows: 61, Moved: 60, Failed: 1, Collections: 1, Requests: 2}
		if diff := cmp.Diff(want, totals); err != nil || diff != "" {
			t.Fatalf("run %d: %v %s", run, err, diff)
		}
		if len(failed) != 1 || failed[0].ID != "giant" || failed[0].Row != 61 || failed[0].Code != "too-large" {
			t.Errorf("failed: %+v", failed)
		}
		if diff := cmp.Diff([]string{"large-000001 v2 60"}, versions(t, c)); diff != "" {
			t.Errorf("run %d: %s", run, diff)
		}
	}
}

// TestABrokenOffImportGoesOn: the reader fails half-way; the same import again does what is left and nothing twice.
func TestABrokenOffImportGoesOn(t *testing.T) {
	c := connect(t)
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, `{"id":"d%04d","n":%d}`+"\n", i, i)
	}
	broken := errors.New("the disk is gone")
	im := &Import{Client: c, Into: "cat", PerCollection: 100, Clients: 3}
	half, err := records.NewReader(io.MultiReader(strings.NewReader(text.String()[:8000]), failing{broken}), records.JSONL, records.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if totals, err := im.Run(t.Context(), half); !errors.Is(err, broken) || totals.Moved >= 1000 {
		t.Fatalf("%+v, %v", totals, err)
	}
	var moved atomic.Int64
	im.Moved = func(rows, _ int) { moved.Add(int64(rows)) }
	totals, err := im.Run(t.Context(), lines(t, text.String()))
	if err != nil || totals.Moved != 1000 || moved.Load() != 1000 {
		t.Fatalf("%+v, %v", totals, err)
	}
	for _, line := range versions(t, c) {
		if !strings.HasSuffix(line, "v1 100") {
			t.Errorf("%s, want one version of 100 documents", line)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// TestBadRowsAreFoundAmongMany: a refused batch is cut until the bad rows stand alone.
func TestBadRowsAreFoundAmongMany(t *testing.T) {
	c := connect(t)
	var text strings.Builder
	for i := range 64 {
		id := fmt.Sprintf("d%02d", i)
		if i == 5 || i == 6 || i == 63 {
			id = ".."
		}
		fmt.Fprintf(&text, `{"id":%q,"n":%d}`+"\n", id, i)
	}
	bad := map[int]string{}
	im := &Import{Client: c, Into: "cat", PerCollection: 0, Failed: func(f Failure) { bad[f.Row] = f.Code }}
	totals, err := im.Run(t.Context(), lines(t, text.String()))
	if err != nil || totals.Rows != 64 || totals.Moved != 61 || totals.Failed != 3 {
		t.Errorf("%+v, %v", totals, err)
	}
	want := map[int]string{6: "invalid", 7: "duplicate", 64: "duplicate"}
	if diff := cmp.Diff(want, bad); diff != "" {
		t.Error(diff)
	}
}

func TestAnEndOfTheServiceEndsTheImport(t *testing.T) {
	c := connect(t)
	c.Close()
	im := &Import{Client: c, Into: "cat", PerCollection: 1, Clients: 4}
	totals, err := im.Run(t.Context(), lines(t, strings.Repeat(`{"n":1}`+"\n", 500)))
	if !errors.Is(err, client.ErrClosed) || totals.Moved != 0 {
		t.Errorf("%+v, %v", totals, err)
	}
}
