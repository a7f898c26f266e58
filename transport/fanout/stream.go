package fanout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"concord/persistence"
)

// cursor is how far the tail has come: positions of the log, and where the stream stood then. What is above the sequence
// in the stream was published after the positions were passed.
type cursor struct {
	created   time.Time
	sequence  uint64
	boot      string
	positions []persistence.Position
}

type storedCursor struct {
	Created   time.Time              `json:"created"`
	Sequence  uint64                 `json:"sequence"`
	Boot      string                 `json:"boot"`
	Positions []persistence.Position `json:"positions"`
}

func (c cursor) clone() cursor {
	c.positions = append([]persistence.Position(nil), c.positions...)
	return c
}

func (t *Tail) loadCursor(name string) (c cursor, err error) {
	c.positions = make([]persistence.Position, len(t.durable))
	text, err := t.store.Cursor(name)
	if errors.Is(err, persistence.ErrNotFound) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("load cursor %s: %w", name, err)
	}
	var s storedCursor
	if err := json.Unmarshal(text, &s); err != nil {
		return c, fmt.Errorf("%w: cursor %s: %w", persistence.ErrCorrupt, name, err)
	}
	copy(c.positions, s.Positions)
	c.created, c.sequence, c.boot = s.Created, s.Sequence, s.Boot
	return c, nil
}

func (t *Tail) saveCursor(name string, c cursor, set func(name string, value []byte) error) error {
	text, err := json.Marshal(storedCursor{c.created, c.sequence, c.boot, c.positions})
	if err != nil {
		return fmt.Errorf("encode cursor %s: %w", name, err)
	}
	return set(name, text)
}

// save keeps the cursor now and then, and lets an older one become the safe one.
func (t *Tail) save(now bool) error {
	every := saveEvery
	if t.inflight == 0 {
		every = saveIdleEvery
	}
	if t.cursor.positions == nil || !t.moved && !now || !now && time.Since(t.saved) < every {
		return nil
	}
	t.inflight, t.moved, t.saved = 0, false, time.Now()
	if err := t.saveCursor(t.feed.cursor, t.cursor, t.store.SetCursor); err != nil {
		return err
	}
	if time.Since(t.rotated) < safeEvery {
		return nil
	}
	t.rotated = time.Now()
	t.safe, t.middle = t.middle, t.cursor.clone()
	if t.safe.positions == nil {
		return nil
	}
	if err := t.saveCursor(t.feed.cursor+safeSuffix, t.safe, t.store.SetCursor); err != nil {
		return err
	}
	t.markSafe()
	return nil
}

// markSafe tells retention how far it may go.
func (t *Tail) markSafe() {
	for p, pos := range t.safe.positions {
		t.passed[p].Store(uint64(pos))
	}
}

// attach makes sure that the stream is there, and goes back in the log if it has less than the cursor says.
func (t *Tail) attach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	stream, err := t.ensure(ctx)
	if err != nil {
		return err
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return fmt.Errorf("ask for the state of stream %s: %w", t.config.Stream, err)
	}
	if t.cursor.positions == nil {
		if err := t.load(); err != nil {
			return err
		}
	}
	if err := t.compare(ctx, stream, info); err != nil {
		return err
	}
	t.stream, t.checked, t.cramped = stream, time.Now(), false
	return nil
}

func (t *Tail) load() (err error) {
	if t.cursor, err = t.loadCursor(t.feed.cursor); err != nil {
		return err
	}
	if t.safe, err = t.loadCursor(t.feed.cursor + safeSuffix); err != nil {
		return err
	}
	t.rotated = time.Now()
	t.markSafe()
	t.doubt()
	return nil
}

// doubt marks everything that is durable now as perhaps published already.
func (t *Tail) doubt() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.suspect, t.known = append([]persistence.Position(nil), t.durable...), nil
}

// trust ends the doubt, when everything that was suspect is passed.
func (t *Tail) trust() {
	for p, pos := range t.suspect {
		if t.cursor.positions[p] < pos {
			return
		}
	}
	t.known = nil
	t.cursor.sequence = max(t.cursor.sequence, t.reached)
}

