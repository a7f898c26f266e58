package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"concord/actors/problem"
	"concord/actors/rules"
	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

// conflictFlags say what becomes of a change whose base is stale.
type conflictFlags struct {
	policy  string
	fields  []string
	resolve []string // see resolution
	byHand  string   // what was settled by hand, once it is
}

// Names of the flags that the argument list is looked through for.
const (
	flagBase        = "base"
	flagBaseVersion = "base-version"
	flagResolve     = "resolve"
)

func (w *writeFlags) addConflict(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&w.conflict.policy, "policy", "", "if the base is stale: merge, merge-client, merge-server, client, server, merged or server-logic (concord help conflicts)")
	f.StringSliceVar(&w.conflict.fields, "fields", nil, "of a refusal, show the conflicts at these paths alone")
	f.StringArrayVar(&w.conflict.resolve, flagResolve, nil, "settle conflicts: in your editor, with ours, theirs or base, or PATH=ours; may be repeated")
	f.Lookup(flagResolve).NoOptDefVal = resolveEditor
	_ = cmd.RegisterFlagCompletionFunc("policy", completePolicy) // there is such a flag
	_ = cmd.RegisterFlagCompletionFunc(flagResolve, cobra.FixedCompletions([]string{resolveEditor, "ours", "theirs", "base"}, cobra.ShellCompDirectiveNoFileComp))
}

