package marc

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const smallJSON = `{"leader":"00000nam a2200000 a 4500","fields":[{"001":"b1"},` +
	`{"245":{"ind1":"1","ind2":"0","subfields":[{"a":"Jazz :"},{"b":"café"}]}}]}`

func TestJSON(t *testing.T) {
	for name, row := range map[string]struct {
		rec  Record
		text string
	}{
		"control and data field": {small, smallJSON},
		"no fields":              {record(), `{"leader":"00000nam a2200000 a 4500","fields":[]}`},
		"no subfields": {record("245 ##"), `{"leader":"00000nam a2200000 a 4500","fields":[` +
			`{"245":{"ind1":" ","ind2":" ","subfields":[]}}]}`},
		"repeated fields and subfields keep their order": {record("650 #0$aB$aA", "001 x", "650 #0$aA"),
			`{"leader":"00000nam a2200000 a 4500","fields":[` +
				`{"650":{"ind1":" ","ind2":"0","subfields":[{"a":"B"},{"a":"A"}]}},{"001":"x"},` +
				`{"650":{"ind1":" ","ind2":"0","subfields":[{"a":"A"}]}}]}`},
		"characters that JSON escapes": {
			Record{Leader: small.Leader, Fields: []Field{{Tag: "999", Ind1: '"', Ind2: '\\',
				Subfields: []Subfield{{'"', "\"\\\t\x00"}, {'\\', "</script>"}}}}},
			`{"leader":"00000nam a2200000 a 4500","fields":[{"999":{"ind1":"\"","ind2":"\\","subfields":[` +
				`{"\"":"\"\\\t\u0000"},{"\\":"</script>"}]}}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := row.rec.AppendJSON(nil)
			if err != nil || string(got) != row.text {
				t.Errorf("encoded %s, %v\nwant    %s", got, err, row.text)
			}
			rec, err := FromJSON([]byte(row.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.rec, rec); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestFromJSONTakesAnyOrderOfMembers(t *testing.T) {
	rec, err := FromJSON([]byte(` { "fields" : [ {"001":"b1"},
		{"245":{"subfields":[{"a":"Jazz :"},{"b":"caf\u00e9"}],"ind2":"0","ind1":"1"}} ],
		"leader":"00000nam a2200000 a 4500" } `))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(small, rec); diff != "" {
		t.Error(diff)
	}
}

func TestFromJSONRefuses(t *testing.T) {
	field := func(s string) string {
		return `{"leader":"00000nam a2200000 a 4500","fields":[{"001":"b1"},` + s + `]}`
	}
	data := func(s string) string { return field(`{"245":` + s + `}`) }
	for name, row := range map[string]struct{ text, path, says string }{
		"nothing":               {``, "", "unexpected EOF"},
		"half a record":         {smallJSON[:60], "/fields", "unexpected EOF"},
		"two records":           {smallJSON + smallJSON, "", "more text"},
		"junk behind it":        {smallJSON + "x", "", "invalid character 'x'"},
		"an array":              {`[]`, "", "found array, want object"},
		"invalid UTF-8":         {strings.Replace(smallJSON, "é", "\xe9", 1), "/fields/1/245/subfields/1/b", "invalid UTF-8"},
		"half a surrogate pair": {strings.Replace(smallJSON, "é", `\ud800`, 1), "/fields/1/245/subfields/1/b", "surrogate"},
		"no fields":             {`{"leader":"00000nam a2200000 a 4500"}`, "", "a leader and fields"},
		"no leader":             {`{"fields":[]}`, "", "a leader and fields"},
		"leader twice":          {`{"leader":"00000nam a2200000 a 4500","leader":"x"}`, "/leader", "duplicate"},
		"unknown member":        {`{"leader":"00000nam a2200000 a 4500","id":1}`, "/id", "unknown member"},
		"name in capitals":      {`{"Leader":"00000nam a2200000 a 4500"}`, "/Leader", "unknown member"},
		"short leader":          {`{"leader":"00000nam"}`, "/leader", "8 bytes, want 24"},
		"accent in the leader":  {`{"leader":"00000nam a2200000 é4500"}`, "/leader", "leader/18"},
		"leader a number":       {`{"leader":1}`, "/leader", "found number, want string"},
		"fields an object":      {`{"fields":{}}`, "/fields", "found object, want array"},
		"field a string":        {field(`"x"`), "/fields/1", "found string, want object"},
		"field without a tag":   {field(`{}`), "/fields/1", "without a tag"},
		"field with two tags":   {field(`{"001":"a","003":"b"}`), "/fields/1/003", "second tag"},
		"short tag":             {field(`{"24":"a"}`), "/fields/1/24", "tag"},
		"text in a data field":  {data(`"Jazz"`), "/fields/1/245", "found string, want object"},
		"object in a control":   {field(`{"003":{}}`), "/fields/1/003", "found object, want string"},
		"null":                  {data(`null`), "/fields/1/245", "found null, want object"},
		"no indicators":         {data(`{"subfields":[]}`), "/fields/1/245", "ind1, ind2 and subfields"},
		"long indicator":        {data(`{"ind1":"10"}`), "/fields/1/245/ind1", "not one ASCII"},
		"indicator a number":    {data(`{"ind2":1}`), "/fields/1/245/ind2", "found number, want string"},
		"unknown in data field": {data(`{"ind3":" "}`), "/fields/1/245/ind3", "unknown member"},
		"subfields an object":   {data(`{"subfields":{"a":"x"}}`), "/fields/1/245/subfields", "found object, want array"},
		"subfield with no code": {data(`{"subfields":[{}]}`), "/fields/1/245/subfields/0", "without a code"},
		"subfield, two codes":   {data(`{"subfields":[{"a":"x","b":"y"}]}`), "/fields/1/245/subfields/0/b", "second code"},
		"long code":             {data(`{"subfields":[{"ab":"x"}]}`), "/fields/1/245/subfields/0/ab", "not one ASCII"},
		"blank code":            {data(`{"subfields":[{" ":"x"}]}`), "/fields/1/245/subfields/0/ ", "subfield code"},
		"delimiter in a value":  {data(`{"subfields":[{"a":"x\u001fby"}]}`), "/fields/1/245/subfields/0/a", "delimiter 0x1f at byte 1"},
		"subfield value a list": {data(`{"subfields":[{"a":["x"]}]}`), "/fields/1/245/subfields/0/a", "found array, want string"},
		"terminator in 001":     {field(`{"001":"b\u001e"}`), "/fields/1/001", "delimiter"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := FromJSON([]byte(row.text))
			bad, ok := errors.AsType[*PathError](err)
			if !ok || bad.Path != row.path || !strings.Contains(err.Error(), row.says) {
				t.Errorf("got %v, want path %q and %q", err, row.path, row.says)
			}
		})
	}
}

func TestAppendJSONRefusesWhatNoReaderTakes(t *testing.T) {
	if got, err := record("245 10$a\x1e").AppendJSON(nil); err == nil {
		t.Errorf("wrote %s", got)
	}
}

func TestAppendJSONAppends(t *testing.T) {
	got, err := small.AppendJSON([]byte("x"))
	if err != nil || string(got) != "x"+smallJSON {
		t.Errorf("got %s, %v", got, err)
	}
}
