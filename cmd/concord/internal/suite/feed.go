package suite

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"concord/transport"
	"concord/transport/client"
)

// Bounds of a feed.
const (
	feedMaxQueue    = 1024
	newsMaxWait     = 10 * time.Second
	streamMaxWait   = 10 * time.Second // until a server that has started has made its streams
	streamPollEvery = 20 * time.Millisecond
)

// news is that something has come, and when.
type news struct {
	about string
	at    time.Time
}

// feed tells what the service says by itself: over NATS, or as server-sent events.
type feed struct {
	news  chan news
	close func()
}

// next waits for news about something, and says when it came. What else came before is dropped.
func (f *feed) next(ctx context.Context, about string) (time.Time, error) {
	wait, cancel := context.WithTimeout(ctx, newsMaxWait)
	defer cancel()
	for {
		select {
		case n, open := <-f.news:
			if !open {
				return time.Time{}, fmt.Errorf("the stream ended before there was news of %s", about)
			}
			if n.about == about {
				return n.at, nil
			}
		case <-wait.Done():
			return time.Time{}, fmt.Errorf("no news of %s: %w", about, wait.Err())
		}
	}
}

// streamed returns when the server has a stream for events of the subject; an error that shows its log if it has none in time:
// without one they do not leave, and whoever waits for them would wait for ever.
func streamed(ctx context.Context, c *Concord, subject string) error {
	conn, err := c.connect(0)
	if err != nil {
		return err
	}
	defer conn.nc.Close()
	js, err := jetstream.New(conn.nc)
	if err != nil {
		return fmt.Errorf("ask for the stream of %s: %w", subject, err)
	}
	ctx, cancel := context.WithTimeout(ctx, streamMaxWait)
	defer cancel()
	for {
		if _, err := js.StreamNameBySubject(ctx, subject); err == nil {
			return nil
		}
		select {
		case <-time.After(streamPollEvery):
		case <-ctx.Done():
			return fmt.Errorf("the server has made no stream of the events that are waited for, %s (%w); it says: %s", subject, ctx.Err(), c.says())
		}
	}
}

// says is the end of the log of a server of its own.
func (c *Concord) says() string {
	if c.server == nil {
		return "its log is elsewhere"
	}
	return c.server.Tail()
}

// subscribe is a feed of events on a subject. pick says what an event is about; "": nothing of interest.
func subscribe(c *Concord, subject string, pick func(transport.Event) string) (*feed, error) {
	conn, err := c.connect(0)
	if err != nil {
		return nil, err
	}
	f := &feed{news: make(chan news, feedMaxQueue), close: conn.nc.Close}
	_, err = conn.nc.Subscribe(subject, func(msg *nats.Msg) {
		at := time.Now()
		var e transport.Event
		if json.Unmarshal(msg.Data, &e) != nil {
			return
		}
		if about := pick(e); about != "" {
			select {
			case f.news <- news{about, at}:
			default: // nobody waits for so much
			}
		}
	})
	if err == nil {
		err = conn.nc.Flush()
	}
	if err != nil {
		conn.nc.Close()
		return nil, fmt.Errorf("subscribe to %s: %w", subject, err)
	}
	return f, nil
}

// stream is a feed of server-sent events to a principal. pick says what the data of one is about. It has begun when it
// returns.
func stream(ctx context.Context, c *Concord, path, who string, pick func(kind, data string) string) (*feed, error) {
	ctx, cancel := context.WithCancel(ctx)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server.HTTP+path, nil)
	if err != nil {
		cancel()
		return nil, err
	}
	r.Header.Set("Accept", transport.MediaEventStream)
	r.Header.Set(transport.HeaderPrincipal, who)
	response, err := http.DefaultClient.Do(r)
	if err == nil && response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		err = fmt.Errorf("status %s", response.Status)
	}
	if err != nil {
		cancel()
		return nil, fmt.Errorf("stream of %s: %w", path, err)
	}
	f := &feed{news: make(chan news, feedMaxQueue)}
	ended := make(chan struct{})
	f.close = func() {
		cancel()
		<-ended
	}
	go func() {
		defer close(ended)
		defer close(f.news)
		defer func() { _ = response.Body.Close() }()
		kind := ""
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			field, value, _ := strings.Cut(lines.Text(), ": ")
			switch field {
			case "event":
				kind = value
			case "data":
				if about := pick(kind, value); about != "" {
					select {
					case f.news <- news{about, time.Now()}:
					case <-ctx.Done():
						return
					}
				}
			}
		}
	}()
	return f, nil
}

// offersByNATS tells when the lock is offered to a ticket; place is its owner and its id.
func offersByNATS(_ context.Context, c *Concord, id, _ string) (*feed, error) {
	return subscribe(c, client.DefaultPrefix+".event.collection."+DefaultProvider+"."+id, func(e transport.Event) string {
		var data struct {
			Ticket string `json:"ticket"`
		}
		if e.Type != "offer.made" || json.Unmarshal(e.Data.Lock, &data) != nil {
			return ""
		}
		return data.Ticket
	})
}

func offersBySSE(ctx context.Context, c *Concord, id, place string) (*feed, error) {
	who, ticket, _ := strings.Cut(place, "/")
	return stream(ctx, c, "/api/v1/locks/collection:"+DefaultProvider+":"+id+"/queue/"+ticket+"/events", who, func(_, data string) string {
		if strings.Contains(data, `"offered":true`) {
			return ticket
		}
		return ""
	})
}

// promptsByNATS tells of the contests of a principal's locks.
func promptsByNATS(c *Concord, who string) (*feed, error) {
	return subscribe(c, client.DefaultPrefix+".event.prompt."+DefaultProvider+"."+transport.PromptToken(who), func(e transport.Event) string {
		if e.Type != "contest.opened" {
			return ""
		}
		return e.Entity
	})
}

func promptsBySSE(ctx context.Context, c *Concord, who string) (*feed, error) {
	return stream(ctx, c, "/api/v1/prompts/events", who, func(kind, data string) string {
		var prompt struct {
			ID string `json:"id"`
		}
		if kind != "prompt" || json.Unmarshal([]byte(data), &prompt) != nil {
			return ""
		}
		return prompt.ID
	})
}
