package operations

import (
	"errors"
	"fmt"

	"concord/actors/collection"
	"concord/actors/problem"
	"concord/transport"
)

// settleParams reads how a stale base is settled from the query, where a body has no place for it, or from an alias.
func settleParams(r *transport.Request, w *collection.Write) error {
	if w.Base == nil {
		w.Base = r.Base
	}
	base, given, err := intParam(r, "baseVersion")
	switch {
	case err != nil:
		return err
	case given && w.Base != nil:
		return problem.At("baseVersion", "the body names a base version, too")
	case given:
		w.Base = &base
	}
	if name := r.Param("policy"); name != "" {
		if w.Policy != "" {
			return problem.At("policy", "the body names a policy, too")
		}
		if w.Policy, err = parsePolicy(name, "policy"); err != nil {
			return err
		}
	}
	fields, err := fieldsParam(r)
	w.Fields = append(w.Fields, fields...)
	return err
}

// bothVersions are where the two versions can be read that a stale write could not be brought together with.
type bothVersions struct {
	Base    string `json:"base"`
	Current string `json:"current"`
}

// linked adds to a conflict where both versions are.
func linked(r *transport.Request, err error) error {
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok || p.Code != problem.VersionConflict {
		return err
	}
	var l bothVersions
	for _, m := range p.Members {
		version, ok := m.Value.(uint64)
		at := fmt.Sprintf("/api/v1/providers/%s/collections/%s?version=%d", r.Provider, r.ID, version)
		switch {
		case ok && m.Name == "baseVersion":
			l.Base = at
		case ok && m.Name == "currentVersion":
			l.Current = at
		}
	}
	return p.With("links", l)
}
