package jsonvalue

import (
	"bytes"
	"fmt"
	"strconv"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// catalogue returns a bibliographic record in JSON of about size bytes, with the usual mixture:
// nested objects, short strings, some letters beyond ASCII, some escapes and numbers.
func catalogue(size int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"title":"Kind of Blue","created":1959,"price":12.50,"draft":false,"notes":[`)
	for i := 0; b.Len() < size-20; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"id":%d,"tag":"650","ind1":" ","ind2":"0","heading":`, 1000+i)
		if i%4 == 0 {
			b.WriteString(`"Récital \u2013 \"Édition spéciale\"","uri":null}`)
		} else {
			b.WriteString(`"Jazz -- United States -- 1951-1960","weight":0.25}`)
		}
	}
	b.WriteString(`],"version":7}`)
	return b.Bytes()
}

var benchSizes = []struct {
	name  string
	bytes int
}{{"1KiB", 1 << 10}, {"512KiB", 512 << 10}}

func BenchmarkCheck(b *testing.B) {
	for _, size := range benchSizes {
		text := catalogue(size.bytes)
		b.Run(size.name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Check(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkJSONText is what Check is compared with: first jsontext without a hash, then with the
// same hash over its tokens.
func BenchmarkJSONText(b *testing.B) {
	for _, size := range benchSizes {
		text := catalogue(size.bytes)
		b.Run("valid/"+size.name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if !jsontext.Value(text).IsValid() {
					b.Fatal("invalid")
				}
			}
		})
		b.Run("hash/"+size.name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			reader := bytes.NewReader(nil)
			decoder := jsontext.NewDecoder(reader)
			for b.Loop() {
				reader.Reset(text)
				decoder.Reset(reader)
				if _, err := hashTokens(decoder); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// hashTokens is Check by means of jsontext: another version to compare with.
func hashTokens(d *jsontext.Decoder) (uint64, error) {
	kind := d.PeekKind()
	if kind == jsontext.KindBeginObject {
		return hashTokenMembers(d)
	}
	if kind == jsontext.KindBeginArray {
		return hashTokenElements(d)
	}
	if kind == jsontext.KindString {
		content, err := hashTokenString(d)
		return hashString(content), err
	}
	raw, err := d.ReadValue()
	switch {
	case err != nil:
		return 0, err
	case kind == jsontext.KindNumber:
		return hashNumber(newDecimal(raw)), nil
	case kind == jsontext.KindTrue:
		return hashTrue, nil
	case kind == jsontext.KindFalse:
		return hashFalse, nil
	default:
		return hashNull, nil
	}
}

func hashTokenString(d *jsontext.Decoder) (uint64, error) {
	raw, err := d.ReadValue()
	if err != nil {
		return 0, err
	}
	body := raw[1 : len(raw)-1]
	if bytes.IndexByte(body, '\\') >= 0 {
		if body, err = jsontext.AppendUnquote(nil, raw); err != nil {
			return 0, err
		}
	}
	return hashBytes(body), nil
}

func hashTokenElements(d *jsontext.Decoder) (uint64, error) {
	hash, count := uint64(hashArrayStart), 0
	if _, err := d.ReadToken(); err != nil {
		return 0, err
	}
	for d.PeekKind() != ']' {
		element, err := hashTokens(d)
		if err != nil {
			return 0, err
		}
		hash = hashElement(hash, element)
		count++
	}
	_, err := d.ReadToken()
	return hashArray(hash, count), err
}

func hashTokenMembers(d *jsontext.Decoder) (uint64, error) {
	sum, count := uint64(0), 0
	if _, err := d.ReadToken(); err != nil {
		return 0, err
	}
	for d.PeekKind() != '}' {
		name, err := hashTokenString(d)
		if err != nil {
			return 0, err
		}
		value, err := hashTokens(d)
		if err != nil {
			return 0, err
		}
		sum += hashMember(name, value)
		count++
	}
	_, err := d.ReadToken()
	return hashObject(sum, count), err
}

func BenchmarkParse(b *testing.B) {
	for _, size := range benchSizes {
		text := catalogue(size.bytes)
		b.Run(size.name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkEqual(b *testing.B) {
	x, y := mustParse(b, string(catalogue(1<<10))), mustParse(b, string(catalogue(1<<10)))
	b.ReportAllocs()
	for b.Loop() {
		if !Equal(x, y) {
			b.Fatal("different")
		}
	}
}

func BenchmarkDiff(b *testing.B) {
	for _, size := range benchSizes {
		text := catalogue(size.bytes)
		before := mustParse(b, string(text))
		text = bytes.Replace(text, []byte("United States"), []byte("France"), 1)
		text = bytes.Replace(text, []byte(`"id":1001`), []byte(`"id":9`), 1)
		after := mustParse(b, string(text))
		b.Run(size.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if len(Diff(before, after)) == 0 {
					b.Fatal("no difference")
				}
			}
		})
	}
}

func BenchmarkApply(b *testing.B) {
	v := mustParse(b, string(catalogue(1<<10)))
	p := Patch{
		{Op: OpTest, Path: Pointer{"version"}, Value: mustParse(b, "7")},
		{Op: OpReplace, Path: Pointer{"version"}, Value: mustParse(b, "8")},
		{Op: OpAdd, Path: Pointer{"notes", "-"}, Value: mustParse(b, `{"id":1}`)},
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.Apply(v, Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompareNumbers(b *testing.B) {
	x, y := strconv.Itoa(123456), "1.23456e5"
	for b.Loop() {
		if CompareNumbers(x, y) != 0 {
			b.Fatal("different")
		}
	}
}

func mustParse(t testing.TB, text string) *Value {
	t.Helper()
	v, err := Parse([]byte(text))
	if err != nil {
		t.Fatalf("parse %.200q: %v", text, err)
	}
	return v
}
