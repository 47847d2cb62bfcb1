package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/pressly/goose/v3"
)

// Engine is what differs between the engines.
type Engine struct {
	Name  string
	Goose goose.Dialect
	Text  string // the type of text that sorts by bytes
	Blob  string // the type of bytes
	// Purge removes from the engine's files what was written over, at once or not
	// at all: whoever writes stands behind it. Nil: it cannot.
	Purge func(ctx context.Context, write *sql.DB) (done bool, err error)
	Lock  string // run first in each Tx; it waits for other writers. Empty: the engine does so itself
	Taken func(error) (what string, taken bool)
	Moved []goose.ProviderOption // how migrations of several processes keep apart
}

// Config is an opened database.
type Config struct {
	Engine Engine
	Write  *sql.DB
	Read   *sql.DB // may be the same
	Now    func() time.Time
	Schema int64 // the version to migrate to, which a restore needs; 0: the newest
}

// Validate says what is missing.
func (c *Config) Validate() error {
	if c.Write == nil || c.Read == nil || c.Now == nil || c.Engine.Taken == nil {
		return errors.New("sqldb: Write, Read, Now and Engine.Taken are needed")
	}
	return nil
}

// DB is the store's database.
type DB struct {
	engine      Engine
	write, read *sql.DB
	now         func() time.Time
	turn        chan struct{} // taken by the Tx at work
	fence       *Fence        // nil: whoever has the connection may write
}

// New brings the schema up to date and returns the DB, which owns the
// connections from now on; on an error the caller still does.
func New(ctx context.Context, cfg Config) (*DB, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := migrate(ctx, cfg.Write, cfg.Engine, cfg.Schema); err != nil {
		return nil, err
	}
	return &DB{engine: cfg.Engine, write: cfg.Write, read: cfg.Read, now: cfg.Now, turn: make(chan struct{}, 1)}, nil
}

// Close closes the connections.
func (db *DB) Close() error {
	err := db.write.Close()
	if db.read != db.write {
		err = errors.Join(err, db.read.Close())
	}
	if err != nil {
		return fmt.Errorf("close the store: %w", err)
	}
	return nil
}

// Ping reports whether the database answers.
func (db *DB) Ping(ctx context.Context) error { return db.read.PingContext(ctx) }

// Tx runs fn as the only writer, and commits if it returns nil. fn must not
// begin another Tx: it would wait for itself. Behind a fence it may be refused.
func (db *DB) Tx(ctx context.Context, fn func(*Tx) error) error {
	epoch, err := db.fence.enter()
	if err != nil {
		return err
	}
	// Those of this process wait here, without a connection: the lease must find
	// one to be renewed by.
	select {
	case db.turn <- struct{}{}:
		defer func() { <-db.turn }()
	case <-ctx.Done():
		return fmt.Errorf("wait for other writers of the store: %w", context.Cause(ctx))
	}
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin in the store: %w", err)
	}
	if db.engine.Lock != "" {
		if _, err := tx.ExecContext(ctx, db.engine.Lock); err != nil {
			return errors.Join(fmt.Errorf("wait for other writers of the store: %w", err), tx.Rollback())
		}
	}
	return db.finish(tx, func(tx *Tx) error {
		if err := db.fence.check(ctx, tx, epoch); err != nil {
			return err
		}
		return fn(tx)
	})
}

// View runs fn on one moment of the database; it cannot write.
func (db *DB) View(ctx context.Context, fn func(*Tx) error) error {
	tx, err := db.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: db.snapshot()})
	if err != nil {
		return fmt.Errorf("begin to read the store: %w", err)
	}
	return db.finish(tx, fn)
}

// snapshot is the level at which a transaction sees one moment; SQLite always does.
func (db *DB) snapshot() sql.IsolationLevel {
	if db.engine.Goose == goose.DialectPostgres {
		return sql.LevelRepeatableRead
	}
	return sql.LevelDefault
}

// errBusy says that readers or writers kept a purge from its end.
var errBusy = errors.New("others use the store; try again")

// Purge removes from the engine's files what was written over, if it can.
func (db *DB) Purge(ctx context.Context) error {
	if db.engine.Purge == nil {
		return nil
	}
	done, err := db.engine.Purge(ctx, db.write)
	switch {
	case err != nil:
		return fmt.Errorf("purge the store: %w", err)
	case !done:
		return errBusy
	}
	return nil
}

func (db *DB) finish(tx *sql.Tx, fn func(*Tx) error) (err error) {
	done := false
	defer func() {
		if !done { // fn panicked, or ended the test
			_ = tx.Rollback()
		}
	}()
	err = fn(&Tx{tx: tx, engine: &db.engine, now: db.now().UTC().Truncate(time.Microsecond)})
	done = true
	if err != nil {
		_ = tx.Rollback() // the first error is the one that matters
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit to the store: %w", err)
	}
	return nil
}
