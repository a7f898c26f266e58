// Package sample makes up library catalogues, authority files and data-set descriptions of any size,
// for demonstrations, tests and benchmarks. Nothing in them is real, but their shape is: a few headings
// are used in very many records and most in one or two, kinds of material, lengths and scripts vary,
// and every heading of a record has its authority.
//
// All of it follows from a seed: same seed, same bytes.
package sample

import (
	"bufio"
	"fmt"
	"io"

	"concord/internal/marc"
	"concord/internal/records"
	"github.com/go-json-experiment/json/jsontext"
)

// Kind names what to make up.
type Kind string

// The kinds, and what makes up one item of each.
const (
	Bibs     Kind = "bibs"     // bibliographic records: [Catalogue.Bib]
	Names    Kind = "names"    // authority records of names: [Catalogue.Name]
	Subjects Kind = "subjects" // authority records of subjects: [Catalogue.Subject]
	Datasets Kind = "datasets" // descriptions of data sets, in JSON: [Catalogue.Dataset]

	Authorities Kind = "authorities" // all authorities of the first bibs: names, then subjects

	DatasetType Kind = "dataset-type" // the collection type of data sets, in JSON: one, however many are asked for
)

// Kinds lists every Kind, for a usage text.
func Kinds() []Kind { return []Kind{Bibs, Authorities, Names, Subjects, Datasets, DatasetType} }

// ParseKind returns the Kind with that name.
func ParseKind(name string) (Kind, error) {
	for _, k := range Kinds() {
		if string(k) == name {
			return k, nil
		}
	}
	return "", unknownKind(Kind(name))
}

func unknownKind(k Kind) error {
	return fmt.Errorf("unknown kind %q: want one of %q", string(k), Kinds())
}

// Write writes the first n items of a kind to out, in memory that does not depend on n. The names of
// the first n bibs are the first [NamesIn](n) names, their subjects the first [SubjectsIn](n) subjects;
// of Authorities n counts the bibs, and these are what is written.
//
// MARC records can be written in every format. In JSONL a line is {"id", "record"} for bibs, and
// {"id", "source", "naturalId", "heading", "tag", "record"} for authorities, whose id is their natural
// id; for a data set, of which there is only JSONL, it is the description itself.
func Write(out io.Writer, kind Kind, format records.Format, n int, seed uint64) error {
	if kind == DatasetType {
		_, err := io.WriteString(out, datasetType)
		return err
	}
	c := New(seed)
	item, most, err := c.items(kind, n)
	if err != nil {
		return err
	}
	if n < 0 || n > most {
		return fmt.Errorf("make up %d %s: there are 0 to %d", n, kind, most)
	}
	buf := bufio.NewWriter(out)
	write, err := writeFunc(buf, kind, format)
	if err != nil {
		return err
	}
	if kind == Authorities {
		n = NamesIn(n) + SubjectsIn(n)
	}
	for i := range n {
		it, err := item(i)
		if err == nil {
			err = write(it)
		}
		if err != nil {
			return fmt.Errorf("write %s %d: %w", kind, i+1, err)
		}
	}
	return buf.Flush()
}

// datasetsMax is no more than what the ids have digits for.
const datasetsMax = 99_999_999

// item is one thing made up: a MARC record, with the members that stand before it in a line of JSONL,
// or a text.
type item struct {
	rec     marc.Record
	members [][2]string
	text    []byte
}

// items returns the function that makes up the items of a kind, and how many may be asked for. bibs matters
// to Authorities alone.
func (c Catalogue) items(kind Kind, bibs int) (item func(int) (item, error), most int, err error) {
	switch kind {
	case Bibs:
		return c.bibItem, BibsMax(), nil
	case Authorities:
		return c.authorityItems(bibs), BibsMax(), nil
	case Names:
		return authorityItem(c.Name), NamesMax(), nil
	case Subjects:
		return authorityItem(c.Subject), SubjectsMax(), nil
	case Datasets:
		return c.datasetItem, datasetsMax, nil
	default:
		return nil, 0, unknownKind(kind)
	}
}

func (c Catalogue) bibItem(n int) (item, error) {
	rec := c.Bib(n)
	return item{rec: rec, members: [][2]string{{"id", rec.ControlNumber()}}}, nil
}

func authorityItem(authority func(int) Authority) func(int) (item, error) {
	return func(rank int) (item, error) {
		a := authority(rank)
		return item{rec: a.Record, members: [][2]string{
			{"id", a.NaturalID}, {"source", a.Source}, {"naturalId", a.NaturalID}, {"heading", a.Heading}, {"tag", a.Tag},
		}}, nil
	}
}

// authorityItems are the names of the first bibs, and then their subjects.
func (c Catalogue) authorityItems(bibs int) func(int) (item, error) {
	name, subject := authorityItem(c.Name), authorityItem(c.Subject)
	return func(n int) (item, error) {
		if names := NamesIn(bibs); n >= names {
			return subject(n - names)
		}
		return name(n)
	}
}

func (c Catalogue) datasetItem(n int) (item, error) {
	text, err := c.Dataset(n)
	return item{text: text}, err
}

// writeFunc returns the function that writes one item.
func writeFunc(out io.Writer, kind Kind, format records.Format) (func(item) error, error) {
	if _, err := records.ParseFormat(string(format)); err != nil {
		return nil, err
	}
	if kind == Datasets && format != records.JSONL {
		return nil, fmt.Errorf("%s are no MARC records: want format %q, not %q", kind, records.JSONL, format)
	}
	if format == records.ISO2709 {
		w := marc.NewWriter(out)
		return func(it item) error { return w.Write(it.rec) }, nil
	}
	var buf []byte
	return func(it item) (err error) {
		switch {
		case kind == Datasets:
			buf = append(buf[:0], it.text...)
		case format == records.MARCJSON:
			buf, err = it.rec.AppendJSON(buf[:0])
		default:
			buf, err = it.appendLine(buf[:0])
		}
		if err != nil {
			return err
		}
		buf = append(buf, '\n')
		_, err = out.Write(buf)
		return err
	}, nil
}

// appendLine appends the members and the record as one object.
func (it item) appendLine(dst []byte) ([]byte, error) {
	dst = append(dst, '{')
	for _, m := range it.members {
		dst = append(append(append(dst, '"'), m[0]...), `":`...)
		var err error
		if dst, err = jsontext.AppendQuote(dst, m[1]); err != nil {
			return nil, err
		}
		dst = append(dst, ',')
	}
	dst, err := it.rec.AppendJSON(append(dst, `"record":`...))
	if err != nil {
		return nil, err
	}
	return append(dst, '}'), nil
}
