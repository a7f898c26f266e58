package operations

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/collection"
	"concord/transport/api"
)

// TestImportsBeginJobsWhereThereAreLinks: a change of many has a job for each authority that documents are linked to, or
// wait for, and for no other.
func TestImportsBeginJobsWhereThereAreLinks(t *testing.T) {
	b := start(t, vfs.NewMem())
	library(b)
	must[api.LinkChanged](b, "source.patch", "names", `{"baseUrl":null}`)
	must[any](b, "type.put", "trusting", `{"links":{"unknownAuthority":"accept"}}`)
	must[collection.Result](b, "collection.put", "c", `{"format":"marc","type":"trusting","documents":{"d":`+
		marcRecord(marcField("100", "a=Davis, Miles,", "d=1926-1991", "9=davis"), marcField("700", "a=Coltrane, John", "9=coltrane"))+`}}`)
	items := func(davis, evans, coltrane, monk string) string {
		line := func(id, natural, name string) string {
			return fmt.Sprintf(`{"id":%q,"naturalId":%q,"record":%s}`, id, natural, marcRecord(marcField("100", "a="+name)))
		}
		return `{"source":"names","items":[` + line("davis", "n1", davis) + "," + line("evans", "n2", evans) + "," +
			line("coltrane", "n3", coltrane) + "," + line("monk", "n4", monk) + `]}`
	}
	first := must[api.Imported](b, "authority.import", "", items("Davis, M.", "Evans, B.", "Coltrane, John", "Monk, Thelonious"))
	if first.Created != 2 || first.Changed != 2 || first.Propagations != 2 || first.Failed != 0 {
		t.Errorf("first: %+v", first)
	}
	for id, has := range map[string]bool{"davis": true, "evans": false, "coltrane": true, "monk": false} {
		if got := must[api.Authority](b, "authority.get", "", "", inAuthority(id)); (got.Propagation != "") != has {
			t.Errorf("%s has the job %q", id, got.Propagation)
		}
	}
	again := must[api.Imported](b, "authority.import", "", items("Davis, M.", "Evans, B.", "Coltrane, John", "Monk, Thelonious"))
	if again.Unchanged != 4 || again.Propagations != 0 {
		t.Errorf("again: %+v", again)
	}
	dry := must[api.Imported](b, "authority.import", "", items("Davis, Miles", "Evans, B.", "Coltrane, J.", "Monk, T."), param("dryRun", "true"))
	if dry.Changed != 3 || dry.Propagations != 0 {
		t.Errorf("dry run: %+v", dry)
	}
}
