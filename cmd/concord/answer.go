package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

// What --answer takes.
const (
	answerAsk     = "ask"
	answerKeep    = "keep"
	answerRelease = "release"
	answerNothing = "nothing"
)

// Bounds of what is typed.
const (
	lineMaxBytes = 64 << 10
	linesMax     = 16 // that wait to be read
)

// answers is how the holder of a lock answers contests: as the flags say, or as the user types. It is used by one lock.
type answers struct {
	app   *app
	id    string
	flags *lockFlags
	typed chan string // lines of standard input

	mu    sync.Mutex
	shown string // the contest that was shown last: what is typed answers it, and no other
	over  bool   // it is over
}

func (a *app) newAnswers(id string, f *lockFlags) (*answers, error) {
	if !slices.Contains([]string{answerAsk, answerKeep, answerRelease, answerNothing}, f.answer) {
		return nil, usagef("--answer takes ask, keep, release or nothing, not %q", f.answer)
	}
	if f.keepReason != "" && f.answer != answerKeep {
		return nil, usagef("--keep-reason is for --answer keep")
	}
	return &answers{app: a, id: id, flags: f}, nil
}

// onContest shows the contest, and answers it unless the user is to.
func (p *answers) onContest(ctx context.Context, c client.Contest) client.Decision {
	p.mu.Lock()
	p.shown, p.over = c.ID, false
	p.mu.Unlock()
	context.AfterFunc(ctx, func() { p.ended(c.ID) })
	p.show(c)
	switch p.flags.answer {
	case answerKeep:
		return client.Keep(p.flags.keepReason)
	case answerRelease:
		return client.GiveUp()
	default:
		return client.Undecided // what is typed answers it
	}
}

// ended notes that a contest is over.
func (p *answers) ended(contest string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = p.over || p.shown == contest
}

// asked is the contest that was shown last, and whether it is open.
func (p *answers) asked() (contest string, open bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.shown, p.shown != "" && !p.over
}

// show tells of a contest.
func (p *answers) show(c client.Contest) {
	a := p.app
	paint := func(s show.Style, text string) string { return show.Paint(show.Colour(a.errs, a.env), s, text) }
	for _, one := range c.Contestants {
		what := "asks you to give " + p.id + " back"
		if one.Acquire {
			what = "wants " + p.id
		}
		a.sayf("%s %s%s", paint(show.Yellow, show.Clean(who(one.Party))), what, quoted(one.Note))
	}
	if p.flags.answer == answerAsk && !p.flags.run {
		a.sayf("  answer until %s: release, keep REASON, or save DOC=FILE", stamp(c.Deadline))
	}
}

// who is a party for people.
func who(p client.Party) string {
	if p.Session == "" {
		return p.Principal
	}
	return p.Principal + " (" + p.Session + ")"
}

// quoted is what somebody has said, if anything.
func quoted(text string) string {
	if text == "" {
		return ""
	}
	return `: "` + show.Clean(text) + `"`
}

// hold holds the lock until it ends, the user interrupts, or a line that was typed ends it.
func (p *answers) hold(ctx context.Context, l *client.Lock) error {
	if p.flags.answer == answerAsk {
		p.typed = make(chan string, linesMax)
		go p.read() // ends with standard input, or with the program: nothing can interrupt the read
	}
	for {
		select {
		case <-ctx.Done():
			return nil // Ctrl-C is the way to end it
		case <-l.Context().Done():
			if errors.Is(l.Err(), client.ErrReleased) {
				p.app.sayf("%s is given up", p.id)
				return nil
			}
			return l.Err()
		case line, open := <-p.typed:
			if !open {
				p.typed = nil // nobody types any more: the lock is held all the same
				continue
			}
			if ended, err := p.obey(ctx, l, strings.TrimSpace(line)); ended || err != nil {
				return err
			}
		}
	}
}

// read passes on what is typed.
func (p *answers) read() {
	defer close(p.typed)
	lines := bufio.NewScanner(p.app.in)
	lines.Buffer(nil, lineMaxBytes)
	for lines.Scan() {
		p.typed <- lines.Text()
	}
}

// obey does what a line says; ended says that the lock is no more.
func (p *answers) obey(ctx context.Context, l *client.Lock, line string) (ended bool, err error) {
	verb, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	contest, open := p.asked()
	switch verb {
	case "":
		return false, nil
	case "r", "release":
		if !open {
			contest = "" // nobody asks, and it is released all the same
		}
		err = l.GiveUp(ctx, contest)
		ended = err == nil
	case "k", "keep":
		err = l.Deny(ctx, contest, rest)
	case "s", "save":
		ended, err = p.save(ctx, l, strings.Fields(rest))
	default:
		err = fmt.Errorf("%q is no answer: release, keep REASON, or save DOC=FILE", verb)
	}
	if err != nil && l.Err() == nil {
		p.app.report(err) // it can be tried again
		return false, nil
	}
	if ended && p.app.format == show.Table {
		_, err = fmt.Fprintf(p.app.out, "%s  released\n", p.id)
	}
	return ended, err
}

// save writes documents and gives the lock up, in one step.
func (p *answers) save(ctx context.Context, l *client.Lock, given []string) (ended bool, err error) {
	if len(given) == 0 {
		return false, usagef("save takes DOC=FILE, or FILE for the document of that name")
	}
	documents := make(map[string]json.RawMessage)
	for _, one := range given {
		if strings.HasSuffix("="+one, "=-") {
			return false, usagef("save reads files, not standard input")
		}
		if !strings.Contains(one, "=") {
			one = strings.TrimSuffix(filepath.Base(one), ".json") + "=" + one
		}
		if err := p.app.readDocument("save", one, documents); err != nil {
			return false, err
		}
	}
	result, err := l.SaveAndRelease(ctx, changesOf(client.PutRequest{Documents: documents}))
	if err != nil {
		return false, err
	}
	return true, p.app.wrote(ctx, nil, result, &writeFlags{}) // it had no base: nothing has to be asked
}
