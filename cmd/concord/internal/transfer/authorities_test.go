package transfer

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"concord/internal/records"
)

const marcRecord = `{"leader":"00000nz  a2200000n  4500","fields":[{"001":"n7"},{"100":{"ind1":"1","ind2":" ","subfields":[{"a":"Davis, Miles"}]}}]}`

func TestAuthoritiesOfAFile(t *testing.T) {
	for name, row := range map[string]struct {
		line string
		want string // id source naturalId record; or what is wrong
	}{
		"with all that is to be said": {`{"id":"x","source":"s","naturalId":"n1","record":{"heading": "A"}}`, `x s n1 {"heading": "A"}`},
		"others are passed over":      {`{"naturalId":"n1","uses":5,"tag":"100","record":{"heading":"A"}}`, `  n1 {"heading":"A"}`},
		"a bare MARC record":          {marcRecord, "  n7 " + marcRecord},
		"a MARC record in an object":  {`{"id":"x","record":` + marcRecord + `}`, "x  n7 " + marcRecord},
		"no natural id to be found":   {`{"id":"x","record":{"heading":"A"}}`, `x   {"heading":"A"}`},
		"a record that is none":       {`{"naturalId":"n1","record":null}`, "  n1 null"},
		"names are exact":             {`{"NaturalId":"n1","Record":{"heading":"A"}}`, "no authority: neither"},
		"no record":                   {`{"heading":"A"}`, "no authority: neither"},
		"an id that is a number":      {`{"id":7,"record":{"heading":"A"}}`, "/id must be a text"},
		"a list":                      {`[1]`, "not a JSON object"},
		"a name twice":                {`{"record":1,"record":2}`, "duplicate"},
	} {
		var got string
		r, err := records.NewReader(strings.NewReader(row.line), records.JSONL, records.Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = eachAuthority(r, func(f Failure) { got = f.Message }, func(a authorityRow) error {
			got = strings.Join([]string{a.item.ID, a.item.Source, a.item.NaturalID, string(a.item.Record)}, " ")
			return nil
		})
		if err != nil || got != row.want && (strings.Contains(row.want, "{") || !strings.Contains(got, row.want)) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, row.want)
		}
	}
}

func TestLinesOfAnUploadAreRows(t *testing.T) {
	var got []int
	for line := 1; line <= 4; line++ {
		got = append(got, rowOf(line, []int{1, 2, 5}))
	}
	if diff := cmp.Diff([]int{3, 4, 6, 7}, got); diff != "" {
		t.Error(diff)
	}
	if got := rowOf(9, nil); got != 9 {
		t.Errorf("row %d, want 9", got)
	}
}
