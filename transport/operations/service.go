// Package operations is the one table of what Concord can do, and the code behind each line: it turns requests into
// commands for entities, and reads the store for those that only ask. Adding an operation is a line in Table and a
// function.
package operations

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"mime"
	"slices"
	"sync/atomic"
	"time"

	"concord/actors"
	"concord/actors/bulk"
	"concord/actors/collection"
	"concord/actors/entity"
	"concord/actors/host"
	"concord/actors/lock"
	"concord/actors/problem"
	"concord/actors/script"
	"concord/persistence"
	"concord/transport"
)

// Service is what the operations work on.
type Service struct {
	Host     *host.Host
	Store    persistence.Store
	Clock    host.Clock
	Limits   Limits
	NewID    func() string // of uploads and jobs
	Watchers *Watchers
	Board    *Board
	Scripts  script.Runner // nil: merge scripts are off
	LockKey  [32]byte      // what lock tokens are made of
	Admin    Admin
	Failed   func(requestID string, err error) // logs what the caller is not told

	adminBusy   atomic.Bool // one long admin operation at a time
	authorities inFlight    // writes of authorities
	turns       turns       // of requests that must not be at something at once
	imports     atomic.Int32
}

// Limits of the operations.
type Limits struct {
	Actors        actors.Limits
	PageMaxItems  int // items of one page of a list
	PageMaxBytes  int // contents of one page of documents
	PageItems     int // items of a page if the caller does not say
	NamedMaxParts int // documents that an event or a history entry names

	ParkedMaxBytes int // updates of a provider that wait in the store for a lock

	Bulk Bulk
	Edit Edit
}

// DefaultLimits are the limits of semantics section 1 and the API's conventions.
var DefaultLimits = Limits{
	Actors: actors.DefaultLimits, PageMaxItems: 1000, PageMaxBytes: 768 << 10, PageItems: 100, NamedMaxParts: 1000,
	ParkedMaxBytes: 64 << 20, Bulk: DefaultBulk, Edit: DefaultEdit,
}

// Admin is what the operator's operations need of the node.
type Admin interface {
	// Status is shown as it is, as JSON.
	Status() any
	// Backup writes an online copy of the store into a new directory below the backup directory, and names it.
	Backup(ctx context.Context, name string) (any, error)
	// Verify reads the whole store against its hashes.
	Verify(ctx context.Context) (any, error)
}

// reply is how an operation answers.
type reply = func(*transport.Reply, error)

// write sends a command to an entity on behalf of the request. An idempotency key counts where the operation takes one: a
// sign of life or a look at a lock that was answered from memory would be none.
func (s *Service) write(r *transport.Request, id persistence.EntityID, command any, reason string, done reply) {
	env := s.envelope(r, id, command, reason)
	env.Reply = func(a entity.Answer, err error) {
		if err != nil {
			done(nil, err)
			return
		}
		done(&transport.Reply{Status: a.Status, Version: a.Version, Body: a.Body}, nil)
	}
	s.Host.Deliver(env)
}

// envelope is the command on behalf of the request; where its answer goes is left open.
func (s *Service) envelope(r *transport.Request, id persistence.EntityID, command any, reason string) *entity.Envelope {
	env := &entity.Envelope{
		Entity: id, Command: command, Deadline: r.Deadline, DryRun: r.Param("dryRun") == "true",
		Meta: entity.Meta{Principal: r.Caller.Principal, Kind: r.Caller.Kind, Session: r.Header.Session,
			RequestID: r.RequestID, Reason: reason},
		Vital: vital(command),
	}
	if r.Header.IdempotencyKey != "" && !env.DryRun && (r.Op.Writes || r.Op.Keyed) {
		env.Meta.Key = r.Header.IdempotencyKey
		env.Meta.KeyDigest = digest(r)
	}
	return env
}

// callMaxTries bounds how often a command of ours is sent again that was refused for load.
const callMaxTries = 100

// call sends a command and waits for its answer; load is waited out. The caller is on a goroutine that may block.
func (s *Service) call(ctx context.Context, env *entity.Envelope) (entity.Answer, error) {
	type answer struct {
		entity.Answer
		err error
	}
	for try := 1; ; try++ {
		answered := make(chan answer, 1)
		one := *env
		one.Reply = func(a entity.Answer, err error) { answered <- answer{a, err} }
		s.Host.Deliver(&one)
		var a answer
		select {
		case a = <-answered:
		case <-ctx.Done():
			return entity.Answer{}, fmt.Errorf("wait for the answer of %v: %w", env.Entity, context.Cause(ctx))
		}
		p, refused := errors.AsType[*problem.Problem](a.err)
		if !refused || p.Code != problem.Overloaded || try == callMaxTries {
			return a.Answer, a.err
		}
		select {
		case <-time.After(p.RetryAfter):
		case <-ctx.Done():
			return entity.Answer{}, fmt.Errorf("wait for room at %v: %w", env.Entity, context.Cause(ctx))
		}
	}
}

// vital says that the command goes on when disk space is low: it leaves little or nothing there.
func vital(command any) bool {
	switch command.(type) {
	case *bulk.Cancel, *bulk.Pause: // whoever makes room may have to stop what writes
		return true
	}
	l, ok := command.(*collection.Locking)
	if !ok {
		return false
	}
	switch l.Command.(type) {
	case lock.Acquire, lock.Contest:
		return false // they begin something
	default:
		return true
	}
}

// digest is over operation, target, preconditions, policy and body, each with its length in front: what must be equal
// for a request to be a repeat.
func digest(r *transport.Request) []byte {
	h := sha256.New()
	field := func(b []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	texts := []string{r.Op.Name, r.Provider, r.ID, r.Inner, r.Header.IfMatch, r.Header.IfNoneMatch,
		mediaType(r), r.Header.LockToken, r.Header.LockRelease}
	if !r.Op.Writes {
		texts = append(texts, r.Header.Session) // what a lock is granted to
	}
	for _, text := range texts {
		field([]byte(text))
	}
	for _, name := range slices.Sorted(maps.Keys(r.Params)) {
		if name == "dryRun" {
			continue
		}
		field([]byte(name))
		for _, v := range r.Params[name] {
			field([]byte(v))
		}
	}
	field(r.Body)
	return h.Sum(nil)
}

// mediaType is the type of the body without its parameters.
func mediaType(r *transport.Request) string {
	t, _, err := mime.ParseMediaType(r.Header.ContentType)
	if err != nil || t == "" {
		return transport.MediaJSON
	}
	return t
}

// read runs fn on a view of the store, and answers when all that the view showed of the entity is durable.
func (s *Service) read(id persistence.EntityID, done reply, fn func(persistence.View) (*transport.Reply, error)) {
	view := s.Store.View()
	answer, err := fn(view)
	if closeErr := view.Close(); err == nil {
		err = closeErr
	}
	s.Host.Settled(id, func() { done(answer, err) })
}

func collectionID(r *transport.Request) persistence.EntityID {
	return persistence.EntityID{Kind: persistence.KindCollection, Provider: r.Provider, ID: r.ID}
}

func noSuchCollection() *problem.Problem {
	return problem.New(problem.NotFound, "there is no such collection")
}
