package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"concord/actors/fields"
)

// bulkTopic says what a bulk update is, with the table of update types as the service has it.
func bulkTopic() string {
	return `Change many collections at once. A bulk task is a list of instructions for a list of collections: each collection gets all of them
as one new version, or none. The list is fixed when the task is accepted; then the task goes on by itself, also after a crash.

An instruction is an object with a type, a path or a field, and what the type takes:

  {"type": "ADD_TO_EXISTING", "path": "/metadata/ScienceKeywords", "value": {"Category": "EARTH SCIENCE", "Topic": "OCEAN"}}
  {"type": "FIND_AND_UPDATE", "field": "PLATFORMS", "find": {"ShortName": "TERN-3"}, "value": {"LongName": "Tern 3"}}

` + updateTypes() + `
A path begins with /metadata or with /documents/ID; * is each element or member of one level. A field is a name for a path that the
collection type declares. A find matches the elements that have all of its members, whole and case-sensitive; {"$contains": x},
{"$in": [x, y]} and {"$eq": x} are operators. "valueFrom" instead of value takes it from the item: "" is all of it, "/a" a member.

Collections are named by --ids, --keys, --query, --all, --items or --targets: see concord bulk submit --help. Keys, and paths that a
query can ask for, are declared by the type, in its members "keys" and "indexes".

What can become of an item:

  UPDATED     one new version          SKIPPED    no instruction found what it is about
  UNCHANGED   it was so already        FAILED     it is as it was; code and message say why
  PENDING     not yet                  CANCELLED  the task was cancelled before

Tasks that meet in a collection are applied there in the order of their numbers. A collection that somebody holds the lock of is
waited for, while the others go on (--on-locked fail: it fails). Try it first, and look:

  concord bulk dry-run --type dataset --all --instructions change.json
  concord bulk submit --type dataset --all --instructions change.json --reason "new keywords" --watch
  concord bulk items last --state FAILED            # and after the cause is mended:
  concord bulk retry last --watch
  concord bulk rollback last --watch                # all as it was

Instead of its id, TASK is a number, a name, or last for the newest.`
}

// updateTypes is the table of update types for people.
func updateTypes() string {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "  TYPE\tTAKES\tRESULT") // a strings.Builder takes everything
	for _, t := range fields.Types() {
		_, _ = fmt.Fprintf(table, "  %s\t%s\t%s\n", t.Name, strings.Join(t.Takes, " "), t.Doc)
	}
	_ = table.Flush()
	return b.String()
}
