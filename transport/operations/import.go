package operations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"sync"
	"time"

	"concord/actors/authority"
	"concord/actors/entity"
	"concord/actors/problem"
	"concord/transport"
	"concord/transport/api"
)

// Bounds of an import.
const (
	importsMax            = 2         // at once
	importBodyMaxItems    = 10_000    // in a request; more go by upload
	importBatchMaxItems   = 1024      // on their way to their entities
	importBatchMaxBytes   = 4 << 20   // of their lines
	importLookEveryItems  = 8192      // looking for links costs something in each partition
	importErrorsMax       = 1000      // that are named
	importErrorsMaxBytes  = 512 << 10 // that those take in the answer
	importMessageMaxBytes = 1024      // of one of them
)

// authorityImport creates or replaces many authorities. The items are read in batches: while one is on its way to its
// entities and to the disk, the next is read. Items of one id are applied in their order.
func (s *Service) authorityImport(ctx context.Context, r *transport.Request, done reply) {
	if s.imports.Add(1) > importsMax {
		s.imports.Add(-1)
		p := problem.New(problem.Overloaded, "%d imports are under way", importsMax)
		p.RetryAfter = time.Second
		done(nil, p)
		return
	}
	defer s.imports.Add(-1)
	done(s.importAuthorities(ctx, r))
}

func (s *Service) importAuthorities(ctx context.Context, r *transport.Request) (*transport.Reply, error) {
	im := &importer{service: s, request: r, ctx: ctx, dryRun: r.Param("dryRun") == "true"}
	lines, err := im.open()
	if err != nil {
		return nil, err
	}
	if err := im.run(lines); err != nil {
		return nil, err
	}
	body, err := encode(&im.told)
	if err != nil {
		return nil, err
	}
	return &transport.Reply{Status: http.StatusOK, Body: body}, nil
}

// importer is one import.
type importer struct {
	service *Service
	request *transport.Request
	ctx     context.Context
	source  string // of items that name none
	reason  string
	strict  bool // items have no members but ours
	dryRun  bool

	links       importLinks
	unlooked    int // items since it was looked which partitions have links
	told        api.Imported
	errorsBytes int
}

// open reads the request.
func (im *importer) open() (iter.Seq2[importLine, error], error) {
	e, err := openEnvelope(im.request.Body, "", "items", "upload", "source", "reason")
	if err != nil {
		return nil, err
	}
	if im.source, err = e.str("source", sourceTextMaxBytes); err != nil {
		return nil, err
	}
	if im.source != "" && !transport.ValidID(im.source) {
		return nil, problem.At("/source", "a source id is letters, digits, \"_\" or \"-\"")
	}
	if im.reason, err = e.str("reason", reasonMaxBytes); err != nil {
		return nil, err
	}
	upload, err := e.str("upload", sourceTextMaxBytes)
	switch {
	case err != nil:
		return nil, err
	case e.has("items") == e.has("upload"):
		return nil, problem.At("", "items or upload: one of the two is needed")
	case e.has("items"):
		im.strict = true
		return importItems(e)
	case !transport.ValidID(upload):
		return nil, problem.At("/upload", "is no id of an upload")
	default:
		return im.service.uploadLines(im.request, upload, im.service.Limits.Actors.Authority.RecordMaxBytes+importLineRestBytes)
	}
}

// importItem is one authority on its way.
type importItem struct {
	line    int
	id      string
	command *authority.Put
	answer  entity.Answer
	err     error
}

// outcome says how it came out.
func (i *importItem) outcome(o authority.Outcome) bool { return i.err == nil && o.Is(i.answer) }

// importBatch is items with different ids.
type importBatch struct {
	items   []importItem
	waiting sync.WaitGroup
	flight  *generation
}

// run takes the items to their entities. An error is of the import as a whole: what came before it is in.
func (im *importer) run(lines iter.Seq2[importLine, error]) error {
	next, stop := iter.Pull2(lines)
	defer stop()
	im.links.look(im.service.Store, im.request.Provider)
	reader := &importReader{importer: im, next: next}
	batch, err := reader.batch()
	for err == nil && batch != nil {
		im.begin(batch)
		following, readErr := reader.batch()
		if err = errors.Join(im.finish(batch), readErr); err == nil {
			batch = following
		}
	}
	return err
}

// begin sends the commands of a batch.
func (im *importer) begin(b *importBatch) {
	b.flight = im.service.authorities.enter()
	open := make(map[string]bool) // sources, as they are now that the batch is counted in
	for i := range b.items {
		item := &b.items[i]
		if item.err != nil {
			continue
		}
		if item.command.Awaited, item.err = im.links.awaited(item.id); item.err != nil {
			continue
		}
		if item.command.Awaited {
			item.command.Job = im.service.NewID()
		}
		item.command.Ask = true
		item.command.Open, item.err = im.sourceOpen(open, item.command.Source)
		if item.err == nil {
			im.send(b, item)
		}
	}
}

