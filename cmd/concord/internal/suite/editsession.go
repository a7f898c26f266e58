package suite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"concord/transport/client"
)

// editBench has collections with metadata of 1 KiB, and runs bulk edit sessions on the first of them.
type editBench struct {
	server *Concord
	client *client.Client
	value  int // that the next step writes: each changes every record
}

// newEditBench makes the collections, each with so many small documents beside its metadata.
func newEditBench(ctx context.Context, c *Concord, records, documents int) (*editBench, error) {
	e := &editBench{server: c}
	list := make([]string, documents)
	for i := range list {
		list[i] = fmt.Sprintf(`"d%d":{"page":%d}`, i, i)
	}
	end := `,"documents":{` + strings.Join(list, ",") + `}}`
	err := c.all(ctx, records, func(ctx context.Context, conn *connection, i int) error {
		_, err := conn.askOf(ctx, "collection.put", described(i), `{"metadata":`+string(editedRecord())+end)
		return err
	})
	if err != nil {
		return nil, err
	}
	return e, e.connect()
}

func (e *editBench) connect() (err error) {
	e.client, err = client.Connect(e.server.address(), client.Options{Provider: e.server.provider(), Timeout: taskMaxWait})
	return err
}

func (e *editBench) close() { e.client.Close() }

// editedRecord is a record of 1 KiB, different from all others: a note to be edited, and random text.
func editedRecord() []byte {
	const head, end = `{"notes":[{"kind":"status","text":"VALUE 000000"}],`, `"}`
	text := payload()[1:]
	return append([]byte(head), append(text[:payloadBytes-len(head)-len(end)], end...)...)
}

// instructions change every record, each time to another value of the same length.
func (e *editBench) instructions() json.RawMessage {
	e.value++
	return fmt.Appendf(nil, `[{"type":"FIND_AND_UPDATE","path":"/metadata/notes","find":{"kind":"status"},"value":{"text":"VALUE %06d"}}]`, e.value)
}

// open opens a session on the first collections, and tells how long the matching took.
func (e *editBench) open(ctx context.Context, records int) (string, time.Duration, error) {
	var ids strings.Builder
	for i := range records {
		ids.WriteString(described(i))
		ids.WriteByte('\n')
	}
	upload, err := e.client.Upload(ctx, strings.NewReader(ids.String()))
	if err != nil {
		return "", 0, err
	}
	begin := time.Now()
	session, err := e.client.EditOpen(ctx, client.EditRequest{Upload: upload})
	switch {
	case err != nil:
		return "", 0, err
	case session.Counts.Matched != uint64(records):
		return "", 0, fmt.Errorf("session of %d records: %+v", records, session.Counts)
	}
	return session.Session, time.Since(begin), nil
}

// editMove is one thing that is done with a session, and the state it ends in.
type editMove struct {
	name string
	do   func(context.Context, *editBench, string) (*client.EditSession, error)
	want string
}

func editApply(ctx context.Context, e *editBench, session string) (*client.EditSession, error) {
	return e.client.EditApply(ctx, session, client.EditApply{Instructions: e.instructions()})
}

func editRedo(ctx context.Context, e *editBench, session string) (*client.EditSession, error) {
	return e.client.EditRedo(ctx, session, client.EditRedo{})
}

func editRollback(to string) func(context.Context, *editBench, string) (*client.EditSession, error) {
	return func(ctx context.Context, e *editBench, session string) (*client.EditSession, error) {
		return e.client.EditRollback(ctx, session, client.EditRollback{To: fmt.Appendf(nil, "%q", to)})
	}
}

// editMoves are done with each session, in this order: the last takes back two steps of which one was taken back before.
var editMoves = []editMove{
	{"apply", editApply, client.EditCompleted},
	{"second apply", editApply, client.EditCompleted},
	{"roll-back to previous", editRollback("previous"), client.EditRolledBack},
	{"redo", editRedo, client.EditCompleted},
	{"roll-back to initial", editRollback("initial"), client.EditRolledBack},
}

// make makes a move, and checks that it has written every record: how long it took, from the request until the end is known.
func (e *editBench) make(ctx context.Context, session string, m editMove, records int) (time.Duration, *client.EditSession, error) {
	begin := time.Now()
	if _, err := m.do(ctx, e, session); err != nil {
		return 0, nil, fmt.Errorf("%s: %w", m.name, err)
	}
	ended, err := e.client.WaitEdit(ctx, session)
	took := time.Since(begin)
	if err != nil {
		return 0, nil, fmt.Errorf("%s: %w", m.name, err)
	}
	if run := client.NewestRun(ended); ended.State != m.want || run == nil || run.Counts.Updated != uint64(records) {
		return 0, nil, fmt.Errorf("%s of %d records: session %s is %s: %s", m.name, records, session, ended.State, ended.Message)
	}
	return took, ended, nil
}

// until applies a step and takes it back, or stops in the middle when it is told to; how many records were written by then.
func (e *editBench) until(ctx, going context.Context, records int) (items float64, err error) {
	session, _, err := e.open(ctx, records)
	if err != nil {
		return 0, err
	}
	for _, m := range []editMove{editMoves[0], editMoves[len(editMoves)-1]} {
		if _, err := m.do(ctx, e, session); err != nil {
			return items, fmt.Errorf("%s: %w", m.name, err)
		}
		if _, err := e.client.WaitEdit(going, session); err != nil && going.Err() == nil {
			return items, err
		}
		if going.Err() != nil {
			if _, err := e.client.EditCancel(ctx, session); err != nil && !client.IsCode(err, "wrong-state") {
				return items, err
			}
		}
		ended, err := e.client.WaitEdit(ctx, session)
		if err != nil {
			return items, err
		}
		items += float64(client.NewestRun(ended).Counts.Updated)
		if going.Err() != nil {
			break
		}
	}
	_, err = e.client.EditClose(ctx, session)
	return items, err
}

// stored is how many bytes the tables of the store have, with everything flushed: a start brings what is in the log into
// tables, and the next one removes what nobody needs any more. The server runs again afterwards.
func (e *editBench) stored(ctx context.Context, dir string) (bytes int64, err error) {
	e.close()
	if err := e.server.restart(ctx, dir); err != nil {
		return 0, err
	}
	if err := e.server.Stop(); err != nil {
		return 0, err
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".sst" {
			return err
		}
		info, err := d.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	if err == nil {
		err = e.server.Start(ctx, dir)
	}
	return bytes, errors.Join(err, e.connect())
}
