package main

import (
	"encoding/json"

	"concord/actors/jsonvalue"
	"concord/transport/client"
)

// The standard patches have no place for a base, a reason or a policy. So they are taken apart into changes of ours, which
// mean the same, but that a document that a merge patch removes must be there.

// mergePatchChanges are the changes that a merge patch (RFC 7396) of {metadata, documents} makes.
func mergePatchChanges(text json.RawMessage) ([]client.Change, error) {
	members, err := jsonvalue.Members(text)
	if err != nil {
		return nil, usagef("--merge-patch: %w", err)
	}
	var changes []client.Change
	for _, m := range members {
		switch {
		case m.Name == "metadata" && m.Kind == jsonvalue.Object:
			changes = append(changes, client.MergeMetadata(m.Text))
		case m.Name == "metadata" && m.Kind == jsonvalue.Null:
			changes = append(changes, client.PutMetadata([]byte("{}")))
		case m.Name == "documents" && m.Kind == jsonvalue.Object:
			documents, err := jsonvalue.Members(m.Text)
			if err != nil {
				return nil, usagef("--merge-patch: %w", err)
			}
			for _, d := range documents {
				changes = append(changes, documentChange(d))
			}
		default:
			return nil, usagef(`--merge-patch: with --base, --reason or --policy it is {"metadata": {...}, "documents": {...}}; %q is not`, m.Name)
		}
	}
	return changes, nil
}

func documentChange(d jsonvalue.RawMember) client.Change {
	switch d.Kind {
	case jsonvalue.Null:
		return client.RemoveDocument(d.Name)
	case jsonvalue.Object:
		return client.MergeDocument(d.Name, d.Text)
	default:
		return client.PutDocument(d.Name, d.Text)
	}
}

// jsonPatchChanges are the changes that a JSON Patch (RFC 6902) of {metadata, documents} makes, operation by operation.
func jsonPatchChanges(text json.RawMessage) ([]client.Change, error) {
	patch, err := jsonvalue.ParsePatch(text)
	if err != nil {
		return nil, usagef("--json-patch: %w", err)
	}
	changes := make([]client.Change, len(patch))
	for i, op := range patch {
		document, inside, ok := intoPart(op.Path)
		if ok && (op.Op == jsonvalue.OpMove || op.Op == jsonvalue.OpCopy) {
			var from string
			from, op.From, ok = intoPart(op.From)
			ok = ok && from == document
		}
		if !ok {
			return nil, usagef("--json-patch: operation %d is not inside of the metadata or of one document, so that --base, --reason "+
				"and --policy have no place: use --if-match", i)
		}
		op.Path = inside
		one := jsonvalue.Patch{op}.Text()
		switch {
		case document != "" && len(inside) == 0 && op.Op == jsonvalue.OpAdd:
			changes[i] = client.PutDocument(document, op.Value.Text())
		case document != "" && len(inside) == 0 && op.Op == jsonvalue.OpRemove:
			changes[i] = client.RemoveDocument(document)
		case document != "":
			changes[i] = client.PatchDocument(document, one)
		default:
			changes[i] = client.PatchMetadata(one)
		}
	}
	return changes, nil
}

// intoPart takes a path apart: the document, "" for the metadata, and the path inside of it.
func intoPart(path jsonvalue.Pointer) (document string, inside jsonvalue.Pointer, ok bool) {
	switch {
	case len(path) >= 1 && path[0] == "metadata":
		return "", path[1:], true
	case len(path) >= 2 && path[0] == "documents" && path[1] != "":
		return path[1], path[2:], true
	default:
		return "", nil, false
	}
}
