package faults

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"concord/actors/lock/scenario"
	"concord/persistence"
	"concord/persistence/pebblestore"
	"concord/transport"
)

// ledger knows every token that was given, and to whom. It is safe for concurrent use.
type ledger struct {
	mu    sync.Mutex
	owner map[string]string // principal by token
	bytes map[string]string // token by what it encodes
}

func newLedger() *ledger { return &ledger{owner: map[string]string{}, bytes: map[string]string{}} }

// Forms of a token: 16 bytes, as 22 characters of base64.
const tokenChars, tokenBytes = 22, 16

func (l *ledger) add(token, principal string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.owner[token] = principal
	if raw, err := base64.RawURLEncoding.DecodeString(token); err == nil {
		l.bytes[string(raw)] = token
	}
}

// find names the tokens that stand anywhere in the text, as text or as bytes.
func (l *ledger) find(text []byte) (tokens []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range text {
		if i+tokenChars <= len(text) {
			if token := string(text[i : i+tokenChars]); l.owner[token] != "" {
				tokens = append(tokens, token)
			}
		}
		if i+tokenBytes <= len(text) {
			if token := l.bytes[string(text[i:i+tokenBytes])]; token != "" {
				tokens = append(tokens, token)
			}
		}
	}
	return tokens
}

// findDeep looks into a JSON value, too: into what its strings are in base64.
func (l *ledger) findDeep(v any) (tokens []string) {
	switch v := v.(type) {
	case string:
		tokens = l.find([]byte(v))
		if raw, err := base64.StdEncoding.DecodeString(v); err == nil {
			tokens = append(tokens, l.find(raw)...)
		}
	case []any:
		for _, one := range v {
			tokens = append(tokens, l.findDeep(one)...)
		}
	case map[string]any:
		for name, one := range v {
			tokens = append(append(tokens, l.find([]byte(name))...), l.findDeep(one)...)
		}
	}
	return tokens
}

// granting are the operations that may answer with a token, to whom it is given.
var granting = []string{"lock.acquire", "lock.contest", "lock.claim"}

// keyed are operations that take an idempotency key.
var keyed = []string{"lock.acquire", "lock.contest", "lock.break", "document.put"}

// spy is a door that writes down what is given, and looks at every answer. What takes an idempotency key is asked twice.
type spy struct {
	door
	t       *testing.T
	ledger  *ledger
	answers []told
	keys    int
}

// told is an answer and who got it.
type told struct {
	c    call
	text []byte
}

func (s *spy) do(c call) (reply, error) {
	if !slices.Contains(keyed, c.op) {
		return s.once(c)
	}
	s.keys++
	c.header = maps.Clone(c.header)
	if c.header == nil {
		c.header = map[string]string{}
	}
	c.header[transport.HeaderIdempotencyKey] = fmt.Sprintf("%s-%d", s.name(), s.keys)
	first, err := s.once(c)
	if err != nil || first.code != "" {
		return first, err // a refusal is judged anew
	}
	again, err := s.once(c)
	if err == nil && !bytes.Equal(again.text, first.text) {
		s.t.Errorf("%s by %s: %s, and to the same key %s", c.op, c.by, first.text, again.text)
	}
	return again, err
}

func (s *spy) once(c call) (reply, error) {
	r, err := s.door.do(c)
	if err != nil {
		return r, err
	}
	text := r.text
	if token, _ := r.body["token"].(string); token != "" && r.code == "" && slices.Contains(granting, c.op) {
		s.ledger.add(token, c.by.Principal)
		text = bytes.Replace(text, mustMarshal(token), []byte(`""`), 1)
	}
	s.answers = append(s.answers, told{c, text})
	return r, nil
}

// lines is a writer that may be written by many.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) text() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}

// TestTokensStaySecret tells all stories through both doors, and then looks for each token in all that has left the
// service: answers to others than its owner, refusals, events, the log with all its levels, metrics, a dump of the store
// with the outcomes that it remembers. The key that tokens are made of is looked for, too.
func TestTokensStaySecret(t *testing.T) {
	all, err := scenario.All()
	if err != nil {
		t.Fatal(err)
	}
	all = slices.DeleteFunc(all, func(sc scenario.Scenario) bool {
		return slices.ContainsFunc(sc.Steps, func(s scenario.Step) bool { return s.Restart })
	})
	log := &lines{}
	h := startInProcess(t, zerolog.New(log).Level(zerolog.TraceLevel), transport.AuthOff{})
	events, stop := listen(t, h)
	l := newLedger()
	for _, d := range h.doors() {
		s := &spy{door: d, t: t, ledger: l}
		for i, sc := range all {
			target, err := targetOf(h, s, fmt.Sprintf("%s%d", d.name(), i), sc)
			if err == nil {
				err = heardBy(d, sc).Run(target)
			}
			if err == nil {
				err = lookAround(s, target.id)
			}
			if err != nil && !errors.Is(err, errors.ErrUnsupported) {
				t.Error(err)
			}
		}
		defer s.judge()
	}
	if len(l.owner) < len(all)/2 {
		t.Errorf("only %d tokens were given", len(l.owner))
	}
	stop()
	metrics := fetch(t, h.http()+"/metrics")
	if err := h.stop(); err != nil {
		t.Error(err)
	}
	for where, text := range map[string][]byte{"log": log.text(), "events": events.text(), "metrics": metrics} {
		if found := l.find(text); len(found) > 0 || len(text) == 0 {
			t.Errorf("%s of %d bytes: %d tokens", where, len(text), len(found))
		}
	}
	searchStore(t, h, l)
	t.Logf("%d tokens; %d bytes of log, %d of events", len(l.owner), len(log.text()), len(events.text()))
}

