package contenders

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"concord/internal/bench"
)

// Names of the prepared statements.
const (
	statementLock         = "lock"
	statementUpdate       = "update"
	statementHistory      = "history"
	statementOutbox       = "outbox"
	statementOneStatement = "onestatement"
	statementCreate       = "create"
	statementRead         = "read"
	statementVersion      = "version"
)

var postgresStatements = map[string]string{
	statementLock:    `SELECT version FROM document WHERE id = $1 FOR UPDATE`,
	statementUpdate:  `UPDATE document SET version = $2, body = $3 WHERE id = $1`,
	statementHistory: `INSERT INTO history (id, version, body) VALUES ($1, $2, $3)`,
	statementOutbox:  `INSERT INTO outbox (id, version) VALUES ($1, $2)`,
	statementOneStatement: `
WITH written AS (UPDATE document SET version = version + 1, body = $2 WHERE id = $1 RETURNING version),
     kept AS (INSERT INTO history (id, version, body) SELECT $1, version, $2 FROM written)
INSERT INTO outbox (id, version) SELECT $1, version FROM written RETURNING version`,
	statementCreate:  `INSERT INTO document (id, version, body) VALUES ($1, 0, '') ON CONFLICT DO NOTHING`,
	statementRead:    `SELECT body FROM document WHERE id = $1`,
	statementVersion: `SELECT version FROM document WHERE id = $1`,
}

// postgresWrite writes the next version of a document that exists; if it does not, the error is
// pgx.ErrNoRows and nothing has changed.
type postgresWrite func(ctx context.Context, conn *pgx.Conn, key int, payload []byte) error

func writeWithRowLock(ctx context.Context, conn *pgx.Conn, key int, payload []byte) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		var version int64
		if err := tx.QueryRow(ctx, statementLock, key).Scan(&version); err != nil {
			return fmt.Errorf("lock row: %w", err)
		}
		version++
		if _, err := tx.Exec(ctx, statementUpdate, key, version, payload); err != nil {
			return fmt.Errorf("update row: %w", err)
		}
		if _, err := tx.Exec(ctx, statementHistory, key, version, payload); err != nil {
			return fmt.Errorf("insert into history: %w", err)
		}
		if _, err := tx.Exec(ctx, statementOutbox, key, version); err != nil {
			return fmt.Errorf("insert into outbox: %w", err)
		}
		return nil
	})
}

func writeInOneStatement(ctx context.Context, conn *pgx.Conn, key int, payload []byte) error {
	var version int64
	return conn.QueryRow(ctx, statementOneStatement, key, payload).Scan(&version)
}

type postgresClient struct {
	conn  *pgx.Conn
	write postgresWrite
}

var _ bench.Versioned = (*postgresClient)(nil)

func (c *postgresClient) Update(ctx context.Context, key int, payload []byte) error {
	err := c.write(ctx, c.conn, key, payload)
	if errors.Is(err, pgx.ErrNoRows) {
		if _, err := c.conn.Exec(ctx, statementCreate, key); err != nil {
			return fmt.Errorf("create key %d: %w", key, err)
		}
		err = c.write(ctx, c.conn, key, payload)
	}
	if err != nil {
		return fmt.Errorf("update key %d: %w", key, err)
	}
	return nil
}

func (c *postgresClient) Read(ctx context.Context, key int) ([]byte, error) {
	var body []byte
	if err := c.conn.QueryRow(ctx, statementRead, key).Scan(&body); err != nil {
		return nil, fmt.Errorf("read key %d: %w", key, err)
	}
	return body, nil
}

// Version implements bench.Versioned.
func (c *postgresClient) Version(ctx context.Context, key int) (int64, error) {
	var version int64
	err := c.conn.QueryRow(ctx, statementVersion, key).Scan(&version)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return 0, fmt.Errorf("version of key %d: %w", key, err)
	}
	return version, nil
}

func (c *postgresClient) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), startMax)
	defer cancel()
	return c.conn.Close(ctx)
}
