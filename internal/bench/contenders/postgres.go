package contenders

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/jackc/pgx/v5"

	"concord/internal/bench"
)

// postgresSettings are the server's settings, all others being PostgreSQL's own.
var postgresSettings = []string{
	"fsync=on",
	"synchronous_commit=on",
	"full_page_writes=on",
	"max_connections=512",
	"shared_buffers=512MB",
	"max_wal_size=8GB",
	"checkpoint_timeout=30min",
	"jit=off",
	"listen_addresses=127.0.0.1",
	"unix_socket_directories=",
}

// postgresSchema favours updates in place: half of each page is left free for new versions, and long
// bodies are not compressed.
const postgresSchema = `
CREATE TABLE document (id integer PRIMARY KEY, version bigint NOT NULL, body bytea NOT NULL) WITH (fillfactor = 50);
CREATE TABLE history (id integer, version bigint, body bytea NOT NULL, PRIMARY KEY (id, version));
CREATE TABLE outbox (seq bigserial PRIMARY KEY, id integer NOT NULL, version bigint NOT NULL);
ALTER TABLE document ALTER body SET STORAGE EXTERNAL;
ALTER TABLE history ALTER body SET STORAGE EXTERNAL;`

// Postgres is PostgreSQL (Debian: 15) with a table of newest versions, a history and an outbox, in one
// of two variants that differ in how an update is written; the client code is the same.
//
// Settings: postgresSettings and postgresSchema; prepared statements; the server runs as the system user
// postgres if we are root, since it refuses root.
type Postgres struct {
	name   string
	write  postgresWrite
	server *process
	port   int
}

var (
	_ bench.Contender = (*Postgres)(nil)
	_ bench.Preloader = (*Postgres)(nil)
)

// NewPostgresRowLock returns the variant that most applications use: BEGIN, SELECT ... FOR UPDATE,
// UPDATE, INSERT into history, INSERT into outbox, COMMIT; six round trips.
func NewPostgresRowLock() *Postgres {
	return &Postgres{name: "postgres-rowlock", write: writeWithRowLock}
}

// NewPostgresOneStatement returns the variant that does all of it in one statement.
func NewPostgresOneStatement() *Postgres {
	return &Postgres{name: "postgres-onestatement", write: writeInOneStatement}
}

// Name implements bench.Contender.
func (p *Postgres) Name() string { return p.name }

// Start implements bench.Contender.
func (p *Postgres) Start(ctx context.Context, dir string) error {
	programs, err := postgresPrograms()
	if err != nil {
		return err
	}
	as, err := postgresAccount()
	if err != nil {
		return err
	}
	home, err := postgresHome(dir, as)
	if err != nil {
		return err
	}
	data := filepath.Join(home, "data")
	_, err = os.Stat(filepath.Join(data, "PG_VERSION"))
	fresh := errors.Is(err, os.ErrNotExist)
	if fresh {
		initdb := launch{
			path: filepath.Join(programs, "initdb"), dir: home, as: as,
			args: []string{"-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"},
		}
		if err := initdb.run(ctx); err != nil {
			return err
		}
	}
	return p.serve(ctx, launch{path: filepath.Join(programs, "postgres"), args: []string{"-D", data}, dir: home, as: as}, fresh)
}

// serve starts the server and, in a fresh data directory, creates the tables.
func (p *Postgres) serve(ctx context.Context, server launch, fresh bool) error {
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	p.port = ports[0]
	server.args = append(server.args, "-p", strconv.Itoa(p.port))
	for _, setting := range postgresSettings {
		server.args = append(server.args, "-c", setting)
	}
	if p.server, err = server.begin(); err != nil {
		return err
	}
	err = p.server.await(ctx, func(ctx context.Context) error {
		return p.do(ctx, func(conn *pgx.Conn) error { return conn.Ping(ctx) })
	})
	if err != nil {
		return err
	}
	err = p.do(ctx, func(conn *pgx.Conn) error {
		if fresh {
			if _, err := conn.Exec(ctx, postgresSchema); err != nil {
				return fmt.Errorf("create tables: %w", err)
			}
		}
		return checkPostgresDurable(ctx, conn)
	})
	if err != nil {
		return errors.Join(err, p.Stop())
	}
	return nil
}

// checkPostgresDurable makes sure that no configuration has undone the settings that the comparison
// stands on.
func checkPostgresDurable(ctx context.Context, conn *pgx.Conn) error {
	var fsync, commit string
	err := conn.QueryRow(ctx, `SELECT current_setting('fsync'), current_setting('synchronous_commit')`).Scan(&fsync, &commit)
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	if fsync != "on" || commit != "on" {
		return fmt.Errorf("postgres is not durable: fsync is %s, synchronous_commit is %s", fsync, commit)
	}
	return nil
}

// do calls f with a connection of its own.
func (p *Postgres) do(ctx context.Context, f func(*pgx.Conn) error) error {
	conn, err := p.connect(ctx)
	if err != nil {
		return err
	}
	return errors.Join(f(conn), conn.Close(ctx))
}

func (p *Postgres) connect(ctx context.Context) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, fmt.Sprintf("postgres://postgres@%s/postgres?sslmode=disable", loopback(p.port)))
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return conn, nil
}

// Preload implements bench.Preloader.
func (p *Postgres) Preload(ctx context.Context, keys int, payload []byte) error {
	return p.do(ctx, func(conn *pgx.Conn) error {
		for _, table := range []string{"document", "history"} {
			_, err := conn.Exec(ctx, "INSERT INTO "+table+" SELECT id, 1, $2 FROM generate_series(0, $1::integer - 1) AS id", keys, payload)
			if err != nil {
				return fmt.Errorf("fill %s: %w", table, err)
			}
		}
		for _, command := range []string{"ANALYZE", "CHECKPOINT"} {
			if _, err := conn.Exec(ctx, command); err != nil {
				return fmt.Errorf("%s: %w", command, err)
			}
		}
		return nil
	})
}

// Client implements bench.Contender.
func (p *Postgres) Client(int) (bench.Client, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startMax)
	defer cancel()
	conn, err := p.connect(ctx)
	if err != nil {
		return nil, err
	}
	for name, statement := range postgresStatements {
		if _, err := conn.Prepare(ctx, name, statement); err != nil {
			return nil, errors.Join(fmt.Errorf("prepare %s: %w", name, err), conn.Close(ctx))
		}
	}
	return &postgresClient{conn: conn, write: p.write}, nil
}

// Stop implements bench.Contender: a fast shutdown.
func (p *Postgres) Stop() error { return p.server.end(syscall.SIGINT) }
