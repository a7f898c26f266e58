package persistence_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"concord/persistence"
)

// A term is never too long, has no NUL, is valid UTF-8, and tells texts apart also where it cuts them.
func TestTerm(t *testing.T) {
	long := strings.Repeat("ä", persistence.TermMaxBytes)
	for name, text := range map[string]string{"short": "Jazz", "empty": "", "NUL": "a\x00b", "long": long, "longer": long + "!"} {
		term := persistence.Term(text)
		if len(term) > persistence.TermMaxBytes || strings.Contains(term, "\x00") || !utf8.ValidString(term) {
			t.Errorf("%s: %q", name, term)
		}
		if term != persistence.Term(text) {
			t.Errorf("%s: two terms", name)
		}
	}
	if persistence.Term("Jazz") != "Jazz" {
		t.Error("a short text is not its own term")
	}
	if persistence.Term(long) == persistence.Term(long+"!") {
		t.Error("two long texts have one term")
	}
}

// A job lives in the partition of its cause, whatever makes its id unique.
func TestJobsLiveWithTheirCause(t *testing.T) {
	for _, cause := range []persistence.EntityID{
		{Kind: persistence.KindSource, Provider: "lib", ID: "names"},
		{Kind: persistence.KindAuthority, Provider: "lib", ID: "names:n 79021164 / ä"},
	} {
		job := persistence.EntityID{Kind: persistence.KindPropagation, Provider: "lib", ID: persistence.JobID(cause, "0190-ab")}
		for _, n := range []int{1, 2, 7, 256} {
			if persistence.PartitionOf(job, n) != persistence.PartitionOf(cause, n) {
				t.Errorf("%v does not live with %v of %d partitions", job, cause, n)
			}
		}
		if !strings.HasSuffix(job.ID, "-0190-ab") {
			t.Errorf("id %q", job.ID)
		}
	}
	odd := persistence.EntityID{Kind: persistence.KindPropagation, Provider: "lib", ID: "no-home"}
	if persistence.PartitionOf(odd, 256) != persistence.PartitionOf(persistence.EntityID{Kind: persistence.KindUpload, Provider: "lib", ID: "no-home"}, 256) {
		t.Error("an id that names no home is its own")
	}
}
