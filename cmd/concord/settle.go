package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/cmd/concord/internal/resolve"
	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

// What --resolve takes beside the sides.
const resolveEditor = "editor"

// settleRoundsMax bounds how often others may come first while conflicts are settled.
const settleRoundsMax = 8

// resolution is how the user wants conflicts to be settled.
type resolution struct {
	paths  []pathSide // the longest first
	all    resolve.Side
	editor bool
}

type pathSide struct {
	path jsonvalue.Pointer
	side resolve.Side
}

// joinResolve lets the value of --resolve, which can do without one, stand as an argument of its own.
func joinResolve(args []string) []string {
	joined := make([]string, 0, len(args))
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			return append(joined, args[i:]...)
		}
		joined = append(joined, args[i])
		if args[i] == "--"+flagResolve && i+1 < len(args) && isResolution(args[i+1]) {
			i++
			joined[len(joined)-1] += "=" + args[i]
		}
	}
	return joined
}

// isResolution says that an argument can only be meant as a value of --resolve: a collection id has neither / nor =.
func isResolution(arg string) bool {
	_, side := resolve.ParseSide(arg)
	return side || arg == resolveEditor || strings.HasPrefix(arg, "/")
}

// resolution reads --resolve; nil without it.
func (w *writeFlags) resolution() (*resolution, error) {
	if len(w.conflict.resolve) == 0 {
		return nil, nil //nolint:nilnil // nothing is to be settled
	}
	if w.ifMatch != "" || w.createOnly || w.queues() {
		return nil, usagef("--resolve does not go with --if-match, --create-only or --on-locked queue")
	}
	r := new(resolution)
	for _, given := range w.conflict.resolve {
		side, isSide := resolve.ParseSide(given)
		at := strings.LastIndex(given, "=")
		switch {
		case given == resolveEditor:
			r.editor = true
			continue
		case isSide && r.all != "" && r.all != side:
			return nil, usagef("--resolve %s and --resolve %s contradict each other", r.all, side)
		case isSide:
			r.all = side
			continue
		case at < 0:
			return nil, usagef("--resolve takes editor, ours, theirs, base or PATH=ours, not %q", given)
		}
		path, err := jsonvalue.ParsePointer(given[:at])
		side, isSide = resolve.ParseSide(given[at+1:])
		if err != nil || !isSide {
			return nil, usagef("--resolve %q is no path such as /documents/intro/title, and one of =ours, =theirs, =base", given)
		}
		r.paths = append(r.paths, pathSide{path, side})
	}
	slices.SortStableFunc(r.paths, func(a, b pathSide) int { return cmp.Compare(len(b.path), len(a.path)) })
	return r, nil
}

// settle settles what the flags are about, and says which of the paths were about nothing.
func (r *resolution) settle(d *resolve.Draft) (idle []string, err error) {
	for _, p := range r.paths {
		count, err := d.SettleBelow(p.path, p.side)
		if err != nil {
			return nil, err
		}
		if count == 0 {
			idle = append(idle, p.path.String())
		}
	}
	if r.all != "" {
		_, err = d.SettleBelow(nil, r.all)
	}
	return idle, err
}

// settling is one change whose conflicts are being settled.
type settling struct {
	app      *app
	client   *client.Client
	proposal *proposal
	flags    *writeFlags
	how      *resolution
	met      *client.Conflict // the last refusal
	current  uint64           // the newest version, as far as is known
	again    bool             // it is not the first round
	files    []settledFile    // with what the user has settled
	settled  int              // places, in all rounds
}

// settledFile is a file that the user has edited, and what it was at first.
type settledFile struct {
	name  string
	first []byte
}

// run settles and sends until nobody is faster. What the user has settled stays in files until it is written.
func (s *settling) run(ctx context.Context) (result *client.Result, err error) {
	defer func() { s.tidy(err) }()
	read := reader{s.client, s.proposal.id}
	rules, err := read.mergeRules(ctx)
	if client.IsCode(err, problem.NotFound) {
		return nil, s.met // it was deleted: there is nothing to merge with
	}
	if err != nil {
		return nil, err
	}
	parts, err := s.proposal.sides(ctx, s.client, s.flags.base, s.current)
	if err != nil {
		return nil, fmt.Errorf("read both sides of the conflict: %w", err)
	}
	for round := 1; ; round++ {
		draft, err := s.draft(ctx, func() (*resolve.Draft, error) { return resolve.New(parts, rules) })
		if err != nil {
			return nil, err
		}
		result, err := s.send(ctx, draft)
		met := s.overtaken(err)
		if met == nil || round == settleRoundsMax {
			s.flags.conflict.byHand = fmt.Sprintf("%s settled with %s", show.Count(s.settled, "conflict"), tag(s.current))
			return result, err
		}
		s.app.sayf("%s was faster: %s is at %s now", show.Clean(cmp.Or(met.ChangedBy, "somebody")), s.proposal.id, tag(met.CurrentVersion))
		s.met, s.current, s.again = met, met.CurrentVersion, true
		parts = draft.Parts()
		if err := s.renew(ctx, parts); err != nil {
			return nil, err
		}
	}
}

// overtaken is the conflict of a write that was refused because there is a newer version than it was settled with; else nil.
func (s *settling) overtaken(err error) *client.Conflict {
	met, ok := errors.AsType[*client.Conflict](err)
	if p, refused := errors.AsType[*client.Problem](err); !ok && refused && p.Code == problem.PreconditionFailed {
		met = &client.Conflict{BaseVersion: s.current, CurrentVersion: p.CurrentVersion(), Problem: p}
	}
	if met == nil || met.CurrentVersion <= s.current {
		return nil
	}
	return met
}