func completePolicy(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	names := make([]string, len(rules.Policies))
	for i, p := range rules.Policies {
		names[i] = string(p)
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// conflictOptions are what the flags about stale bases mean for a call.
func (w *writeFlags) conflictOptions() (options []client.CallOption, err error) {
	c := &w.conflict
	if c.policy != "" && !slices.Contains(rules.Policies, client.Policy(c.policy)) {
		return nil, usagef("--policy takes one of %s, not %q", policyNames(rules.Policies), c.policy)
	}
	if c.policy != "" {
		options = append(options, client.OnConflict(client.Policy(c.policy)))
	}
	if len(c.fields) > 0 {
		options = append(options, client.Fields(c.fields...))
	}
	return options, nil
}

// settles says that one of the flags is given.
func (c *conflictFlags) settles() bool {
	return c.policy != "" || len(c.fields) > 0 || len(c.resolve) > 0
}

func policyNames(policies []client.Policy) string {
	names := make([]string, len(policies))
	for i, p := range policies {
		names[i] = string(p)
	}
	return strings.Join(names, ", ")
}

// Bounds of how conflicts are shown.
const (
	clashValueMaxRunes = 24
	clashesMaxShown    = 50
)

// clashGrid shows places where two sides disagree. The last column is the side that a policy has taken.
func clashGrid(colour bool, clashes []client.Clash, decided bool) *show.Grid {
	columns := []string{"PATH", "KIND", "BASE", "YOURS", "THEIRS", "BY", "VERSION"}
	if decided {
		columns = append(columns, "TAKEN")
	}
	grid := show.NewGrid(colour, columns...)
	for i := range clashes[:min(len(clashes), clashesMaxShown)] {
		c := &clashes[i]
		path := c.Path
		if path == "" {
			path = "(all of it)"
		}
		cells := []show.Cell{{Text: path, Style: show.Cyan}, {Text: string(c.Kind)}, {Text: brief(c.Base, c.BaseBytes)},
			{Text: brief(c.Client, c.ClientBytes)}, {Text: brief(c.Server, c.ServerBytes)}, {Text: c.ChangedBy}, {Text: versionOrNone(c.Version), Style: show.Yellow}}
		if decided {
			cells = append(cells, show.Cell{Text: sideTaken(c.Taken), Style: show.Green})
		}
		grid.Cells(cells...)
	}
	return grid
}

// sideTaken is a side in the words of the other columns.
func sideTaken(side string) string {
	if side == "client" {
		return "yours"
	}
	return "theirs"
}

func versionOrNone(version uint64) string {
	if version == 0 {
		return ""
	}
	return tag(version)
}

// brief is a value in a few characters: a long one is cut, and its size told; - is none.
func brief(value json.RawMessage, bytes int) string {
	switch {
	case value == nil && bytes == 0:
		return "-"
	case value == nil:
		return "(" + size(bytes) + ")"
	}
	text := show.Compact(value, clashValueMaxRunes)
	if strings.HasSuffix(text, "…") {
		text += " (" + size(len(value)) + ")"
	}
	return text
}

// clashTable writes the places, and how many there are beyond those that are shown.
func (a *app) clashTable(w io.Writer, clashes []client.Clash, total int, decided bool) error {
	if len(clashes) > 0 {
		if err := clashGrid(show.Colour(w, a.env), clashes, decided).Write(w); err != nil {
			return err
		}
	}
	if more := max(total, len(clashes)) - min(len(clashes), clashesMaxShown); more > 0 {
		_, err := fmt.Fprintf(w, "... and %s more that are not shown\n", show.Thousands(int64(more)))
		return err
	}
	return nil
}

// showConflict tells of a refusal because of a stale base: what disagrees, and what can be done.
func (a *app) showConflict(c *client.Conflict) {
	// Nobody is left to tell if standard error is gone.
	_ = a.clashTable(a.errs, c.Clashes, c.Total, false)
	whole := !slices.ContainsFunc(c.Clashes, func(one client.Clash) bool { return strings.Count(one.Path, "/") > 2 })
	switch {
	case len(c.Allowed) == 0:
		a.sayf("  read it again (concord get), and repeat the change on that version")
		return
	case whole && c.Allows(client.PolicyMerge):
		a.sayf("  --policy merge brings both sides together where they do not disagree; --resolve settles where they do")
	default:
		a.sayf("  --resolve settles it by hand; or read it again (concord get), and repeat the change on that version")
	}
	a.sayf("  policies here: %s (concord help conflicts)", policyNames(c.Allowed))
}

// conflictHint says what could be done about refusals that have to do with stale bases; false if it is none of them.
func (a *app) conflictHint(err error) bool {
	p, _ := errors.AsType[*client.Problem](err)
	if met, ok := errors.AsType[*client.Conflict](err); ok {
		a.showConflict(met)
		return true
	}
	switch {
	case client.IsCode(err, problem.PolicyNotAllowed):
		var allowed []client.Policy
		p.Member("allowed", &allowed)
		a.sayf("  allowed here: %s", policyNames(allowed))
	case client.IsCode(err, problem.BaseUnavailable):
		a.sayf("  read the newest version (concord get), and repeat the change on that")
	default:
		return false
	}
	return true
}

// outcome says in a few words what became of a write. by made the version that it met.
func outcome(r *client.Result, w *writeFlags, by string) string {
	written, merged := "written", "merged with "
	if w.dryRun {
		written, merged = "would be written", "would be merged with "
	}
	switch r.Resolution {
	case "server":
		return "unchanged: theirs stays, yours was built on " + tag(r.BaseVersion)
	case "client":
		return strings.TrimSuffix(written+" over "+tag(r.Overwrote)+" by "+by, " by ")
	case "merged", "server-logic":
		if !r.Changed {
			return "unchanged: what you changed is there already"
		}
		text := merged + tag(met(r))
		if by != "" {
			text += " by " + by
		}
		if r.Resolution == "server-logic" {
			text += ", as the type says"
		}
		if n := max(r.ConflictsTotal, len(r.Conflicts)); n > 0 {
			text += fmt.Sprintf("; %s decided for %s", show.Count(n, "path"), sideTakenBy(r.Conflicts))
		}
		return text
	}
	if !r.Changed {
		written = "unchanged"
	}
	return strings.TrimSuffix(written+": "+w.conflict.byHand, ": ")
}

// met is the newest version that a stale write has met.
func met(r *client.Result) uint64 {
	if r.Overwrote != 0 {
		return r.Overwrote
	}
	return max(r.Version, 1) - 1
}

// whoMax is how many versions are looked through for one that a write has met: others may have come since.
const whoMax = 10

// whoMade says who made the version that a write was settled with; "" if it was none, or that is not to be found out at once.
func (a *app) whoMade(ctx context.Context, c *client.Client, r *client.Result) string {
	if a.format != show.Table || r.Resolution == "" || !r.Changed {
		return ""
	}
	page, err := c.CollectionHistory(ctx, r.ID, client.Limit(whoMax))
	if err != nil {
		return "" // the write is made: that it cannot be told with whom is no failure
	}
	for i := range page.Items {
		if page.Items[i].Version == met(r) {
			return page.Items[i].Principal
		}
	}
	return ""
}

// sideTakenBy is the side that won: a policy decides for one.
func sideTakenBy(clashes []client.Clash) string {
	if len(clashes) > 0 && clashes[0].Taken == "client" {
		return "you"
	}
	return "them"
}

// aftermath tells of a write what is beyond the usual: paths that were decided, the outcome of a dry run, warnings.
func (a *app) aftermath(r *client.Result, dryRun bool) error {
	if err := a.clashTable(a.out, r.Conflicts, r.ConflictsTotal, true); err != nil {
		return err
	}
	if dryRun && r.Resolution != "" || r.Resolution == "server" {
		if err := a.content(r.Content); err != nil {
			return err
		}
	}
	for _, w := range r.Warnings {
		a.sayf("warning: %s: %s", show.Clean(w.Path), show.Clean(w.Message))
	}
	if more := r.WarningsTotal - len(r.Warnings); more > 0 {
		a.sayf("warning: ... and %s more", show.Thousands(int64(more)))
	}
	return nil
}

// content shows parts as they are, or would be.
func (a *app) content(c *client.Content) error {
	if c == nil {
		return nil
	}
	w := &errWriter{w: a.out}
	part := func(path string, value json.RawMessage) {
		w.print(show.Clean(path) + "  " + show.Indented(value, "") + "\n")
	}
	if c.Metadata != nil {
		part("/metadata", c.Metadata)
	}
	for _, id := range sortedNames(c.Documents) {
		part(documentPath(id), c.Documents[id])
	}
	for _, id := range c.Removed {
		w.print(show.Clean(documentPath(id)) + "  is not there\n")
	}
	if c.More > 0 {
		w.print(fmt.Sprintf("... and %s that are too long to be shown\n", show.Count(c.More, "part")))
	}
	return w.err
}
