package pebblestore_test
import ("testing";"concord/persistence";"concord/persistence/pebblestore")
func TestDbg(t *testing.T){
 for seed := range uint64(6) {
 w := newTrimmedWorld(t, newSeeded(seed)); 
 for range 400 { w.step() }
 w.line.flush(); w.compare(); r := sound(t, w.store)
 r2 := sound(t, w.whole)
 t.Logf("%+v", r); t.Logf("%+v", r2)
 for _, id := range w.entities() { h,_ := w.store.Head(id); o,s := w.store.EdgeOf(id); t.Logf("%v seq %d v %d edge %d %d", id, h.Seq,h.Version,o,s)}
 m := map[string]int{}
 for _, p := range w.store.Raw() { m[pebblestore.FamilyName(p.Key[2])]++ }
 t.Log(m)
 w.close()
 }
 _ = persistence.Kind(1)
}
