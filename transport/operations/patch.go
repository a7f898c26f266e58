package operations

import (
	"context"
	"mime"

	"concord/actors/collection"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/transport"
)

// collectionPatch carries one or many changes and makes one version of them.
func (s *Service) collectionPatch(_ context.Context, r *transport.Request, done reply) {
	w, reason, err := decodePatch(r)
	if err == nil {
		err = settleParams(r, w)
	}
	if err != nil {
		done(nil, err)
		return
	}
	s.change(r, w, &w.Under, reason, done)
}

func decodePatch(r *transport.Request) (w *collection.Write, reason string, err error) {
	mediaType := transport.MediaJSON
	if r.Header.ContentType != "" {
		if mediaType, _, err = mime.ParseMediaType(r.Header.ContentType); err != nil {
			return nil, "", problem.At("header "+transport.HeaderContentType, "%v", err)
		}
	}
	switch mediaType {
	case transport.MediaJSON:
		w, reason, err = decodeChanges(r.Body)
	case transport.MediaJSONPatch:
		w, err = decodeJSONPatch(r.Body)
	case transport.MediaMergePatch:
		w, err = decodeMergePatch(r.Body)
	default:
		err = problem.At("header "+transport.HeaderContentType, "must be %s, %s or %s", transport.MediaJSON, transport.MediaJSONPatch, transport.MediaMergePatch)
	}
	if err != nil {
		return nil, "", err
	}
	w.Preconditions, err = preconditions(r, w.Base)
	return w, reason, err
}

func decodeJSONPatch(body []byte) (*collection.Write, error) {
	patch, err := jsonvalue.ParsePatch(body)
	if err != nil {
		return nil, syntax("", err)
	}
	moves, err := collection.ParseCrossPatch(patch)
	if err != nil {
		return nil, err
	}
	for _, part := range moves.Parts {
		if part != collection.MetadataPart && !transport.ValidDocumentID(part) {
			return nil, problem.At("", "the patch names the document %.300q: a document id is %s", part, transport.DocumentIDRule)
		}
	}
	return &collection.Write{Moves: moves}, nil
}

// decodeMergePatch reads an RFC 7396 patch of {metadata, documents}: null removes, as everywhere in that standard.
func decodeMergePatch(body []byte) (*collection.Write, error) {
	e, err := openEnvelope(body, "", "metadata", "documents")
	if err != nil {
		return nil, err
	}
	w := &collection.Write{}
	if m, ok := e.members["metadata"]; ok {
		ch, err := mergeChange(collection.MetadataPart, "/metadata", m)
		if err != nil {
			return nil, err
		}
		if m.Kind == jsonvalue.Null {
			ch = collection.Change{Op: collection.OpPut, Path: "/metadata", Body: []byte("{}"),
				Hash: uint64(jsonvalue.NewObject().Hash())}
		}
		w.Changes = append(w.Changes, ch)
	}
	m, ok := e.members["documents"]
	switch {
	case !ok:
		return w, nil
	case m.Kind == jsonvalue.Null:
		w.ReplaceDocuments = true
		return w, nil
	case m.Kind != jsonvalue.Object:
		return nil, problem.At("/documents", "must be an object of documents by their ids, or null")
	}
	documents, err := e.documents()
	if err != nil {
		return nil, err
	}
	members, err := jsonvalue.Members(m.Text)
	if err != nil {
		return nil, syntax("/documents", err)
	}
	for i, d := range members {
		ch, err := mergeChange(d.Name, documents[i].Path, d)
		if err != nil {
			return nil, err
		}
		w.Changes = append(w.Changes, ch)
	}
	return w, nil
}

// mergeChange is what RFC 7396 says of one member: null removes, an object merges, anything else replaces.
func mergeChange(part, path string, m jsonvalue.RawMember) (collection.Change, error) {
	ch := collection.Change{Part: part, Path: path}
	switch {
	case m.Kind == jsonvalue.Null:
		ch.Op = collection.OpRemoveIfThere
	case m.Kind == jsonvalue.Object:
		tree, err := jsonvalue.Parse(m.Text)
		if err != nil {
			return ch, syntax(path, err)
		}
		ch.Op, ch.Merge = collection.OpMerge, tree
	case part == collection.MetadataPart:
		return ch, problem.At(path, "must be an object or null")
	default:
		ch.Op, ch.Body, ch.Hash = collection.OpPut, m.Text, uint64(m.Hash)
	}
	return ch, nil
}

