package collection

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

	"concord/actors/collection/collectionpb"
	"concord/actors/entity"
	"concord/actors/rules"
)

// Merge is what is stored of how a stale write came out: enough to explain it later. The rules and the script need not be
// run again, since the content is stored.
type Merge struct {
	Policy      string
	Resolution  string
	Base, Over  uint64 // what the write was built on, and the newest version, which it met
	TypeVersion uint64 // of the collection type; 0 without
	RulesHash   []byte // SHA-256 of the text of that type
	ScriptHash  []byte // SHA-256 of the script that ran
	Decided     []string
	Total       int // of the paths on which the policy has decided; Decided has the first of them
}

// Bounds of the paths that an event names.
const (
	decidedMaxNamed = 1000
	decidedMaxBytes = 32 << 10
)

// noted is what is stored of the settlement; nil of none.
func (s *settlement) noted(t *rules.Type) *Merge {
	if s == nil {
		return nil
	}
	m := &Merge{Policy: string(s.policy), Resolution: s.resolution, Base: s.base, Over: s.over, Total: len(s.decided)}
	if t.Version > 0 {
		m.TypeVersion, m.RulesHash = t.Version, t.Hash[:]
	}
	if s.script != "" {
		hash := sha256.Sum256([]byte(s.script))
		m.ScriptHash = hash[:]
	}
	bytes := 0
	for i := range s.decided[:min(len(s.decided), decidedMaxNamed)] {
		path := s.decided[i].Path.String()
		if bytes += len(path); bytes > decidedMaxBytes {
			break
		}
		m.Decided = append(m.Decided, path)
	}
	return m
}

func (m *Merge) message() *collectionpb.Merge {
	if m == nil {
		return nil
	}
	return &collectionpb.Merge{Policy: m.Policy, Resolution: m.Resolution, Base: m.Base, Over: m.Over, TypeVersion: m.TypeVersion,
		RulesHash: m.RulesHash, ScriptHash: m.ScriptHash, Decided: m.Decided, DecidedTotal: uint64(m.Total)}
}

func mergeOf(m *collectionpb.Merge) *Merge {
	if m == nil {
		return nil
	}
	return &Merge{Policy: m.GetPolicy(), Resolution: m.GetResolution(), Base: m.GetBase(), Over: m.GetOver(),
		TypeVersion: m.GetTypeVersion(), RulesHash: m.GetRulesHash(), ScriptHash: m.GetScriptHash(),
		Decided: m.GetDecided(), Total: int(m.GetDecidedTotal())}
}

// MergeOf is what the stored event tells of a merge; nil of none.
func MergeOf(saved *collectionpb.Saved) *Merge { return mergeOf(saved.GetMerge()) }

// MergeData is what is told of a merge beside the content: in the history, and in the event that leaves.
type MergeData struct {
	Policy      string   `json:"policy" doc:"Conflict policy that was applied"`
	Resolution  string   `json:"resolution" enum:"merged,client,server-logic"`
	BaseVersion uint64   `json:"baseVersion" doc:"What the write was built on"`
	OverVersion uint64   `json:"overVersion" doc:"The newest version, which it met; with resolution client: which it overwrote"`
	TypeVersion uint64   `json:"typeVersion,omitempty" doc:"Of the collection type whose rules were used"`
	RulesHash   string   `json:"rulesHash,omitempty" doc:"SHA-256 of the text of that type, in hex"`
	ScriptHash  string   `json:"scriptHash,omitempty" doc:"SHA-256 of the source of the script that ran, in hex"`
	Decided     []string `json:"decided,omitempty" doc:"Paths on which the policy has decided for one side, the first of them"`
	Total       int      `json:"decidedTotal,omitempty" doc:"How many there were, if not all are named"`
}

// Data is what is told of the merge; nil of none.
func (m *Merge) Data() *MergeData {
	if m == nil {
		return nil
	}
	d := &MergeData{Policy: m.Policy, Resolution: m.Resolution, BaseVersion: m.Base, OverVersion: m.Over,
		TypeVersion: m.TypeVersion, RulesHash: hex.EncodeToString(m.RulesHash), ScriptHash: hex.EncodeToString(m.ScriptHash),
		Decided: m.Decided}
	if len(m.Decided) < m.Total {
		d.Total = m.Total
	}
	return d
}

// publishedMaxPaths is how many decided paths an event that leaves names: it has to fit into a message.
const publishedMaxPaths = 100

// published is the merge as a member of what is told of the event that leaves.
func (m *Merge) published() []byte {
	d := m.Data()
	if d == nil {
		return nil
	}
	if len(d.Decided) > publishedMaxPaths {
		d.Decided, d.Total = d.Decided[:publishedMaxPaths], m.Total
	}
	text, err := json.Marshal(d)
	if err != nil {
		panic("collection: what is told of a merge always marshals: " + err.Error())
	}
	return text
}

// kept are the stale parts as they stay. A body that was not read is left out.
func (d *draft) kept(found staleness) []entity.Content {
	parts := make([]entity.Content, 0, len(found.parts))
	for i := range found.parts {
		ids := []string{found.parts[i].id}
		if found.parts[i].documents {
			ids = d.changedDocuments()
		}
		for _, id := range ids {
			fact := d.current(id)
			parts = append(parts, entity.Content{ID: id, Removed: !fact.Exists, Body: fact.Body})
		}
	}
	return slices.Clip(parts)
}

// changedDocuments are those that have changed since the base of a write that replaces all of them; all that there are, if
// that is not known.
func (d *draft) changedDocuments() []string {
	_, changed, ok := d.facts.Was()
	if all, _ := d.facts.All(); !ok || d.facts.TooMuch() != nil {
		changed = all
	}
	return slices.DeleteFunc(sortedKeys(changed), func(id string) bool { return id == MetadataPart })
}
