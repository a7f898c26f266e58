package fields

import (
	"fmt"
	"strings"
	"testing"

	"concord/actors/jsonvalue"
	"concord/actors/problem"
)

const documentBytes = 512 << 10

// repeated is a list of as many elements as fit into a document.
func repeated(format string) string { return listOf(format, documentBytes) }

func listOf(format string, bytes int) string {
	var b strings.Builder
	for i := 0; b.Len() < bytes; i++ {
		fmt.Fprintf(&b, format+",", i)
	}
	return "[" + strings.TrimSuffix(b.String(), ",") + "]"
}

// TestHostileSizes: records and instructions of the largest size, made so that the work or the result would explode if it
// were not linear, or not bounded. Whoever waits for this test would notice.
func TestHostileSizes(t *testing.T) {
	small := strings.Repeat("x", 100_000)
	wide := `{"m":0` + manyMembers(20_000) + `}`
	for name, row := range map[string]struct {
		metadata, do string
		status       Status
		code         problem.Code
	}{
		"a long value to each of many places": {
			`{"l":` + repeated(`{"i":%d}`) + `}`, `{"type":"ADD_TO_EXISTING","path":"/metadata/l/*/t","value":"` + small + `"}`, Failed, problem.TooLarge},
		"a long value for each of many matches": {
			`{"l":` + repeated(`{"i":%d}`) + `}`, `{"type":"FIND_AND_REPLACE","path":"/metadata/l","matchAll":true,"value":"` + small + `"}`, Failed, problem.TooLarge},
		"a long patch of each of many places": {
			`{"l":` + repeated(`{"i":%d}`) + `}`, `{"type":"MERGE_PATCH","path":"/metadata/l/*","value":{"t":"` + small + `"}}`, Failed, problem.TooLarge},
		"a JSON patch with a long value for each of many places": {
			`{"l":` + repeated(`{"i":%d}`) + `}`, `{"type":"JSON_PATCH","path":"/metadata/l/*","value":[{"op":"add","path":"/t","value":"` + small + `"}]}`, Failed, problem.TooLarge},
		"a short text becomes a long one everywhere": {
			`{"t":"` + strings.Repeat("a", documentBytes) + `"}`, `{"type":"REPLACE_TEXT","path":"/metadata/t","find":"a","value":"` + small + `"}`, Failed, problem.TooLarge},
		"a patch doubles each of many places": {
			`{"l":` + repeated(`{"i":[%d]}`) + `}`, `{"type":"JSON_PATCH","path":"/metadata/l/*","value":[` + strings.Repeat(`{"op":"copy","from":"/i","path":"/i/0"},`, 40) + `{"op":"test","path":"/i/1","value":0}]}`, Failed, problem.Invalid},
		"a patch inserts again and again": {
			`{"l":` + repeated(`%d`) + `}`, `{"type":"JSON_PATCH","path":"/metadata/l","value":[` + strings.TrimSuffix(strings.Repeat(`{"op":"add","path":"/0","value":0},`, 9_000), ",") + `]}`, Failed, problem.Invalid},
		"a wide object over many narrow ones": {
			`{"l":` + repeated(`{"i":%d}`) + `}`, `{"type":"FIND_AND_UPDATE","path":"/metadata/l","matchAll":true,"value":` + wide + `}`, Failed, problem.TooLarge},
		"a wide find": {
			`{"l":[` + wide + `,` + wide + `]}`, `{"type":"FIND_AND_REMOVE","path":"/metadata/l","find":` + wide + `}`, Updated, ""},
		"a wide object over a wide one": {
			`{"l":[` + wide + `,` + wide + `]}`, `{"type":"FIND_AND_UPDATE","path":"/metadata/l","matchAll":true,"value":` + strings.ReplaceAll(wide, "m", "n") + `}`, Updated, ""},
		"many options and many elements": {
			`{"l":` + repeated(`%d`) + `}`, `{"type":"FIND_AND_REMOVE","path":"/metadata/l","find":{"$in":` + listOf(`%d.0`, 500_000) + `}}`, Updated, ""},
		"many equal elements": {
			`{"l":[` + strings.Repeat("1,1.0,", documentBytes/6) + `1]}`, `{"type":"ADD_TO_EXISTING","path":"/metadata/l","value":10e-1}`, Updated, ""},
		"many new keys for many elements": {
			`{"l":` + repeated(`{"k":%d}`) + `}`, `{"type":"APPEND_NEW_BY_KEY","path":"/metadata/l","key":"k","value":` + listOf(`{"k":"%d"}`, 400_000) + `}`, Updated, ""},
		"a long number": {
			`{"l":[1` + strings.Repeat("0", documentBytes/2) + `]}`, `{"type":"FIND_AND_REMOVE","path":"/metadata/l","find":1e` + fmt.Sprint(documentBytes/2) + `}`, Updated, ""},
	} {
		t.Run(name, func(t *testing.T) {
			list, p := Parse([]byte("["+row.do+"]"), nil, "")
			if p != nil {
				t.Fatal(p.Detail)
			}
			o := ApplyAll(list, Record{Metadata: value(t, row.metadata)}, nil)
			if o.Status != row.status || o.Problem != nil && o.Problem.Code != row.code {
				t.Errorf("%s %v", o.Status, o.Problem)
			}
			if o.Metadata != nil && o.Metadata.Size() > writtenMaxBytes+documentBytes {
				t.Errorf("%d bytes", o.Metadata.Size())
			}
		})
	}
}

// TestOneHash: a list in which all hashes are one costs no more than others.
func TestOneHash(t *testing.T) {
	list := value(t, repeated(`"%d"`)).Elements()
	if got := distinctBy(list, func(*jsonvalue.Value) jsonvalue.Hash { return 1 }); len(got) != len(list) {
		t.Errorf("%d of %d", len(got), len(list))
	}
}

// BenchmarkApply: one instruction on the metadata of one data set. Its cost is that of the list it is about.
func BenchmarkApply(b *testing.B) {
	for _, elements := range []int{10, 100, 1000} {
		var list []string
		for i := range elements {
			list = append(list, fmt.Sprintf(`{"Category":"EARTH SCIENCE","Topic":"T%d","Term":"OCEANS","VariableLevel1":"V"}`, i))
		}
		metadata := value(b, `{"ShortName":"S","ScienceKeywords":[`+strings.Join(list, ",")+`]}`)
		for name, text := range map[string]string{
			"add":    `{"type":"ADD_TO_EXISTING","path":"/metadata/ScienceKeywords","value":{"Category":"EARTH SCIENCE","Topic":"NEW"}}`,
			"update": `{"type":"FIND_AND_UPDATE","path":"/metadata/ScienceKeywords","find":{"Topic":"T5"},"value":{"Term":"LAND"}}`,
			"remove": `{"type":"FIND_AND_REMOVE","path":"/metadata/ScienceKeywords","find":{"Topic":"T5"}}`,
			"merge":  `{"type":"MERGE_BY_KEY","path":"/metadata/ScienceKeywords","key":"Topic","value":{"Topic":"T5","Term":"LAND"}}`,
		} {
			in := taken(text)
			b.Run(fmt.Sprintf("%s/%d", name, elements), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if got, p := in.Apply(metadata, jsonvalue.Pointer{tokenMetadata}, nil); p != nil || !got.Changed {
						b.Fatal(p)
					}
				}
			})
		}
	}
}