// decodeChanges reads {changes: [...]}, our own aggregate of many changes.
func decodeChanges(body []byte) (*collection.Write, string, error) {
	e, err := openEnvelope(body, "", append([]string{"changes"}, commonNames...)...)
	if err != nil {
		return nil, "", err
	}
	c, err := e.common()
	if err != nil {
		return nil, "", err
	}
	m, ok := e.members["changes"]
	if !ok || m.Kind != jsonvalue.Array {
		return nil, "", problem.At("/changes", "must be an array of changes")
	}
	elements, err := jsonvalue.Elements(m.Text)
	if err != nil {
		return nil, "", syntax("/changes", err)
	}
	if len(elements) > changesMax {
		return nil, "", problem.New(problem.TooLarge, "%d changes: the limit is %d", len(elements), changesMax)
	}
	w := &collection.Write{Policy: c.policy, Fields: c.fields, Under: collection.Under{Park: c.queue},
		Changes: make([]collection.Change, len(elements))}
	w.Base = c.base
	for i, element := range elements {
		path := "/changes" + indexPath(i)
		if w.Changes[i], err = decodeChange(element.Text, path); err != nil {
			return nil, "", err
		}
	}
	return w, c.reason, nil
}

// changeOps are the names of the changes, and whether they are on the metadata.
var changeOps = map[string]struct {
	op       collection.Op
	metadata bool
}{
	"put-document":    {collection.OpPut, false},
	"merge-document":  {collection.OpMerge, false},
	"patch-document":  {collection.OpPatch, false},
	"remove-document": {collection.OpRemove, false},
	"put-metadata":    {collection.OpPut, true},
	"merge-metadata":  {collection.OpMerge, true},
	"patch-metadata":  {collection.OpPatch, true},
}

func decodeChange(text []byte, path string) (ch collection.Change, err error) {
	e, err := openEnvelope(text, path, "op", "id", "value", "baseVersion")
	if err != nil {
		return ch, err
	}
	name, err := e.str("op", 64)
	if err != nil {
		return ch, err
	}
	kind, ok := changeOps[name]
	if !ok {
		return ch, problem.At(e.at("op"), "unknown change %q", name)
	}
	ch = collection.Change{Op: kind.op, Path: path}
	if ch.Base, err = e.number("baseVersion"); err != nil {
		return ch, err
	}
	if kind.metadata == e.has("id") {
		return ch, problem.At(e.at("id"), "a change of a document has an id, one of the metadata has none")
	}
	if !kind.metadata {
		if ch.Part, err = e.documentID("id"); err != nil {
			return ch, err
		}
	}
	return ch, e.changeValue(&ch)
}

// documentID is a member that must be a valid document id.
func (e *envelope) documentID(name string) (string, error) {
	id, err := e.str(name, len(e.members[name].Text))
	if err != nil {
		return "", err
	}
	if !transport.ValidDocumentID(id) {
		return "", problem.At(e.at(name), "a document id is %s", transport.DocumentIDRule)
	}
	return id, nil
}

func (e *envelope) changeValue(ch *collection.Change) error {
	m, ok := e.members["value"]
	at := e.at("value")
	switch {
	case ch.Op == collection.OpRemove && ok:
		return problem.At(at, "a removal has no value")
	case ch.Op == collection.OpRemove:
		return nil
	case !ok:
		return problem.At(at, "is missing")
	}
	switch ch.Op {
	case collection.OpPatch:
		patch, err := jsonvalue.ParsePatch(m.Text)
		if err != nil {
			return syntax(at, err)
		}
		ch.Patch = patch
	case collection.OpMerge:
		tree, err := jsonvalue.Parse(m.Text)
		if err != nil {
			return syntax(at, err)
		}
		ch.Merge = tree
	default:
		if ch.Part == collection.MetadataPart && m.Kind != jsonvalue.Object {
			return problem.At(at, "the metadata is an object")
		}
		ch.Body, ch.Hash = m.Text, uint64(m.Hash)
	}
	return nil
}