// renew reads their side of the parts anew.
func (s *settling) renew(ctx context.Context, parts []resolve.Part) error {
	ids := make([]string, len(parts))
	for i := range parts {
		ids[i] = parts[i].Document
	}
	theirs := make(map[string]*jsonvalue.Value, len(ids))
	if err := (reader{s.client, s.proposal.id}).parts(ctx, s.current, ids, theirs); err != nil {
		return fmt.Errorf("read the newer version: %w", err)
	}
	for i := range parts {
		parts[i].Theirs = theirs[parts[i].Document]
	}
	return nil
}

// draft is the merge with every place settled.
func (s *settling) draft(ctx context.Context, begin func() (*resolve.Draft, error)) (*resolve.Draft, error) {
	fresh := func() (*resolve.Draft, error) {
		d, err := begin()
		if err != nil {
			return nil, err
		}
		idle, err := s.how.settle(d)
		if !s.again && len(s.files) == 0 {
			for _, path := range idle {
				s.app.sayf("there is no conflict at %s", show.Clean(path))
			}
		}
		return d, err
	}
	d, err := fresh()
	if err != nil {
		return nil, err
	}
	open := d.Open()
	if s.settled += d.Places(); len(open) > 0 && s.how.editor {
		if d, err = s.edit(ctx, open, fresh); err != nil {
			return nil, err
		}
	}
	if open = d.Open(); len(open) > 0 {
		return nil, &unsettledError{s, open}
	}
	return d, nil
}

// send writes what the parts have come to, on the condition that they are still as they were settled with.
func (s *settling) send(ctx context.Context, d *resolve.Draft) (*client.Result, error) {
	var changes []client.Change
	for _, r := range d.Results() {
		switch {
		case r.Document == "" && r.Value == nil:
			changes = append(changes, client.PutMetadata([]byte("{}")))
		case r.Document == "":
			changes = append(changes, client.PutMetadata(r.Value.Text()))
		case r.Value == nil:
			changes = append(changes, client.RemoveDocument(r.Document))
		default:
			changes = append(changes, client.PutDocument(r.Document, r.Value.Text()))
		}
	}
	w := *s.flags
	w.base, w.conflict = s.current, conflictFlags{policy: string(client.PolicyMerged)}
	options, err := w.options()
	if err != nil {
		return nil, err
	}
	result, err := s.client.CollectionPatch(ctx, s.proposal.id, changes, options...)
	if client.IsCode(err, problem.PolicyNotAllowed) { // then the whole collection has to be as it was
		w.conflict.policy = ""
		if options, err = w.options(); err != nil {
			return nil, err
		}
		result, err = s.client.CollectionPatch(ctx, s.proposal.id, changes, append(options, client.IfMatch(s.current))...)
	}
	return result, err
}

// tidy takes the files away if what they hold is written, or nothing, and names the others.
func (s *settling) tidy(err error) {
	for _, f := range s.files {
		text, unreadable := readBounded(f.name, resolve.FileMaxBytes)
		if err == nil || unreadable == nil && bytes.Equal(text, f.first) {
			_ = os.Remove(f.name) // it is in the way of nobody
			continue
		}
		s.app.sayf("what you have settled is in %s", f.name)
	}
}

// unsettledError is that places are left open.
type unsettledError struct {
	settling *settling
	open     []*resolve.Clash
}

func (e *unsettledError) Error() string {
	return fmt.Sprintf("%s left to be settled with %s", show.Count(len(e.open), "conflict"), tag(e.settling.current))
}

// clashes are the places as a refusal names them.
func (e *unsettledError) clashes() []client.Clash {
	list := make([]client.Clash, len(e.open))
	by := make(map[string]*client.Clash) // what the refusal tells of parts
	for i := range e.settling.met.Clashes {
		c := &e.settling.met.Clashes[i]
		by[partOf(c.Path)] = c
	}
	for i, c := range e.open {
		list[i] = client.Clash{Path: c.Path, Kind: c.Kind, Base: textOf(c.Base), Client: textOf(c.Ours), Server: textOf(c.Theirs)}
		if known := by[partOf(c.Path)]; known != nil {
			list[i].Version, list[i].ChangedBy = known.Version, known.ChangedBy
		}
	}
	return list
}

// partOf is the path of the metadata or the document that a path leads into.
func partOf(path string) string {
	tokens, err := jsonvalue.ParsePointer(path)
	switch {
	case err != nil || len(tokens) == 0:
		return ""
	case tokens[0] == "documents" && len(tokens) > 1:
		return tokens[:2].String()
	default:
		return tokens[:1].String()
	}
}

func textOf(v *jsonvalue.Value) []byte {
	if v == nil {
		return nil
	}
	return v.Text()
}

// reportUnsettled tells which places are left open: people as a table, programs as JSON.
func (a *app) reportUnsettled(e *unsettledError) {
	clashes := e.clashes()
	if a.format != show.Table && a.format != "" {
		// Nobody is left to tell if standard error is gone.
		_ = show.Encode(a.errs, show.JSONL, unsettled{e.Error(), e.settling.current, clashes})
		return
	}
	a.sayf("%s %s", show.Paint(show.Colour(a.errs, a.env), show.Red, "concord:"), e.Error())
	_ = a.clashTable(a.errs, clashes, 0, false)
	a.sayf("  --resolve PATH=ours, =theirs or =base settles one, --resolve editor the rest; nothing is written")
}

// unsettled is what is left open, for programs.
type unsettled struct {
	Detail         string         `json:"detail"`
	CurrentVersion uint64         `json:"currentVersion"`
	Conflicts      []client.Clash `json:"conflicts"`
}