// sourceOpen says whether authorities may come to belong to the source; known are those that were looked at.
func (im *importer) sourceOpen(known map[string]bool, source string) (bool, error) {
	if open, ok := known[source]; ok {
		return open, nil
	}
	head, err := im.service.Store.Head(sourceID(im.request.Provider, source))
	if err != nil && !isMissing(err) {
		return false, fmt.Errorf("read source %s: %w", source, err)
	}
	known[source], err = authority.SourceOpen(head.State)
	return known[source], err
}

// send sends the command of an item. Where there is too much on its way, it waits until there is room: the commands of a
// batch keep their order.
func (im *importer) send(b *importBatch, item *importItem) {
	r := im.request
	b.waiting.Add(1)
	im.service.offer(im.ctx, &entity.Envelope{
		Entity: authorityID(r.Provider, item.id), Command: item.command, DryRun: im.dryRun,
		Meta: entity.Meta{Principal: r.Caller.Principal, Kind: r.Caller.Kind, Session: r.Header.Session, RequestID: r.RequestID,
			Reason: im.reason},
		Reply: func(a entity.Answer, err error) {
			item.answer, item.err = a, err
			b.waiting.Done()
		},
	})
}

// finish waits for a batch. What would change linked fields is sent again, with a job if there are any. What became linked
// meanwhile is seen by who follows the log: the event says that it has no job.
func (im *importer) finish(b *importBatch) error {
	defer im.service.authorities.leave(b.flight)
	b.waiting.Wait()
	if err := im.finishAsked(b); err != nil {
		return err
	}
	for i := range b.items {
		item := &b.items[i]
		im.count(item)
	}
	if im.unlooked += len(b.items); im.unlooked >= importLookEveryItems {
		im.unlooked = 0
		im.links.look(im.service.Store, im.request.Provider)
	}
	return nil
}

func (im *importer) finishAsked(b *importBatch) error {
	for i := range b.items {
		item := &b.items[i]
		if !item.outcome(authority.OutcomeAsked) {
			continue
		}
		linked, err := im.links.linked(item.id)
		if err != nil {
			return err
		}
		item.command.Ask = false
		if linked {
			item.command.Job = im.service.NewID()
		}
		im.send(b, item)
	}
	b.waiting.Wait()
	return nil
}

// count enters an item in the answer.
func (im *importer) count(item *importItem) {
	t := &im.told
	t.Total++
	switch {
	case item.err != nil:
		t.Failed++
		im.refused(item)
		return
	case item.outcome(authority.OutcomeCreated):
		t.Created++
	case item.outcome(authority.OutcomeChanged):
		t.Changed++
	default:
		t.Unchanged++
	}
	if item.answer.Status == http.StatusAccepted {
		t.Propagations++
	}
}

// refused names an item that was refused, while there is room.
func (im *importer) refused(item *importItem) {
	p := problem.Of(item.err)
	if p.Code == problem.Internal {
		im.service.Failed(im.request.RequestID, fmt.Errorf("import of line %d: %w", item.line, item.err))
	}
	e := api.ImportError{Line: item.line, ID: item.id, Code: string(p.Code), Message: p.Detail}
	if len(p.Errors) > 0 {
		e.Path, e.Message = p.Errors[0].Path, p.Errors[0].Message
	}
	if len(e.Message) > importMessageMaxBytes {
		e.Message = e.Message[:importMessageMaxBytes] + "..."
	}
	text, err := json.Marshal(e)
	if err != nil || len(im.told.Errors) == importErrorsMax || im.errorsBytes+len(text) > importErrorsMaxBytes {
		return
	}
	im.errorsBytes += len(text)
	im.told.Errors = append(im.told.Errors, e)
}

// offer delivers a command; while there is no room for it, it waits, and others that are sent afterwards stay behind it.
func (s *Service) offer(ctx context.Context, env *entity.Envelope) {
	reply := env.Reply
	for try := 1; ; try++ {
		here := true // the refusal for load comes before Deliver returns
		var full *problem.Problem
		var mu sync.Mutex
		one := *env
		one.Reply = func(a entity.Answer, err error) {
			mu.Lock()
			p, refused := errors.AsType[*problem.Problem](err)
			if here && refused && p.Code == problem.Overloaded && try < callMaxTries {
				full = p
				mu.Unlock()
				return
			}
			mu.Unlock()
			reply(a, err)
		}
		s.Host.Deliver(&one)
		mu.Lock()
		here = false
		again := full
		mu.Unlock()
		if again == nil {
			return
		}
		select {
		case <-time.After(again.RetryAfter):
		case <-ctx.Done():
			reply(entity.Answer{}, fmt.Errorf("wait for room: %w", context.Cause(ctx)))
			return
		}
	}
}
