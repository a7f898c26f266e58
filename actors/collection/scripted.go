package collection

import (
	"time"

	"concord/actors/entity"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/actors/script"
)

// scriptBusyRetry is when to come back if too many scripts wait for a worker.
const scriptBusyRetry = 250 * time.Millisecond

// runScript merges the parts that both sides have changed by the type's script; the job is what has to be run first.
func (d *draft) runScript(done *settlement, found staleness, source string, m entity.Meta) (*script.Job, error) {
	job := &script.Job{Source: source, Context: script.Context{Provider: m.Entity.Provider, Collection: m.Entity.ID,
		Principal: m.Principal, BaseVersion: found.base, CurrentVersion: d.state.Version}}
	for _, part := range d.unsettled(found) {
		s, err := d.sides(part.id)
		if err != nil {
			return nil, err
		}
		switch {
		case jsonvalue.Equal(s.client, s.server), jsonvalue.Equal(s.base, s.server):
		case jsonvalue.Equal(s.base, s.client):
			d.take(part.id, s.server, s)
		default:
			job.Parts = append(job.Parts, script.Part{Path: part.path(), Document: part.id,
				Base: textOf(s.base), Client: textOf(s.client), Server: textOf(s.server)})
		}
	}
	if len(job.Parts) == 0 {
		return nil, nil //nolint:nilnil // there is nothing to be run
	}
	done.script = source
	outcome, ran := d.facts.Ran(job)
	if !ran {
		return job, nil
	}
	return nil, d.takeResults(job, outcome)
}

func textOf(v *jsonvalue.Value) []byte {
	if v == nil {
		return nil
	}
	return v.Text()
}

// takeResults makes what the script returned the content of the parts.
func (d *draft) takeResults(job *script.Job, outcome script.Outcome) error {
	if f := outcome.Failure; f != nil {
		return scriptFailed(f)
	}
	for i := range job.Parts {
		part, result := &job.Parts[i], outcome.Results[i]
		if result == nil {
			d.take(part.Document, nil, sides{})
			continue
		}
		v, err := jsonvalue.Parse(result)
		if err == nil && part.Document == MetadataPart && v.Kind() != jsonvalue.Object {
			return scriptFailed(&script.Failure{Reason: script.Garbage, Path: part.Path, Detail: "the metadata is an object"})
		}
		if err != nil {
			return scriptFailed(&script.Failure{Reason: script.Garbage, Path: part.Path, Detail: err.Error()})
		}
		d.take(part.Document, v, sides{})
	}
	return nil
}

// scriptFailed is the refusal of a write whose script gave no result.
func scriptFailed(f *script.Failure) error {
	if f.Reason == script.Busy {
		p := problem.New(problem.Overloaded, "too many merge scripts wait to be run")
		p.RetryAfter = scriptBusyRetry
		return p
	}
	p := problem.New(problem.MergeFailed, "the merge script gave no result (%s): %s", f.Reason, f.Detail).
		With("reason", string(f.Reason))
	if f.Path != "" {
		p = p.With("path", f.Path)
	}
	return p
}
