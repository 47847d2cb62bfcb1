package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/lockkeeper/lockkeeper/admin/store/sqldb"
)

const (
	readers   = 4
	busyMilli = "5000" // for which a writer waits for another process
	fileMode  = 0o600
)

// Open opens the store, makes it if it is not there, and brings its schema up
// to date.
func Open(ctx context.Context, cfg Config) (*sqldb.DB, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, fmt.Errorf("find the store: %w", err)
	}
	if err := private(path); err != nil {
		return nil, err
	}
	write, err := sql.Open("sqlite", dsn(path, url.Values{"_txlock": {"immediate"}}, "journal_mode(WAL)", "synchronous(FULL)", "secure_delete(1)"))
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	read, err := sql.Open("sqlite", dsn(path, url.Values{}, "query_only(1)"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the store: %w", err), write.Close())
	}
	write.SetMaxOpenConns(1)
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	db, err := sqldb.New(ctx, sqldb.Config{Engine: engine(), Write: write, Read: read, Now: cfg.Now, Schema: cfg.Schema})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), write.Close(), read.Close())
	}
	return db, nil
}

// private makes the file its owner's alone before anything is in it; SQLite
// gives the files beside it the same mode.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, fileMode)
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	if err := errors.Join(f.Chmod(fileMode), f.Close()); err != nil {
		return fmt.Errorf("make the store private: %w", err)
	}
	return nil
}

func dsn(path string, q url.Values, pragmas ...string) string {
	q["_pragma"] = append([]string{"busy_timeout(" + busyMilli + ")", "foreign_keys(1)"}, pragmas...)
	u := url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}
	return u.String()
}

func engine() sqldb.Engine {
	return sqldb.Engine{Name: "sqlite", Goose: goose.DialectSQLite3, Text: "TEXT", Blob: "BLOB", Purge: purge, Taken: taken}
}

// purge moves the journal into the database and empties it. It does not wait for
// readers, as everything else on the connection does.
func purge(ctx context.Context, write *sql.DB) (done bool, err error) {
	conn, err := write.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if _, err := conn.ExecContext(ctx, "PRAGMA busy_timeout = 0"); err != nil {
		return false, err
	}
	defer func() {
		_, again := conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA busy_timeout = "+busyMilli)
		err = errors.Join(err, again)
	}()
	var busy, pages, moved int64
	err = conn.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved)
	return busy == 0, err
}

func taken(err error) (string, bool) {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok || e.Code() != sqlite3.SQLITE_CONSTRAINT_UNIQUE && e.Code() != sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY {
		return "", false
	}
	return e.Error(), true
}
