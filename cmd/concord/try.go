package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

// errWouldRefuse says that what was tried would be refused; why has been told.
var errWouldRefuse = errors.New("it would be refused")

// untitled is the type that a trial is of if only a file says what the type is.
const untitled = "untitled"

// tryInput is what a trial is given.
type tryInput struct{ file, base, ours, theirs, policy string }

func (a *app) typeTry() *cobra.Command {
	var in tryInput
	cmd := &cobra.Command{
		Use:   "try [ID]",
		Short: "Merge three sides as collections of a type would: nothing is stored",
		Long: `Merge three sides as collections of a type would, by the same code. The type is the stored one, or that of --file, which need
not be stored. A side is a file {"metadata": {...}, "documents": {...}}; what it leaves out is not there. Nothing is stored.

The exit code is 4 if conflicts would refuse the write.`,
		Example: `  concord type try dossier --base base.json --ours mine.json --theirs theirs.json
  concord type try --file dossier.json --base base.json --ours mine.json --theirs theirs.json --policy merge-server`,
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && in.file == "" {
				return usagef("name a type, or a --file with one\n  usage: %s", cmd.UseLine())
			}
			return a.runTry(cmd.Context(), append(args, untitled)[0], in)
		},
	}
	f := cmd.Flags()
	f.StringVar(&in.file, "file", "", "file with a collection type that is tried instead of the stored one; - is standard input")
	f.StringVar(&in.base, "base", "", "file with what both sides were built on")
	f.StringVar(&in.ours, "ours", "", "file with what a change would write")
	f.StringVar(&in.theirs, "theirs", "", "file with what is stored")
	f.StringVar(&in.policy, "policy", "", "instead of the type's default, or of merge")
	_ = cmd.RegisterFlagCompletionFunc("policy", completePolicy) // there is such a flag
	for _, name := range []string{"base", "ours", "theirs"} {
		_ = cmd.MarkFlagRequired(name)
	}
	return cmd
}

func (a *app) runTry(ctx context.Context, id string, in tryInput) error {
	r := client.TryRequest{Policy: client.Policy(in.policy)}
	err := errors.Join(a.readSide(in.base, &r.Base), a.readSide(in.ours, &r.Client), a.readSide(in.theirs, &r.Server))
	if err != nil {
		return err
	}
	if in.file != "" {
		if r.Type, err = a.readJSON(in.file); err != nil {
			return err
		}
	}
	c, err := a.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	trial, err := c.TypeTry(ctx, id, r)
	if err != nil {
		return err
	}
	if err := a.showTrial(trial); err != nil {
		return err
	}
	if trial.Resolution == "" {
		return errWouldRefuse
	}
	return nil
}

func (a *app) readSide(path string, side *client.TrySide) error {
	text, err := a.readJSON(path)
	if err != nil {
		return err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil || members == nil {
		return usagef(`%s: must be {"metadata": {...}, "documents": {...}}`, path)
	}
	for name := range members {
		if name != "metadata" && name != "documents" {
			return usagef(`%s: has %q beside "metadata" and "documents"`, path, name)
		}
	}
	side.Metadata = members["metadata"]
	if documents := members["documents"]; documents != nil {
		if err := json.Unmarshal(documents, &side.Documents); err != nil {
			return usagef("%s: documents must be an object of documents by their ids", path)
		}
	}
	return nil
}

func (a *app) showTrial(t *client.Trial) error {
	if a.format != show.Table {
		return show.Encode(a.out, a.format, t)
	}
	what := map[string]string{"": "refused", "merged": "merged", "client": "the client's content", "server": "the server's content",
		"server-logic": "as the type says"}[t.Resolution]
	if _, err := fmt.Fprintf(a.out, "%s: %s\n", t.Policy, what); err != nil {
		return err
	}
	for i := range t.Conflicts {
		t.Conflicts[i].Version = 0 // of a trial it is made up
	}
	if err := a.clashTable(a.out, t.Conflicts, t.ConflictsTotal, t.Resolution != ""); err != nil {
		return err
	}
	for _, v := range t.Violations {
		if _, err := fmt.Fprintf(a.out, "does not fit the schema: %s: %s\n", show.Clean(v.Path), show.Clean(v.Message)); err != nil {
			return err
		}
	}
	return a.content(t.Content)
}

func conflictsTopic() *cobra.Command {
	return &cobra.Command{
		Use: "conflicts", Short: "How changes of two people come together",
		Long: `A change that names its base (--base) is refused if what it touches has changed since: exit code 4. --policy says otherwise:

  merge           bring both sides together; where both have changed the same, each in another way, refuse it all
  merge-client    the same, and there yours wins
  merge-server    the same, and there theirs wins
  client          write yours over theirs
  server          leave theirs, write nothing
  merged          you have merged, with the version that --base names: refused if that is not the newest
  server-logic    as the rules or the script of the collection's type say; also custom-logic

A type may allow some of them only, and have one for changes that ask for none (concord type --help). Its rules say how to
merge what stands at a path: atomic, set, keyed (with "key"), counter, max, min, client, server.

--resolve settles the conflicts that a merge leaves, one place at a time, with what it makes of the rest:

  --resolve ours, theirs or base     all of them, or
  --resolve PATH=ours                what is at a path such as /documents/intro/title and below it; may be repeated
  --resolve, --resolve editor        the rest, in the editor that VISUAL or EDITOR names

The file in the editor has for each place its path, three sides to read, and the result, which you write:

  == /documents/intro/title
  -- base
  "Helo"
  -- ours
  "Hello"
  -- theirs
  "Hello!"
  -- result
  ?

The result is one of the words ours, theirs, base and remove, or a value as JSON. A ? leaves the place open, and an open
place has nothing written. Lines that begin with # say nothing. If somebody is faster while you edit, what you have settled
counts as yours, and you are asked about what is new alone. What could not be written stays in the file, which is named.`,
	}
}
