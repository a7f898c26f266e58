package main

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"time"

	"concord/actors/problem"
	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

// anyJob is a job of either kind: one of the members is there.
type anyJob struct {
	link *client.Propagation
	task *client.BulkTask
}

// MarshalJSON is the job as the service tells of it.
func (j anyJob) MarshalJSON() ([]byte, error) {
	if j.task != nil {
		return json.Marshal(j.task)
	}
	return json.Marshal(j.link)
}

func (j anyJob) begin() time.Time {
	if j.task != nil {
		return j.task.AcceptedAt
	}
	return j.link.RequestedAt
}

func jobCells(j anyJob) []show.Cell {
	if t := j.task; t != nil {
		return []show.Cell{{Text: t.Task}, taskState(t), {Text: taskAsked(t)}, {Text: number(t.Total)}, {Text: number(t.Counts.Pending)},
			{Text: number(t.Counts.Failed)}, {Text: t.Principal}, {Text: stamp(t.AcceptedAt)}}
	}
	l := j.link
	return []show.Cell{{Text: l.ID}, stateCell(l.State), {Text: caused(l.Cause)}, {Text: number(l.Total)}, {Text: number(l.Counts.Pending)},
		{Text: number(l.Counts.Failed)}, {Text: l.Principal}, {Text: stamp(l.RequestedAt)}}
}

// taskAsked says in a few words what a task is.
func taskAsked(t *client.BulkTask) string {
	text := "bulk update " + t.Name
	if t.DryRun {
		text += ", dry run"
	}
	return text
}

// newestFirst yields the jobs of both kinds in order of time; an error is the last that it yields.
func newestFirst(links iter.Seq2[client.Propagation, error], tasks iter.Seq2[client.BulkTask, error]) iter.Seq2[anyJob, error] {
	return func(yield func(anyJob, error) bool) {
		nextLink, endLinks := iter.Pull2(links)
		defer endLinks()
		nextTask, endTasks := iter.Pull2(tasks)
		defer endTasks()
		link, linkErr, isLink := nextLink()
		task, taskErr, isTask := nextTask()
		for isLink || isTask {
			if err := errors.Join(linkErr, taskErr); err != nil {
				yield(anyJob{}, err)
				return
			}
			ofLink, ofTask := link, task
			l, t := anyJob{link: &ofLink}, anyJob{task: &ofTask}
			if isTask && (!isLink || t.begin().After(l.begin())) {
				if !yield(t, nil) {
					return
				}
				task, taskErr, isTask = nextTask()
				continue
			}
			if !yield(l, nil) {
				return
			}
			link, linkErr, isLink = nextLink()
		}
	}
}

// lastJob stands for the newest job: no id of a job looks like it.
const lastJob = "last"

// errNoJob says that there is no newest job.
var errNoJob = errors.New("there is no job yet")

// onJob does something about a job that the user has named, by its kind.
func (a *app) onJob(ctx context.Context, name string, link, task func(c *client.Client, id string) error) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	if name != lastJob {
		err := link(c, name)
		if !client.IsCode(err, problem.NotFound) {
			return err
		}
		if err := task(c, name); !client.IsCode(err, problem.NotFound) {
			return err
		}
		return err // there is no job of either kind
	}
	one := client.Limit(1)
	for newest, err := range newestFirst(c.Propagations(ctx, one), c.Bulks(ctx, one)) {
		switch {
		case err != nil:
			return err
		case newest.task != nil:
			return task(c, newest.task.Task)
		}
		return link(c, newest.link.ID)
	}
	return errNoJob
}