// judge looks for tokens in the answers, those in their places left out.
func (s *spy) judge() {
	for _, a := range s.answers {
		if found := s.ledger.find(a.text); len(found) > 0 {
			s.t.Errorf("%s over %s tells %s a token of %s: %s", a.c.op, s.name(), a.c.by, s.ledger.owner[found[0]], a.text)
		}
	}
}

// lookAround reads all that can be read of a collection and its lock.
func lookAround(s *spy, id string) error {
	for _, op := range []string{"collection.get", "collection.events", "lock.get", "lock.list", "prompt.list", "admin.status"} {
		c := call{op: op, id: id, by: scenario.Party{Principal: "ann"}}
		if op == "lock.list" {
			c.id = ""
		}
		if _, err := s.do(c); err != nil {
			return err
		}
	}
	return nil
}

const lastEventMax = 10 * time.Second

// listen collects all events that leave; stop waits for the last.
func listen(t *testing.T, h *inProcess) (all *lines, stop func()) {
	t.Helper()
	nc, err := h.connection()
	if err != nil {
		t.Fatal(err)
	}
	all, last := &lines{}, make(chan struct{})
	sub, err := nc.Subscribe("concord.v1.event.>", func(m *nats.Msg) {
		_, _ = fmt.Fprintf(all, "%s %v %s\n", m.Subject, m.Header, m.Data)
		if strings.HasSuffix(m.Subject, ".last") {
			close(last)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return all, func() {
		succeed(t, h.doors()[1], call{op: "collection.put", id: "last", body: map[string]any{}})
		select {
		case <-last:
		case <-time.After(lastEventMax):
			t.Error("the last event does not leave")
		}
		if err := sub.Unsubscribe(); err != nil {
			t.Error(err)
		}
	}
}

func fetch(t *testing.T, url string) []byte {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// searchStore looks for tokens, and for their key, in a dump of the whole store with all contents.
func searchStore(t *testing.T, h *inProcess, l *ledger) {
	t.Helper()
	store, err := pebblestore.Open("store", pebblestore.Options{FS: h.fs, Fatal: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	key, err := store.Cursor(persistence.SecretPrefix + "locks")
	if err != nil || len(key) != 32 {
		t.Fatalf("the key of the tokens: %d bytes, %v", len(key), err)
	}
	l.mu.Lock()
	l.bytes[string(key[:tokenBytes])] = "the key"
	l.mu.Unlock()
	var dump bytes.Buffer
	if err := store.Dump(&dump, pebblestore.DumpOptions{Bodies: true}); err != nil {
		t.Fatal(err)
	}
	outcomes := 0
	for in := bufio.NewReader(&dump); ; {
		line, err := in.ReadBytes('\n')
		if err != nil {
			break
		}
		var v map[string]any
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		if v["family"] == "outcome" {
			outcomes++
		}
		if found := l.findDeep(v); len(found) > 0 {
			t.Errorf("the dump has %q: %.300s", found[0], line)
		}
	}
	if outcomes == 0 {
		t.Error("no outcome of a key is in the dump: it proves nothing about them")
	}
}

// TestLedgerFinds: a token is found wherever it stands, and however.
func TestLedgerFinds(t *testing.T) {
	l := newLedger()
	token := "AbCdEf0123456789_-xyzA"
	l.add(token, "ann")
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]any{
		"in a text":        "the token " + token + " is yours",
		"as bytes":         "x" + string(raw) + "y",
		"text in base64":   base64.StdEncoding.EncodeToString([]byte("x" + token)),
		"bytes in base64":  base64.StdEncoding.EncodeToString(raw),
		"deep":             map[string]any{"a": []any{1, map[string]any{"b": token}}},
		"as a name of all": map[string]any{token: 1},
	} {
		if len(l.findDeep(v)) == 0 {
			t.Errorf("%s: not found", name)
		}
	}
	if found := l.findDeep("nothing of the kind, and long enough to hold one"); len(found) > 0 {
		t.Error(found)
	}
}
