package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"concord/cmd/concord/internal/resolve"
	"concord/cmd/concord/internal/show"
)

// editsMax bounds how often one file is opened.
const editsMax = 32

// edit has the user settle the open places in a file, with what is settled already in the draft that fresh makes.
func (s *settling) edit(ctx context.Context, open []*resolve.Clash, fresh func() (*resolve.Draft, error)) (*resolve.Draft, error) {
	text, err := resolve.Render(s.introduction(len(open)), open)
	if err != nil {
		return nil, fmt.Errorf("%w: settle some with --resolve PATH=ours", err)
	}
	name, err := writeTemporary("concord-"+s.proposal.id+"-*.txt", text)
	if err != nil {
		return nil, err
	}
	s.files = append(s.files, settledFile{name, text})
	for range editsMax {
		if err := s.app.runEditor(ctx, name); err != nil {
			return nil, err
		}
		d, problem, err := s.read(name, fresh)
		if err != nil {
			return nil, err
		}
		if problem == "" && len(d.Open()) == 0 {
			return d, nil
		}
		if problem != "" {
			s.app.sayf("%s: %s", name, show.Clean(problem))
		} else {
			s.app.sayf("%s: %s left open", name, show.Count(len(d.Open()), "conflict"))
		}
		again, err := s.app.confirm(ctx, "edit it again?")
		switch {
		case err != nil:
			return nil, err
		case again:
		case problem != "":
			return nil, &unsettledError{s, open}
		default:
			return d, nil // what is left open is told
		}
	}
	return nil, &unsettledError{s, open}
}

// read takes what the file says. problem is what the user can put right.
func (s *settling) read(name string, fresh func() (*resolve.Draft, error)) (d *resolve.Draft, problem string, err error) {
	text, err := readBounded(name, resolve.FileMaxBytes)
	if err != nil {
		return nil, "", err
	}
	if d, err = fresh(); err != nil {
		return nil, "", err
	}
	answers, err := resolve.Parse(text)
	if err == nil {
		err = d.Take(answers)
	}
	if err != nil {
		return nil, err.Error(), nil //nolint:nilerr // the user is told, and can put it right
	}
	return d, "", nil
}

// introduction is what the file says at its beginning.
func (s *settling) introduction(places int) []string {
	by := ""
	if s.met.ChangedBy != "" {
		by = ", by " + show.Clean(s.met.ChangedBy)
	}
	return []string{
		fmt.Sprintf("%s: your change was built on %s, and the newest version is %s%s.", s.proposal.id, tag(s.met.BaseVersion), tag(s.current), by),
		fmt.Sprintf("All else is merged; here is what both have changed, each in another way: %s.", show.Count(places, "place")),
		"",
		"Below each \"-- result\" write one of the words ours, theirs, base or remove, or the value, as JSON, in place of the ?.",
		"What stands above it is there to be read. A ? leaves the place open, and then nothing is written.",
	}
}

// writeTemporary writes a file that only the user can read.
func writeTemporary(pattern string, text []byte) (name string, err error) {
	f, err := os.CreateTemp("", pattern)
	if err != nil {
		return "", fmt.Errorf("make a file to settle the conflicts in: %w", err)
	}
	_, err = f.Write(text)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return "", fmt.Errorf("write %s: %w", f.Name(), err)
	}
	return f.Name(), nil
}

// runEditor opens a file in the user's editor, and waits for its end.
func (a *app) runEditor(ctx context.Context, name string) error {
	editor := cmp.Or(a.env("VISUAL"), a.env("EDITOR"))
	if editor == "" && show.Terminal(a.errs) {
		editor = "vi"
	}
	if editor == "" {
		return usagef("--resolve opens an editor: VISUAL or EDITOR names it; or say --resolve ours, theirs or PATH=ours")
	}
	in, done := a.keyboard()
	defer done()
	cmd := exec.CommandContext(ctx, "sh", "-c", editor+` "$@"`, editor, name) // a command with arguments, as everywhere
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, a.out, a.errs
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the editor %s: %w", editor, err)
	}
	return nil
}

// keyboard is where the user types: standard input, unless that was a file or a pipe and there is a terminal.
func (a *app) keyboard() (in io.Reader, done func()) {
	if !show.Terminal(a.in) && show.Terminal(a.errs) {
		if tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0); err == nil {
			return tty, func() { _ = tty.Close() } // nothing was written
		}
	}
	return a.in, func() {}
}

// confirm asks the user. Without a terminal the answer is no.
func (a *app) confirm(ctx context.Context, question string) (bool, error) {
	in, done := a.keyboard()
	defer done()
	if !show.Terminal(in) || !show.Terminal(a.errs) {
		return false, nil
	}
	_, _ = fmt.Fprintf(a.errs, "%s [Y/n] ", question)
	line, err := bufio.NewReader(io.LimitReader(in, lineMaxBytes)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return err == nil && (answer == "" || answer == "y" || answer == "yes"), nil
}
