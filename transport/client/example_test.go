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

// A person's program holds the lock of what the person works on, and asks when somebody else wants it.
func ExampleClient_Acquire() {
	c, err := client.Connect("nats://127.0.0.1:4222", client.Options{Principal: "ann", Session: "desk"})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	ctx := context.Background()
	l, err := c.Acquire(ctx, "records", client.LockOptions{
		OnContest: func(_ context.Context, c client.Contest) client.Decision {
			if c.Contestants[0].Principal == "indexer" {
				return client.Keep("not before eight")
			}
			return client.GiveUp()
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	work := l.Context() // ends when the lock does
	if _, err := c.DocumentPut(work, "records", "draft", json.RawMessage(`{"n": 1}`), client.Under(l)); err != nil {
		log.Fatal(client.ReasonOf(err), err)
	}
	if _, err := l.SaveAndRelease(ctx, []client.Change{client.RemoveDocument("draft")}); err != nil {
		log.Fatal(err)
	}
}

// A program that need not be there when its change is made, but wants to know.
func ExampleClient_UpdateWhenFree() {
	c, err := client.Connect("nats://127.0.0.1:4222", client.Options{Principal: "indexer"})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	ctx := context.Background()
	update, err := c.UpdateWhenFree(ctx, "records", []client.Change{client.PutDocument("indexed", json.RawMessage(`true`))})
	if err != nil {
		log.Fatal(err)
	}
	result, err := update.Wait(ctx) // or OperationWait with update.Operation, in another program
	switch {
	case client.IsCode(err, problem.VersionConflict):
		log.Fatal("somebody has changed it meanwhile")
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
