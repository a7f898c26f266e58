package main

import "github.com/spf13/cobra"

func linksTopic() *cobra.Command {
	return &cobra.Command{
		Use: "links", Short: "How fields of records follow their authorities",
		Long: `An authority is one name, subject or title, kept once: who is meant, and how it is written. A field of a record that is linked to
it has its text and a URI that says so. In MARC, $9 of the field is the id of the authority and $0 the URI. In JSON, it is an object
with the member authorityId; its members uri and label are kept up to date.

A source is where authorities come from, such as a national file. A URI is the base URL of the source and the natural id of the
authority:  https://authorities.example.org/names/ + n123

Set it up, once:

  concord source put names --name Names --code n --base-url https://authorities.example.org/names/
  concord authority import names.jsonl --source names
  concord link auto catalogue-000001 --dry-run     # how many fields have exactly one authority with their heading
  concord link auto catalogue-000001
  concord link suggest catalogue-000001 RECORD     # for what is left: what there is to choose from

To link a field by hand, write the document with $9; $0 is filled in. An id that no authority has is refused, unless the
type of the collection allows it: then the link waits for its authority.

From then on linked fields follow. A change begins a job, and the change and the job are stored in one step:

  the base URL, the natural id, another source     $0 is rewritten, everything else stays as it is
  the heading, of the same kind                    the text of the field is that of the authority
  a heading of another kind; the end of it         the field loses the link ($9), and keeps its text and $0

Look before you change it, and watch:

  concord source impact names                      # authorities, links, documents, collections, and which are locked
  concord source set-url names https://new.example.org/names/ --watch
  concord job list                                 # pause, resume, cancel, retry, rollback
  concord job items JOB                            # what failed and why, and what is waited for
  concord link report                              # every change so far, and what came of it

Each collection gets one new version of a job, with its history. One that somebody holds the lock of is not written over: the job
waits for it and goes on with the others. A second change of the same base URL supersedes the first job. concord job rollback JOB
takes the change back, as a change and a job like any other; one that has unlinked fields stays. concord link audit finds and repairs
what is not as it should be.`,
	}
}
