package collection

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"

	"concord/actors/collection/collectionpb"
	"concord/actors/entity"
)

// TestResultText: a result is written by hand as json.Marshal would write it.
func TestResultText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9_-]{0,20}`)
		r := Result{Provider: id.Draw(t, "provider"), ID: id.Draw(t, "id"), Version: rapid.Uint64().Draw(t, "version"),
			Seq: rapid.Uint64().Draw(t, "seq"), Changed: rapid.Bool().Draw(t, "changed")}
		r.ETag = ETag(r.Version)
		want, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.text(); string(got) != string(want) {
			t.Fatalf("%s, want %s", got, want)
		}
	})
}

// TestHashOf: the short way to the hash of a part finds what the whole way finds.
func TestHashOf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		info := &collectionpb.PartInfo{Hash: rapid.Uint64().Draw(t, "hash"), Size: rapid.Uint32().Draw(t, "size"),
			Principal: rapid.String().Draw(t, "principal")}
		if got := hashOf(entity.Fact{Info: marshal(info)}); got != info.GetHash() {
			t.Fatalf("%d, want %d", got, info.GetHash())
		}
	})
}
