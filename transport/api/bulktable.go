package api

import "concord/transport"

const (
	pathBulks = pathProvider + "/bulk-updates"
	pathBulk  = pathBulks + "/{id}"
)

func bulkTable() []*transport.Operation {
	verb := func(name, doc string) *transport.Operation {
		return &transport.Operation{Name: "bulk." + name, Method: "POST", Path: pathBulk + "/" + name, HasID: true,
			Right: transport.RightUpdate, Keyed: true, Doc: doc, Answer: BulkTask{}, Status: 200}
	}
	return []*transport.Operation{
		{Name: "bulk.submit", Method: "POST", Path: pathBulks, Right: transport.RightUpdate, Keyed: true,
			Doc:    "Apply instructions to many collections, as a task; a dry run is a task that writes nothing",
			Params: []transport.Param{paramDryRun}, Body: BulkRequest{}, Answer: BulkTask{}, Status: 202},
		{Name: "bulk.get", Method: "GET", Path: pathBulk, HasID: true, Right: transport.RightRead,
			Doc: "Read a bulk task, by its id or its number: its state and its counts", Answer: BulkTask{}, Status: 200},
		{Name: "bulk.list", Method: "GET", Path: pathBulks, Right: transport.RightRead,
			Doc: "List bulk tasks, the newest first",
			Params: append([]transport.Param{
				{Name: "open", Type: transport.TypeBoolean, Doc: "Only those that have not ended"},
				{Name: "state", Type: transport.TypeString, Doc: "In this state"},
				{Name: "name", Type: transport.TypeString, Doc: "With this name"},
				{Name: "principal", Type: transport.TypeString, Doc: "Asked for by this one"},
				{Name: "from", Type: transport.TypeTime, Doc: "Accepted at or after"},
				{Name: "to", Type: transport.TypeTime, Doc: "Accepted before"}}, paramsPage...),
			Answer: BulkPage{}, Status: 200},
		{Name: "bulk.items", Method: "GET", Path: pathBulk + "/items", HasID: true, Right: transport.RightRead,
			Doc: "List the items of a task in the order of its list, and what came of them",
			Params: append([]transport.Param{{Name: "state", Type: transport.TypeString, Repeat: true,
				Doc: "Only those in this state; it may be given several times"}}, paramsPage...),
			Answer: BulkItemPage{}, Status: 200},
		{Name: "bulk.request", Method: "GET", Path: pathBulk + "/request", HasID: true, Right: transport.RightRead,
			Doc: "What the task was asked for with", Answer: BulkAsked{}, Status: 200},
		{Name: "bulk.events", Method: "GET", Path: pathBulk + "/events", HasID: true, Right: transport.RightRead,
			Doc: "The events of the task; as text/event-stream it goes on",
			Params: []transport.Param{{Name: "after", Type: transport.TypeInteger, Doc: "The seq of the last event known"},
				paramLimit, paramCursor},
			Answer: EventPage{}, Status: 200},
		verb("pause", "Stop the task at the border of an item until it is resumed"),
		verb("resume", "Go on with a paused task"),
		verb("cancel", "End the task at the border of an item; what it has done stays"),
		{Name: "bulk.retry", Method: "POST", Path: pathBulk + "/retry", HasID: true, Right: transport.RightUpdate, Keyed: true,
			Doc: "Begin a task with the failed items of one that has ended", Body: BulkRetry{}, Answer: BulkTask{}, Status: 202},
		{Name: "bulk.rollback", Method: "POST", Path: pathBulk + "/rollback", HasID: true, Right: transport.RightUpdate, Keyed: true,
			Doc: "Take back what a task has updated, as a task; one that is open is cancelled first. What an earlier roll-back has " +
				"left is taken up again. A roll-back is rolled back in the same way",
			Params: []transport.Param{paramDryRun}, Body: BulkRollback{}, Answer: BulkTask{}, Status: 202},
	}
}
