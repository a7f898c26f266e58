package jsonvalue

import (
	"testing"

	"concord/internal/realdata"
)

func readSuites(t *testing.T) *Value {
	t.Helper()
	return mustParse(t, string(realdata.Read(t, "json-patch-tests.json")))
}

// TestPatchSuite runs every active record of the official suite of JSON Patch.
func TestPatchSuite(t *testing.T) {
	suites := readSuites(t)
	active := 0
	for _, list := range []string{"tests", "spec_tests"} {
		records, _ := suites.Get(list)
		for i, record := range records.Elements() {
			if _, disabled := record.Get("disabled"); disabled {
				continue
			}
			active++
			name := list + "/" + indexToken(i)
			if comment, ok := record.Get("comment"); ok {
				name += " " + comment.Str()
			}
			t.Run(name, func(t *testing.T) { runPatchRecord(t, record) })
		}
	}
	if active < 100 {
		t.Errorf("only %d active records found", active)
	}
}

func runPatchRecord(t *testing.T, record *Value) {
	doc, _ := record.Get("doc")
	text, _ := record.Get("patch")
	want, hasResult := record.Get("expected")
	_, mustFail := record.Get("error")
	before := string(doc.Text())

	var got *Value
	patch, err := ParsePatch(text.Text())
	if err == nil {
		got, err = patch.Apply(doc, Limits{})
	}
	switch {
	case mustFail && err == nil:
		t.Errorf("%s with %s gives %s, want an error", before, text.Text(), got.Text())
	case !mustFail && err != nil:
		t.Errorf("%s with %s: %v", before, text.Text(), err)
	case hasResult && !Equal(got, want):
		t.Errorf("%s with %s gives %s, want %s", before, text.Text(), got.Text(), want.Text())
	}
	if string(doc.Text()) != before {
		t.Errorf("%s became %s", before, doc.Text())
	}
}

// TestMergePatchSuite runs the cases of RFC 7396, Appendix A.
func TestMergePatchSuite(t *testing.T) {
	suite, _ := readSuites(t).Get("merge_patch")
	records, _ := suite.Get("tests")
	if records.Len() != 15 {
		t.Errorf("%d records found", records.Len())
	}
	for i, record := range records.Elements() {
		original, _ := record.Get("original")
		patch, _ := record.Get("patch")
		want, _ := record.Get("result")
		if got := MergePatch(original, patch); !Equal(got, want) {
			t.Errorf("%d: %s into %s gives %s, want %s",
				i, patch.Text(), original.Text(), got.Text(), want.Text())
		}
	}
}
