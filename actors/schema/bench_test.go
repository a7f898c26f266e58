package schema

import (
	"fmt"
	"strings"
	"testing"
)

// ruledRecord is a schema of about 100 rules, and a record of about size bytes that fits it.
func ruledRecord(size int) (schema, record string) {
	schema = `{"type":"object","required":["title","fields"],"properties":{"title":{"type":"string","maxLength":300},
		"fields":{"type":"array","items":{"$ref":"#/$defs/field"}},` + counted(40, func(i int) string {
		return fmt.Sprintf(`"note%d":{"type":"string","minLength":1}`, i)
	}) + `},"additionalProperties":false,"$defs":{"field":{"type":"object","required":["tag","subfields"],"properties":{
		"tag":{"type":"string","pattern":"^[0-9A-Z]{3}$"},"ind1":{"type":"string","maxLength":1},"ind2":{"type":"string","maxLength":1},
		"weight":{"type":"number","minimum":0,"maximum":1},
		"subfields":{"type":"array","minItems":1,"items":{"type":"object","patternProperties":{"^[a-z0-9]$":{"type":"string"}},"maxProperties":1}}},
		"if":{"properties":{"tag":{"enum":["100","245","650"]}}},"then":{"required":["ind1","ind2"]}}}}`
	var b strings.Builder
	b.WriteString(`{"title":"Kind of Blue","note3":"Sextet","fields":[`)
	for i := 0; b.Len() < size-60; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"tag":"650","ind1":" ","ind2":"0","weight":0.25,"subfields":[{"a":"Jazz"},{"z":"United States"},{"y":"%d-1960"}]}`, 1900+i%60)
	}
	b.WriteString(`]}`)
	return schema, b.String()
}

func BenchmarkCheck(b *testing.B) {
	for _, size := range []struct {
		name  string
		bytes int
	}{{"1KiB", 1 << 10}, {"16KiB", 16 << 10}, {"512KiB", 512 << 10}} {
		schema, record := ruledRecord(size.bytes)
		for name, text := range map[string]string{"fits": record, "violates": strings.ReplaceAll(record, `"0"`, `"00"`)} {
			s, v := compile(b, schema), parse(b, text)
			if len(s.Check(v, "")) > 0 != (name == "violates") {
				b.Fatal(lines(s, v, ""))
			}
			b.Run(name+"/"+size.name, func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					s.Check(v, "/documents/a")
				}
			})
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	ordinary, _ := ruledRecord(0)
	for name, text := range map[string]string{
		"ordinary/5KiB":      ordinary,
		"references/60KiB":   chain(schemaMaxPlaces/2 - 2),
		"alternatives/60KiB": `{"allOf":` + repeat(schemaMaxPlaces-1, `{"maxLength":1}`) + `}`,
		"values/60KiB":       `{"enum":` + repeat(schemaMaxNodes-2, `1`) + `}`,
	} {
		v := parse(b, text)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := Compile(v); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkBudget(b *testing.B) {
	schema, record := ruledRecord(512 << 10)
	s, v := compile(b, schema), parse(b, record)
	for b.Loop() {
		steps := budget{left: checkMaxSteps, unevaluated: s.unevaluated}
		if !steps.evaluate(s.root, v, 0) {
			b.Fatal("too costly")
		}
		b.ReportMetric(float64(checkMaxSteps-steps.left), "steps")
	}
}
