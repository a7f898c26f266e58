package node

import (
	"encoding/json"
	"fmt"

	"concord/actors"
	"concord/actors/collection"
	"concord/actors/entity"
	"concord/persistence"
	"concord/persistence/recordpb"
	"concord/transport/fanout"
)

// startTails makes what publishes the log: events, and link updates.
func (n *Node) startTails(kinds map[persistence.Kind]actors.Kind) (err error) {
	published := func(k persistence.Kind) bool { return kinds[k].Published }
	events, links := n.options.Events, n.options.LinkEvents
	if links.Stream == "" {
		links = events
		links.Stream = "CONCORD_LINKS"
	}
	events.BytesSetting, links.BytesSetting = "events.maxBytes", "events.links.maxBytes"
	for _, c := range []*fanout.Config{&events, &links} {
		c.Prefix, c.Now, c.Boot = n.options.Prefix, n.clock.Now, "external"
		if n.ns != nil {
			c.Boot = bootID()
		}
	}
	n.tail, err = fanout.New(events, n.store, n.events, published, fanout.Observer{
		Published: n.metrics.Published, Repeated: n.metrics.Repeated, Restarted: n.metrics.Restarted, Pending: n.metrics.Pending,
	}, n.log)
	if err != nil {
		return err
	}
	n.links, err = fanout.NewLinks(links, n.store, n.events, fanout.Links{Leaves: hasLinkUpdates, Render: linkUpdates}, fanout.Observer{
		Published: n.metrics.LinksPublished, Repeated: n.metrics.LinksRepeated, Restarted: n.metrics.Restarted, Pending: n.metrics.LinksPending,
	}, n.log)
	return err
}

// passed is how far both streams certainly have the partition, and its links are checked.
func (n *Node) passed(p persistence.Partition) persistence.Position {
	return min(n.tail.Passed(p), n.links.Passed(p), n.checker.Passed(p))
}

func hasLinkUpdates(rec *recordpb.Record) bool {
	return rec.GetType() == collection.TypeSaved && collection.HasLinkUpdates(rec.GetPayload())
}

// linkUpdates renders what other systems are told of the links of a saved collection.
func linkUpdates(e persistence.EntityID, rec *recordpb.Record) ([]fanout.Message, error) {
	source, updates, err := collection.LinkUpdatesOf(rec.GetPayload(), entity.Stamp{Entity: e, Seq: rec.GetSeq(),
		Version: rec.GetVersion(), Time: persistence.TimeOf(rec.GetTime()), Principal: rec.GetPrincipal()})
	if err != nil {
		return nil, err
	}
	messages := make([]fanout.Message, len(updates))
	for i := range updates {
		text, err := json.Marshal(&updates[i])
		if err != nil {
			return nil, fmt.Errorf("render %s: %w", updates[i].ID, err)
		}
		messages[i] = fanout.Message{ID: updates[i].ID, Subject: collection.LinkSubject(e, source), Data: text}
	}
	return messages, nil
}
