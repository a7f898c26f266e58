package client_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestClientIsLight: a program that calls Concord does not link what runs it.
func TestClientIsLight(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "concord/transport/client").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	packages := strings.Fields(string(out))
	if len(packages) < 10 {
		t.Fatalf("only %v", packages)
	}
	for _, name := range packages {
		for _, heavy := range []string{
			"github.com/cockroachdb/", "github.com/nats-io/nats-server/", "github.com/asynkron/protoactor-go/",
			"github.com/prometheus/", "concord/persistence/pebblestore", "concord/actors/host", "concord/transport/operations",
		} {
			if strings.HasPrefix(name+"/", heavy) || strings.HasPrefix(name, heavy) {
				t.Errorf("the client links %s", name)
			}
		}
	}
}
