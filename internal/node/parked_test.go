package node

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"concord/actors"
	"concord/persistence"
	"concord/persistence/pebblestore"
)

// ask sends a request as a session of a principal, with further headers in pairs, and demands a status. No id: it is about the provider.
func (r *rig) ask(who, operation, id, body string, status int, header ...string) map[string]any {
	r.t.Helper()
	msg := &nats.Msg{Subject: strings.TrimSuffix("concord.v1."+operation+".p."+id, "."), Data: []byte(body), Header: nats.Header{
		"Concord-Principal": []string{who}, "Concord-Session": []string{"1"}}}
	for i := 0; i+1 < len(header); i += 2 {
		msg.Header[header[i]] = []string{header[i+1]}
	}
	answer, err := r.c.RequestMsg(msg, 5*time.Second)
	if err != nil {
		r.t.Fatal(err)
	}
	got := 200
	if code := answer.Header.Get("Nats-Service-Error-Code"); code != "" {
		_, _ = fmt.Sscan(code, &got)
	}
	if got != status {
		r.t.Fatalf("%s by %s: %d, not %d: %s", operation, who, got, status, answer.Data)
	}
	members := make(map[string]any)
	if err := json.Unmarshal(answer.Data, &members); err != nil {
		r.t.Fatalf("%s: %v in %s", operation, err, answer.Data)
	}
	return members
}

// TestParkedUpdateOutlivesRetention: what waits for its turn stands in an event that retention must leave.
func TestParkedUpdateOutlivesRetention(t *testing.T) {
	r := startRig(t, testOptions(t))
	defer r.stop()
	r.put("c", 1)
	token := fmt.Sprint(r.ask("ann", "lock.acquire", "c", `{}`, 200)["token"])
	parked := r.ask("bob", "collection.put", "c", `{"documents":{"b":1},"onLocked":"queue"}`, 200)
	for n := range 5 {
		r.ask("ann", "collection.put", "c", fmt.Sprintf(`{"metadata":{"n":%d}}`, n+10), 200, "Lock-Token", token)
	}
	id := persistence.EntityID{Kind: persistence.KindCollection, Provider: "p", ID: "c"}
	done, err := r.n.store.Trim(context.Background(), id, pebblestore.Policy{Versions: 1},
		pebblestore.TrimOptions{Fold: actors.Fold(r.n.options.Limits.Actors), Now: time.Now(),
			Needs: actors.Needs(r.n.options.Limits.Actors)})
	if err != nil || done.Records > 2 {
		t.Fatalf("trimmed %+v, %v", done, err)
	}
	r.ask("ann", "lock.release", "c", "", 200, "Lock-Token", token)
	operation := r.ask("bob", "operation.get", "c", fmt.Sprintf(`{"operation":%q}`, parked["operation"]), 200)
	for operation["state"] == "waiting" {
		operation = r.ask("bob", "operation.get", "c", fmt.Sprintf(`{"operation":%q}`, parked["operation"]), 200)
	}
	if operation["state"] != "done" {
		t.Fatalf("the parked update is %v", operation)
	}
	if got := fmt.Sprint(r.ask("ann", "collection.get", "c", `{}`, 200)["documents"]); got != "map[b:1]" {
		t.Errorf("documents %s", got)
	}
}
