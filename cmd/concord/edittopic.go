package main

// editTopic says what a bulk edit session is.
const editTopic = `Edit many collections in steps that can be looked at before, and taken back after. A session holds the records that were matched once, and
what was done with them:

  concord edit open ids.csv --type dataset --by /metadata/ShortName      # which records? what did not match is told by its line
  concord edit preview last --instructions @change.json                  # what would change, record by record
  concord edit apply last --wait                                         # step 1: what the preview has shown
  concord edit apply last --instructions @other.json --wait              # step 2
  concord edit rollback last --to previous --wait                        # step 2 is taken back
  concord edit redo last --wait                                          # and is there again
  concord edit rollback last --to initial --wait                         # everything is as before the session
  concord edit close last                                                # what was kept for that is released

Instructions are those of bulk updates: concord help bulk. Steps have numbers, which they keep; those that are in effect are shown by
concord edit get. A rollback is a new version of each record, made in the name of who asks. Nobody's work is lost by it: for a record
that somebody else has written since, --on-conflict says what is to be:

  skip    it is left as it is, and named (the default)
  merge   the steps are taken out of it, and the other change stays; where both have changed the same it is left
  force   it is put back as it was; the other change is lost, but stays in the history

A rollback to the same step (named by its number, or initial; previous would be one further back) with another --on-conflict takes up
what was left. A later one, with steps in between, takes that up with force alone: then nothing stays of steps that are not in effect where it
leads to (but what --keep previous has let go of). With skip and merge what an earlier rollback has left stays as it was left. A redo that
leaves some records is taken up by the next redo; --of, with the number of a run, goes on to the rollback before instead.

With --dry-run the records and their changes are shown, and nothing is written. A step that is being applied is stopped by a
rollback at the border of a record, then what it did is taken back.

Old versions are kept for a session until it is closed (--keep previous: those of its newest step), at most until the time that
concord edit get shows; until then a rollback works, also after a restart. A session is its owner's: others need the right admin.

Files are read and written byte for byte. Before you open one in a program for tables, import its columns as text: it may take a cell that
begins with =, +, - or @ for a formula.

EDIT is the id of a session, or last for your own newest one that is not closed. Ids, states and codes are as in concord bulk; any
bulk task can be taken back, too: concord bulk rollback.`
