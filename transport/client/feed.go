package client

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// feed is what the service publishes on some subjects. It may lose messages: whoever follows one also looks now and then.
type feed struct {
	client      *Client
	messages    chan *nats.Msg
	connections chan nats.Status // of the connection: there is a new one, or it is closed
	on          []*nats.Subscription
}

// follow opens a feed; close it.
func (c *Client) follow(subjects ...string) (*feed, error) {
	f := &feed{client: c, messages: make(chan *nats.Msg, watchMaxMessages)}
	for _, subject := range subjects {
		if err := f.add(subject); err != nil {
			f.close()
			return nil, err
		}
	}
	f.connections = c.nc.StatusChanged(nats.CONNECTED, nats.CLOSED)
	return f, nil
}

// add has the feed follow one more subject. What is requested after it and causes an event is not missed.
func (f *feed) add(subject string) error {
	subscription, err := f.client.nc.ChanSubscribe(subject, f.messages)
	if errors.Is(err, nats.ErrConnectionClosed) {
		err = fmt.Errorf("%w: %w", ErrClosed, err)
	}
	if err != nil {
		return fmt.Errorf("follow %s: %w", subject, err)
	}
	f.on = append(f.on, subscription)
	return nil
}

func (f *feed) close() {
	for _, subscription := range f.on {
		// An error is no matter: either the connection is closed, or the server forgets the interest with it.
		_ = subscription.Unsubscribe()
	}
	if f.connections != nil {
		f.client.nc.RemoveStatusListener(f.connections)
	}
}

// news are the messages that are there already.
func (f *feed) news(first *nats.Msg) []*nats.Msg {
	all := []*nats.Msg{first}
	for len(all) < watchMaxMessages {
		select {
		case msg := <-f.messages:
			all = append(all, msg)
		default:
			return all
		}
	}
	return all
}

// woken is why a wait for a feed ended.
type woken uint8

const (
	byContext    woken = iota // there is nothing to wait for any more
	byTime                    // it is time to look
	byMessage                 // the message says so
	byConnection              // there is a new connection: messages may have been lost
	byClose                   // the client is closed
)

// wait waits until there is a reason to look: after the pause, if nothing comes before. wanted tells which messages are one.
func (f *feed) wait(done <-chan struct{}, pause time.Duration, wanted func(*nats.Msg) bool) woken {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case <-done:
			return byContext
		case <-timer.C:
			return byTime
		case status := <-f.connections:
			if status == nats.CLOSED {
				return byClose
			}
			return byConnection
		case first := <-f.messages:
			// All at once: one look answers a burst.
			found := false
			for _, msg := range f.news(first) {
				found = wanted(msg) || found
			}
			if found {
				return byMessage
			}
		}
	}
}
