package cmr

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"concord/actors/problem"
	"concord/transport"
	"concord/transport/api"
)

// Bounds of what is shown: CMR has no pages, so that all stands in one answer.
const (
	tasksMaxShown  = 1000    // the newest; older ones are there in pages, by bulk.list
	itemsMaxShown  = 100_000 // of a task; who asks for one with more is told where they are
	answerMaxBytes = 32 << 20
	pageMaxItems   = 1000
	pagesMaxAsked  = 200
)

// showAll lists the tasks of the provider, the newest first. Dry runs are not CMR's, and would look like updates.
func (t *tasks) showAll(r *transport.Request, ask transport.Ask) (*transport.Reply, error) {
	shown, bytes := []UpdateTask{}, 0
	err := pages(r, t.list, ask, func(p *api.BulkPage) (string, error) {
		for i := range p.Items {
			task := &p.Items[i]
			if task.DryRun {
				continue
			}
			if len(shown) == tasksMaxShown {
				return "", nil
			}
			posted := ""
			if bytes <= answerMaxBytes {
				var err error
				if posted, err = t.asked(r, task.Task, ask); err != nil {
					return "", err
				}
				if bytes += len(posted); bytes > answerMaxBytes {
					posted = ""
				}
			}
			shown = append(shown, UpdateTask{CreatedAt: created(task), Name: task.Name, TaskID: strconv.FormatUint(task.Number, 10),
				Status: taskStatus(task.State), Message: taskMessage(task), Posted: posted})
		}
		return p.Next, nil
	})
	if err != nil {
		return nil, err
	}
	return answer(UpdateTaskList{Status: http.StatusOK, Tasks: shown})
}

// showOne shows a task with its items. The task is read before them: if it is complete, so are they.
func (t *tasks) showOne(r *transport.Request, ask transport.Ask) (*transport.Reply, error) {
	reply, err := ask(about(r, t.get, r.ID))
	if err != nil {
		return nil, missing(r, err)
	}
	var task api.BulkTask
	if err := read(reply, &task); err != nil {
		return nil, err
	}
	if task.DryRun {
		return nil, refuse(http.StatusNotFound, unknownTask(r.ID, r.Provider))
	}
	if task.Total > itemsMaxShown {
		return nil, tooLong(r, &task)
	}
	items, err := t.collections(r, &task, ask)
	if err != nil {
		return nil, missing(r, err)
	}
	posted, err := t.asked(r, task.Task, ask)
	if err != nil {
		return nil, missing(r, err)
	}
	return answer(UpdateTaskStatus{Status: http.StatusOK, CreatedAt: created(&task), Name: task.Name, TaskStatus: taskStatus(task.State),
		Message: taskMessage(&task), Posted: posted, Collections: items})
}

// collections are the items of a task, in the order of its list.
func (t *tasks) collections(r *transport.Request, task *api.BulkTask, ask transport.Ask) ([]CollectionStatus, error) {
	shown, bytes := make([]CollectionStatus, 0, task.Total), 0
	err := pages(about(r, t.items, task.Task), t.items, ask, func(p *api.BulkItemPage) (string, error) {
		for i := range p.Items {
			s := collectionStatus(r.Provider, &p.Items[i])
			bytes += len(s.ConceptID)
			if s.Message != nil {
				bytes += len(*s.Message)
			}
			if shown = append(shown, s); bytes > answerMaxBytes || len(shown) > itemsMaxShown {
				return "", tooLong(r, task)
			}
		}
		return p.Next, nil
	})
	return shown, err
}

// asked is what the task was asked for with; "" if that is not kept.
func (t *tasks) asked(r *transport.Request, task string, ask transport.Ask) (string, error) {
	reply, err := ask(about(r, t.Posted, task))
	if p, ok := errors.AsType[*problem.Problem](err); ok && p.Code == problem.NotFound {
		return "", nil // it has just expired
	}
	if err != nil {
		return "", err
	}
	return string(reply.Body), nil
}

func tooLong(r *transport.Request, task *api.BulkTask) error {
	return refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("The %d collections of the task are too many for one answer: "+
		"GET /api/v1/providers/%s/bulk-updates/%d/items has them in pages.", task.Total, r.Provider, task.Number))
}

// missing says of a task that is not there that it is not.
func missing(r *transport.Request, err error) error {
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok || p.Code != problem.NotFound {
		return err
	}
	return instead(p, http.StatusNotFound, unknownTask(r.ID, r.Provider))
}

// pages asks for one page after the other, up to a bound. see tells the cursor of the next one; "": it has seen enough.
func pages[P any](r *transport.Request, op *transport.Operation, ask transport.Ask, see func(*P) (string, error)) error {
	cursor := ""
	for range pagesMaxAsked {
		q := about(r, op, r.ID)
		q.SetParam("limit", strconv.Itoa(pageMaxItems))
		if cursor != "" {
			q.SetParam("cursor", cursor)
		}
		reply, err := ask(q)
		if err != nil {
			return err
		}
		var page P
		if err := read(reply, &page); err != nil {
			return err
		}
		if cursor, err = see(&page); err != nil || cursor == "" {
			return err
		}
	}
	return nil
}

// about asks an operation on a task. The way in has found the caller to be allowed to read.
func about(r *transport.Request, op *transport.Operation, task string) *transport.Request {
	return &transport.Request{Op: op, Provider: r.Provider, ID: task, Caller: r.Caller, RequestID: r.RequestID,
		Received: r.Received, Deadline: r.Deadline}
}

func read(reply *transport.Reply, v any) error {
	if err := json.Unmarshal(reply.Body, v); err != nil {
		return fmt.Errorf("read the answer about a bulk task: %w", err)
	}
	return nil
}

func answer(v any) (*transport.Reply, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write the answer about a bulk task: %w", err)
	}
	return &transport.Reply{Status: http.StatusOK, Body: body}, nil
}
