package collection

import (
	"errors"

	"concord/actors/jsonvalue"
	"concord/actors/problem"
)

func patchLimits(l Limits) jsonvalue.Limits {
	return jsonvalue.Limits{MaxOperations: l.PatchMaxOperation, MaxBytes: l.VersionMaxBytes}
}

// patchProblem names the operation that could not be applied. A `test` that fails is a conflict with what is stored;
// anything else does not fit the document.
func patchProblem(path string, err error) error {
	failed, ok := errors.AsType[*jsonvalue.PatchError](err)
	if !ok {
		return problem.At(path, "%v", err)
	}
	at := path + "/" + jsonvalue.Pointer{itoa(failed.Index)}.String()[1:]
	p := problem.New(problem.WrongState, "operation %d (%s %s) does not apply: %s",
		failed.Index, failed.Op, failed.Path, failed.Reason)
	p.Errors = []problem.FieldError{{Path: at, Message: failed.Reason}}
	return p
}

// ParseCrossPatch checks that each path names the metadata or a document, and collects which.
func ParseCrossPatch(patch jsonvalue.Patch) (*CrossPatch, error) {
	c := &CrossPatch{Patch: patch}
	seen := make(map[string]bool)
	for i := range patch {
		op := &patch[i]
		paths := []jsonvalue.Pointer{op.Path}
		if op.Op == "move" || op.Op == "copy" {
			paths = append(paths, op.From)
		}
		for _, path := range paths {
			part, ok := partOf(path)
			if !ok {
				return nil, problem.At("/"+itoa(i)+"/path",
					"%q names neither the metadata nor a document (/metadata..., /documents/<id>...)", path.String())
			}
			if !seen[part] {
				seen[part] = true
				c.Parts = append(c.Parts, part)
			}
		}
	}
	return c, nil
}

func partOf(path jsonvalue.Pointer) (part string, ok bool) {
	switch {
	case len(path) >= 1 && path[0] == "metadata":
		return MetadataPart, true
	case len(path) >= 2 && path[0] == "documents" && path[1] != "":
		return path[1], true
	default:
		return "", false
	}
}

// applyAcross applies a patch to a value that holds the parts it touches, and takes them apart again.
func (d *draft) applyAcross(c *CrossPatch, l Limits) error {
	metadata := jsonvalue.NewObject()
	var documents []jsonvalue.Member
	for _, id := range c.Parts {
		v, err := d.part(id).tree()
		switch {
		case err != nil:
			return err
		case v == nil:
		case id == MetadataPart:
			metadata = v
		default:
			documents = append(documents, jsonvalue.Member{Name: id, Value: v})
		}
	}
	whole := jsonvalue.NewObject(jsonvalue.Member{Name: "metadata", Value: metadata},
		jsonvalue.Member{Name: "documents", Value: jsonvalue.NewObject(documents...)})
	patched, err := c.Patch.Apply(whole, patchLimits(l))
	if err != nil {
		return patchProblem("", err)
	}
	return d.takeApart(c, patched)
}

func (d *draft) takeApart(c *CrossPatch, patched *jsonvalue.Value) error {
	documents, _ := patched.Get("documents")
	for _, id := range c.Parts {
		v, ok := patched.Get("metadata")
		if id != MetadataPart {
			v, ok = documents.Get(id)
		}
		switch {
		case ok && id == MetadataPart && v.Kind() != jsonvalue.Object, !ok && id == MetadataPart:
			return problem.At("/metadata", "the metadata is an object")
		case ok:
			d.part(id).set(v)
		default:
			d.part(id).remove()
		}
	}
	return nil
}
