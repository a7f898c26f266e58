package pebblestore_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/persistence/pebblestore"
)

func TestDbgTamper(t *testing.T) {
	w := newTrimmedWorld(t, newSeeded(3))
	defer w.close()
	for range 700 {
		w.step()
	}
	w.line.flush()
	sound(t, w.store)
	pairs := w.store.Raw()
	silent := map[string]int{}
	total := map[string]int{}
	for i, p := range pairs {
		if i%2 != 0 && p.Key[2] != 'U' && p.Key[2] != 'Y' && p.Key[2] != 'O' { continue }
		for _, damage := range []string{"delete", "flip", "append", "extra"} {
			var undo func() error
			set := func(k, v []byte) error { return w.store.DB().Set(k, v, pebble.NoSync) }
			del := func(k []byte) error { return w.store.DB().Delete(k, pebble.NoSync) }
			switch damage {
			case "delete":
				_ = del(p.Key)
				undo = func() error { return set(p.Key, p.Value) }
			case "flip":
				if len(p.Value) == 0 { continue }
				v := bytes.Clone(p.Value)
				v[(i*31)%len(v)] ^= 1 << (i % 8)
				_ = set(p.Key, v)
				undo = func() error { return set(p.Key, p.Value) }
			case "append":
				_ = set(p.Key, append(bytes.Clone(p.Value), 0))
				undo = func() error { return set(p.Key, p.Value) }
			case "extra":
				k := bytes.Clone(p.Key)
				k[len(k)-1] ^= 0x41
				if _, c, err := w.store.DB().Get(k); err == nil { c.Close(); continue }
				_ = set(k, p.Value)
				undo = func() error { return del(k) }
			}
			name := pebblestore.FamilyName(p.Key[2]) + "/" + damage
			r, err := w.store.Verify(context.Background(), pebblestore.VerifyOptions{Fold: fold})
			total[name]++
			if err == nil && r.Findings == 0 {
				silent[name]++
			}
			if err != nil { silent[name+"/err "+fmt.Sprint(err)]++ }
			if err := undo(); err != nil { t.Fatal(err) }
		}
	}
	sound(t, w.store)
	for k, v := range silent {
		t.Log(k, v, total[k])
	}
	_ = vfs.Default
}