// compare looks whether the stream still has what the cursor counts on.
func (t *Tail) compare(ctx context.Context, stream jetstream.Stream, info *jetstream.StreamInfo) error {
	switch c := &t.cursor; {
	case !c.created.Equal(info.Created):
		fresh := cursor{created: info.Created, boot: t.config.Boot, positions: make([]persistence.Position, len(t.durable))}
		if !c.created.IsZero() {
			t.observer.Restarted("new stream")
			t.log.Warn().Str("stream", t.config.Stream).Msg("the event stream is a new one: publishing again from the log")
			// What it has already came out of order: the end of the log, before we saw that it is new.
			if err := stream.Purge(ctx); err != nil {
				return fmt.Errorf("empty the new stream %s: %w", t.config.Stream, err)
			}
			fresh.sequence = info.State.LastSeq
		}
		*c, t.reached = fresh, fresh.sequence
		t.safe, t.middle = cursor{}, cursor{}
		t.doubt()
		// On disk before anything is published: after a crash the stream must not look new again, and be emptied of
		// messages whose ids it goes on knowing, so that it would not take them a second time.
		return t.saveCursor(t.feed.cursor, t.cursor, t.store.SyncCursor)
	case info.State.LastSeq < c.sequence, c.boot != t.config.Boot || c.boot == "":
		t.observer.Restarted("stream behind cursor")
		t.log.Warn().Uint64("streamSequence", info.State.LastSeq).Uint64("cursorSequence", c.sequence).
			Str("stream", t.config.Stream).Msg("the event stream may have lost its end: publishing that again from the log")
		back := t.safe.clone()
		if back.positions == nil || !back.created.Equal(info.Created) {
			back = cursor{positions: make([]persistence.Position, len(t.durable))}
		}
		back.created, back.sequence, back.boot = info.Created, min(back.sequence, info.State.LastSeq), t.config.Boot
		if back.boot == "" {
			back.boot = "unknown"
			t.config.Boot = back.boot // once for this start
		}
		*c, t.reached = back, back.sequence
		t.doubt()
	}
	return nil
}

// ensure makes the stream, or brings one that is there under today's settings: an operator may have changed its bounds,
// and without atomic publishing no batch would be taken.
func (t *Tail) ensure(ctx context.Context) (jetstream.Stream, error) {
	stream, err := t.js.Stream(ctx, t.config.Stream)
	switch {
	case err == nil:
		return t.adjust(ctx, stream)
	case !errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, fmt.Errorf("look for stream %s: %w", t.config.Stream, err)
	}
	c := jetstream.StreamConfig{
		Name: t.config.Stream, Description: t.feed.description,
		Subjects: t.subjects(), Storage: jetstream.FileStorage, Discard: jetstream.DiscardOld,
	}
	t.bound(&c)
	if stream, err = t.js.CreateStream(ctx, c); err != nil {
		return nil, fmt.Errorf("make stream %s: %w", t.config.Stream, refused(err))
	}
	return stream, nil
}

func (t *Tail) subjects() []string { return []string{t.config.Prefix + t.feed.subjects} }

// bound sets what may change during the life of the stream.
func (t *Tail) bound(c *jetstream.StreamConfig) {
	c.MaxAge, c.MaxBytes, c.AllowAtomicPublish = t.config.MaxAge, t.config.MaxBytes, true
	c.Duplicates = min(duplicatesMax, t.config.MaxAge)
}

// duplicatesMax is how long the stream knows the ids of its messages: long enough for a batch of unknown outcome that is
// still on its way. What is older is found by asking the stream; the ids cost it memory, a hundred bytes each.
const duplicatesMax = 15 * time.Second

func (t *Tail) adjust(ctx context.Context, stream jetstream.Stream) (jetstream.Stream, error) {
	has := stream.CachedInfo().Config
	if !slices.Equal(has.Subjects, t.subjects()) {
		return nil, fmt.Errorf("stream %s is not ours: its subjects are %q", t.config.Stream, has.Subjects)
	}
	want := has
	t.bound(&want)
	if want.MaxAge == has.MaxAge && want.MaxBytes == has.MaxBytes && want.Duplicates == has.Duplicates && has.AllowAtomicPublish {
		return stream, nil
	}
	stream, err := t.js.UpdateStream(ctx, want)
	if err != nil {
		return nil, fmt.Errorf("change the bounds of stream %s: %w", t.config.Stream, refused(err))
	}
	t.log.Info().Dur("maxAge", want.MaxAge).Int64("maxBytes", want.MaxBytes).Str("stream", t.config.Stream).
		Msg("the bounds of the event stream were changed")
	return stream, nil
}
