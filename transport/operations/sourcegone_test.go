package operations

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/problem"
	"concord/actors/provider"
	"concord/transport"
	"concord/transport/api"
)

// leaving is the context of a client that goes when the service waits for the nth time.
type leaving struct {
	context.Context
	mu   sync.Mutex
	left int
	gone chan struct{}
}

func (l *leaving) Done() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.left--; l.left == 0 {
		close(l.gone)
	}
	return l.gone
}

func (l *leaving) Err() error {
	select {
	case <-l.gone:
		return context.Canceled
	default:
		return nil
	}
}

// TestAClientThatLeavesLosesNoName: whenever a client goes while its change of a source is on its way, no other source gets a
// name that the change has taken, also not when reservations have lapsed.
func TestAClientThatLeavesLosesNoName(t *testing.T) {
	for waits := 1; waits <= 12; waits++ {
		t.Run(fmt.Sprintf("at its wait %d", waits), func(t *testing.T) {
			b := start(t, vfs.NewMem())
			ctx := &leaving{Context: context.Background(), left: waits, gone: make(chan struct{})}
			op := b.table["source.put"]
			answered := make(chan error, 1)
			op.Handle(ctx, &transport.Request{Op: op, Provider: "p", ID: "first", Body: []byte(`{"name":"N","codes":["n"],"baseUrl":"http://id/n/"}`),
				RequestID: "r", Caller: transport.Caller{Principal: "ann", All: true}},
				func(_ *transport.Reply, err error) { answered <- err })
			if err := <-answered; err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			b.clock.Set(b.clock.Now().Add(provider.ReservationTTL))
			b.service.Host.Settled(sourceID("p", "first"), func() { answered <- nil })
			<-answered
			_, first := b.do("source.get", "first", "")
			_, second := b.do("source.put", "second", `{"name":"N","codes":["n"],"baseUrl":"http://id/n/"}`)
			if first == nil && second == nil {
				t.Errorf("two sources have the same name: %+v", must[api.SourcePage](b, "source.list", "", ""))
			}
			if second != nil && second.Code != problem.NameTaken {
				t.Error(second)
			}
		})
	}
}
