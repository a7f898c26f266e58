package transfer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"concord/transport/client"
)

// listed are the targets of a list, each as a line of an upload has it, and the error.
func listed(list string, keys bool) (lines []string, err error) {
	for target, err := range Targets(strings.NewReader(list), keys) {
		if err != nil {
			return lines, err
		}
		text, err := client.BulkTargetText(target)
		if err != nil {
			return lines, err
		}
		lines = append(lines, string(text))
	}
	return lines, nil
}

func TestTargets(t *testing.T) {
	for name, row := range map[string]struct {
		list string
		keys bool
		want []string
		err  string
	}{
		"nothing":                             {list: ""},
		"ids":                                 {list: "a\nb\n\n c \r\n", want: []string{"a", "b", "c"}},
		"no newline at the end":               {list: "a\nb", want: []string{"a", "b"}},
		"as some editors begin it":            {list: "\uFEFFid,key\na,\n", want: []string{"a"}},
		"JSON strings":                        {list: `"a"` + "\n" + `"b"`, want: []string{"a", "b"}},
		"objects keep the bytes of the value": {list: `{"id":"a","value":{"n": 1.0}}` + "\n" + `{"id":"b","version":7}`, want: []string{`{"id":"a","value":{"n": 1.0}}`, `{"id":"b","version":7}`}},
		"a key instead of an id":              {list: `{"key":{"/metadata/Name": "x"}}`, want: []string{`{"key":{"/metadata/Name": "x"}}`}},
		"keys":                                {list: `{"/metadata/Name":"x"}`, keys: true, want: []string{`{"key":{"/metadata/Name":"x"}}`}},
		"items of a task":                     {list: `{"row":3,"id":"a","key":{"/metadata/Name":"x"},"state":"FAILED","code":"schema-invalid","message":"no","versionBefore":2}`, want: []string{"a"}},
		"a table":                             {list: "row,id,key,state\n0,a,,FAILED\n1,,\"{\"\"/metadata/Name\"\":\"\"x\"\"}\",FAILED\n", want: []string{"a", `{"key":{"/metadata/Name":"x"}}`}},
		"a table with versions":               {list: "id,version\na,7\nb,\n", want: []string{`{"id":"a","version":7}`, "b"}},
		"a collection with the name id":       {list: "id\na\n", want: []string{"id", "a"}},
		"a member that is unknown":            {list: "a\n" + `{"id":"b","vallue":1}`, want: []string{"a"}, err: `line 2: "vallue" is not known: an item has id or key, value and version`},
		"an object without a name":            {list: `{"value":1}`, err: "line 1: has neither id nor key"},
		"half of an object":                   {list: "\n" + `{"id":"b"`, err: "line 2: "},
		"an empty text":                       {list: `""`, err: "line 1: is no id as a JSON string"},
		"what is no id goes as an object":     {list: `"a b"`, want: []string{`{"id":"a b"}`}},
		"no key":                              {list: "a", keys: true, err: "line 1: is no key, such as "},
		"a row without a name":                {list: "id,key\n,\n", err: "line 2: is no key, such as "},
		"a version that is no number":         {list: "id,version\na,v7\n", err: `line 2: version "v7" is no number`},
		"a line without end":                  {list: "a\n" + strings.Repeat("b", targetLineMaxBytes+1), want: []string{"a"}, err: "line 2: more than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := listed(row.list, row.keys)
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Error(diff)
			}
			if text := fmt.Sprint(err); err == nil && row.err != "" || err != nil && (row.err == "" || !strings.HasPrefix(text, row.err)) {
				t.Errorf("error %v, want %q", err, row.err)
			}
		})
	}
}

// FuzzTargets: whatever a list is, each target that is read is a line of an upload that is read as the same target.
func FuzzTargets(f *testing.F) {
	for _, list := range []string{"a\nb", `{"id":"a","value":[1.0]}`, "id,version\na,7\n", `"a"`, `{"/metadata/x":1}`} {
		f.Add(list, false)
		f.Add(list, true)
	}
	f.Fuzz(func(t *testing.T, list string, keys bool) {
		lines, err := listed(list, keys)
		if err != nil {
			return
		}
		for _, line := range lines {
			again, err := targetOf([]byte(line), false)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			text, err := client.BulkTargetText(again)
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			same, err := targetOf(text, false)
			if diff := cmp.Diff(again, same); err != nil || diff != "" {
				t.Fatalf("%q is %q (%v) %s", line, text, err, diff)
			}
		}
	})
}
