package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/lockkeeper/lockkeeper/admin/store/sqldb"
)

const (
	maxReaders     = 8
	maxIdle        = time.Minute
	connectTimeout = 5 * time.Second
	// writerLock keeps writers apart; any number that nobody else takes. Who does
	// nothing for ten seconds while holding it was stopped in the middle, and is
	// ended by the server.
	writerLock = "SELECT pg_advisory_xact_lock(7815696), set_config('idle_in_transaction_session_timeout', '10s', true)"
	// uniqueViolation is Postgres' SQLSTATE.
	uniqueViolation = "23505"
)

// Open connects to the store and brings its schema up to date.
func Open(ctx context.Context, cfg Config) (*sqldb.DB, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	pc, err := pgx.ParseConfig(cfg.URL)
	if err != nil {
		return nil, errors.New("postgres: the connection string cannot be read") // its error may show the password
	}
	pc.ConnectTimeout = connectTimeout
	pc.RuntimeParams["application_name"] = "lockkeeper office"
	engine, err := engine()
	if err != nil {
		return nil, err
	}
	// One connection writes. A second one is for the lock of migrations, and for
	// the lease, which is renewed beside a writer.
	write, read := stdlib.OpenDB(*pc), stdlib.OpenDB(*pc)
	write.SetMaxOpenConns(2)
	read.SetMaxOpenConns(maxReaders)
	write.SetConnMaxIdleTime(maxIdle)
	read.SetConnMaxIdleTime(maxIdle)
	db, err := sqldb.New(ctx, sqldb.Config{Engine: engine, Write: write, Read: read, Now: cfg.Now, Schema: cfg.Schema})
	if err != nil {
		return nil, errors.Join(err, write.Close(), read.Close())
	}
	return db, nil
}

func engine() (sqldb.Engine, error) {
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return sqldb.Engine{}, fmt.Errorf("lock for migrations: %w", err)
	}
	return sqldb.Engine{
		Name: "postgres", Goose: goose.DialectPostgres, Text: `TEXT COLLATE "C"`, Blob: "BYTEA", Lock: writerLock,
		Taken: taken, Moved: []goose.ProviderOption{goose.WithSessionLocker(locker)},
	}, nil
}

func taken(err error) (string, bool) {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || e.Code != uniqueViolation {
		return "", false
	}
	return e.ConstraintName, true
}
