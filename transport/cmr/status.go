package cmr

import (
	"fmt"
	"strconv"
	"strings"

	"concord/actors/bulk"
	"concord/actors/fields"
	"concord/actors/problem"
	"concord/transport/api"
)

// UpdateAccepted is the answer to a bulk update.
type UpdateAccepted struct {
	Status int    `json:"status" doc:"200"`
	TaskID uint64 `json:"task-id" doc:"Number of the task in the provider"`
}

// UpdateTaskList is the list of all tasks.
type UpdateTaskList struct {
	Status int          `json:"status" doc:"200"`
	Tasks  []UpdateTask `json:"tasks"`
}

// UpdateTask is a task in the list.
type UpdateTask struct {
	CreatedAt string  `json:"created-at"`
	Name      string  `json:"name"`
	TaskID    string  `json:"task-id" doc:"Number of the task in the provider"`
	Status    string  `json:"status" doc:"IN_PROGRESS or COMPLETE"`
	Message   *string `json:"status-message" doc:"null as long as the task is not complete"`
	Posted    string  `json:"request-json-body" doc:"The request, byte for byte"`
}

// UpdateTaskStatus is one task, with all that came of it.
type UpdateTaskStatus struct {
	Status      int                `json:"status" doc:"200"`
	CreatedAt   string             `json:"created-at"`
	Name        string             `json:"name"`
	TaskStatus  string             `json:"task-status" doc:"IN_PROGRESS or COMPLETE"`
	Message     *string            `json:"status-message" doc:"null as long as the task is not complete"`
	Posted      string             `json:"request-json-body" doc:"The request, byte for byte"`
	Collections []CollectionStatus `json:"collection-statuses"`
}

// CollectionStatus is what came of one collection.
type CollectionStatus struct {
	ConceptID string  `json:"concept-id"`
	Status    string  `json:"status" doc:"PENDING, UPDATED, SKIPPED or FAILED"`
	Message   *string `json:"status-message" doc:"null if there is nothing to say"`
}

// CMR's states.
const (
	taskInProgress = "IN_PROGRESS"
	taskComplete   = "COMPLETE"

	itemPending = "PENDING"
	itemUpdated = "UPDATED"
	itemSkipped = "SKIPPED"
	itemFailed  = "FAILED"
)

const (
	timeForm        = "2006-01-02T15:04:05.000Z" // as CMR writes times: in UTC, to the millisecond
	messageMaxBytes = 4000                       // as CMR cuts them
)

func created(task *api.BulkTask) string { return task.AcceptedAt.UTC().Format(timeForm) }

// taskStatus is what CMR calls a state. One that is cancelled has ended, and whoever polls must see that.
func taskStatus(state string) string {
	if bulk.Status(state).Open() {
		return taskInProgress
	}
	return taskComplete
}

// taskMessage is what CMR says of a task that has ended.
func taskMessage(task *api.BulkTask) *string {
	if taskStatus(task.State) != taskComplete {
		return nil
	}
	c := task.Counts
	failed, skipped, updated := c.Failed, c.Skipped+c.Cancelled, c.Updated+c.Unchanged
	if failed == 0 && skipped == 0 {
		return new("All collection updates completed successfully.")
	}
	var parts []string
	for _, p := range []struct {
		n    uint64
		name string
	}{{failed, itemFailed}, {skipped, itemSkipped}, {updated, itemUpdated}} {
		if p.n > 0 {
			parts = append(parts, strconv.FormatUint(p.n, 10)+" "+p.name)
		}
	}
	text := parts[len(parts)-1]
	if rest := parts[:len(parts)-1]; len(rest) > 0 {
		text = strings.Join(rest, ", ") + " and " + text
	}
	return new(fmt.Sprintf("Task completed with %s out of %d total collection update(s).", text, c.Total()))
}

// collectionStatus is an item in CMR's words. A collection that already was as it should be counts as updated there; what
// was not come to, as skipped.
func collectionStatus(provider string, item *api.BulkItem) CollectionStatus {
	s := CollectionStatus{ConceptID: item.ID}
	if s.ConceptID == "" {
		s.ConceptID = string(item.Key)
	}
	text := ""
	switch bulk.ItemState(item.State) {
	case fields.Updated, fields.Unchanged:
		s.Status, text = itemUpdated, warned(item.Warnings)
	case fields.Skipped:
		s.Status = itemSkipped
		text = fmt.Sprintf("Collection with concept-id [%s] is not updated because no find-value found.", s.ConceptID)
	case bulk.ItemCancelled:
		s.Status = itemSkipped
		text = fmt.Sprintf("Collection with concept-id [%s] is not updated because the task was cancelled.", s.ConceptID)
	case fields.Failed:
		s.Status, text = itemFailed, whyFailed(provider, s.ConceptID, item)
	default:
		s.Status, text = itemPending, item.Message
	}
	if text != "" {
		s.Message = new(truncated(text))
	}
	return s
}

// warned is what CMR says of an update with warnings.
func warned(warnings []problem.FieldError) string {
	if len(warnings) == 0 {
		return ""
	}
	texts := make([]string, len(warnings))
	for i, w := range warnings {
		texts[i] = strings.TrimSpace(w.Path + " " + w.Message)
	}
	return "Collection was updated successfully, but translating the collection to UMM-C had the following issues: " +
		strings.Join(texts, "; ")
}

func notOf(id, provider string) string {
	return fmt.Sprintf("Concept-id [%s] is not associated with provider-id [%s].", id, provider)
}

// whyFailed is what CMR says of a failure, where it has words for it; what is wrong with the content has ours.
func whyFailed(provider, id string, item *api.BulkItem) string {
	switch code := problem.Code(item.Code); {
	case item.Message == notOf(id, provider): // as apart has said it
		return item.Message
	case code == problem.NotFound && item.VersionBefore > 0:
		return fmt.Sprintf("Collection with concept-id [%s] is deleted. Can not be updated.", id)
	case code == problem.NotFound:
		return fmt.Sprintf("Concept-id [%s] does not exist.", id)
	case item.Message == "":
		return textFailed
	default:
		return item.Message
	}
}

// truncated is a message as long as CMR's may be.
func truncated(text string) string {
	if len(text) <= messageMaxBytes {
		return text
	}
	return strings.ToValidUTF8(text[:messageMaxBytes], "")
}
