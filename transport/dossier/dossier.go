// Package dossier has the routes, headers and answers by which clients of the jadice Dossier Organizer and of its lock
// service, neverpile, know collections and their locks. Each is an alias of an operation of the table: the operation does
// the work. docs/DOSSIER.md is the page for people.
package dossier

import (
	"net/http"
	"slices"
	"strings"

	"concord/transport"
)

// Names of that system.
const (
	System      = "dossier"
	HeaderToken = "X-Neverpile-Lock-Token"
	HeaderScope = "X-Neverpile-Lock-Scope" // of answers: what the lock of the collection is called

	scopes         = "neverpile:"
	collectionLock = scopes + "collection:"
	pathProvider   = "/providers/{provider}"
	pathBeacon     = "/api-noauth/v1/locks/{scope}/release"
)

// Aliases are those of the operations in the table. It panics if one of them is missing.
func Aliases(table []*transport.Operation) []*transport.Alias {
	var all []*transport.Alias
	for _, name := range []string{"collection.put", "collection.get", "collection.patch", "collection.delete"} {
		all = append(all, collectionAlias(table, name))
	}
	return append(append(all, lockAliases(table)...), beacon(table))
}

// of is an alias of the operation, as that is.
func of(table []*transport.Operation, name string) *transport.Alias {
	i := slices.IndexFunc(table, func(op *transport.Operation) bool { return op.Name == name })
	if i < 0 {
		panic("dossier: there is no operation " + name)
	}
	op := *table[i]
	op.Params = slices.Clone(op.Params)
	return &transport.Alias{Operation: &op, System: System, Headers: map[string]string{HeaderToken: transport.HeaderLockToken}}
}

// collectionAlias is the operation on a collection of the default provider, which the path does not name.
func collectionAlias(table []*transport.Operation, name string) *transport.Alias {
	a := of(table, name)
	a.Path = strings.Replace(a.Path, pathProvider, "", 1)
	a.Doc += " (of the provider " + transport.DefaultProvider + ")"
	if a.Method == http.MethodGet {
		a.Reply = func(r *transport.Request, reply *transport.Reply) (*transport.Reply, error) {
			more := *reply
			more.Header = map[string]string{HeaderScope: collectionLock + r.ID}
			return &more, nil
		}
	}
	return a
}
