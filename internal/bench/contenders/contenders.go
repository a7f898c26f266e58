// Package contenders holds the systems that Concord is measured against, one file each, all durable:
// each syncs to disk before it answers. The doc comment of a contender publishes its settings, which
// are chosen in its favour where the choice is not about durability.
//
// All clients reach all servers by TCP on loopback, one connection each.
package contenders

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"concord/internal/bench"
)

// stopMaxSeconds is how long a server may take to end before it is killed.
const stopMaxSeconds = 10

// startMax is how long a server may take until it serves.
const startMax = 30 * time.Second

// postgresBoth is what Select takes for both variants of PostgreSQL.
const postgresBoth = "postgres"

// Options are the hooks by which limits get the settings of our own run.
type Options struct {
	Echo   EchoOptions
	Pebble PebbleOptions
}

// known lists all contenders in the order in which a table shows them.
var known = []struct {
	name string
	make func(Options) bench.Contender
}{
	{"echo", func(o Options) bench.Contender { return NewEcho(o.Echo) }},
	{"pebble", func(o Options) bench.Contender { return NewPebble(o.Pebble) }},
	{"fsync", func(Options) bench.Contender { return NewFsync() }},
	{"postgres-rowlock", func(Options) bench.Contender { return NewPostgresRowLock() }},
	{"postgres-onestatement", func(Options) bench.Contender { return NewPostgresOneStatement() }},
	{"etcd", func(Options) bench.Contender { return NewEtcd() }},
	{"redis", func(Options) bench.Contender { return NewRedis() }},
	{"natskv", func(Options) bench.Contender { return NewNATSKV() }},
}

// Names returns the names that Select takes, without "postgres", which means both of its variants.
func Names() []string {
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = k.name
	}
	return names
}

// Select makes the contenders of these names, in this order, each once.
func Select(names []string, o Options) ([]bench.Contender, error) {
	var chosen []bench.Contender
	seen := map[string]bool{}
	for _, name := range names {
		found := false
		for _, k := range known {
			if k.name != name && (name != postgresBoth || !strings.HasPrefix(k.name, postgresBoth+"-")) {
				continue
			}
			found = true
			if !seen[k.name] {
				seen[k.name] = true
				chosen = append(chosen, k.make(o))
			}
		}
		if !found {
			all := slices.Concat(Names(), []string{postgresBoth})
			return nil, fmt.Errorf("contender %q is unknown; known are %s", name, strings.Join(all, ", "))
		}
	}
	return chosen, nil
}
