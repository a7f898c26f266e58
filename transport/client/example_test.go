package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"

	"concord/actors/problem"
	"concord/transport/client"
)

// Many programs may do this at once: no note is lost.
func ExampleClient_Update() {
	c, err := client.Connect("nats://127.0.0.1:4222", client.Options{Principal: "indexer"})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	ctx := context.Background()
	result, err := c.Update(ctx, "records", func(s *client.Snapshot) ([]client.Change, error) {
		var notes []string
		text, err := s.Document(ctx, "notes")
		if err != nil {
			return nil, err
		}
		if text != nil {
			if err := json.Unmarshal(text, &notes); err != nil {
				return nil, err
			}
		}
		text, err = json.Marshal(append(notes, "seen"))
		return []client.Change{client.PutDocument("notes", text)}, err
	})
	switch {
	case client.IsCode(err, problem.Forbidden):
		log.Fatal("somebody else must do this")
	case err != nil:
		log.Fatal(err)
	}
	fmt.Println("version", result.Version)
}

// An indexer that follows a collection from the last event that it knows.
func ExampleClient_Watch() {
	c, err := client.Connect("nats://127.0.0.1:4222", client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	const known = 12 // kept somewhere, and moved on with each event
	for event, err := range c.Watch(context.Background(), "records", known) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(event.Seq, event.Type, event.Data.Documents)
	}
}
