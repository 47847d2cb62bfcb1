package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// pipeline sends batches: an error takes its whole batch with it.
func (m *matrix) pipeline(ctx context.Context, conn *pgx.Conn) error {
	batch := &pgx.Batch{}
	got := make([]int, 300)
	for i := range got {
		batch.Queue("select $1::int", i).QueryRow(func(row pgx.Row) error { return row.Scan(&got[i]) })
	}
	if err := conn.SendBatch(ctx, batch).Close(); err != nil {
		return err
	}
	for i, n := range got {
		if n != i {
			return fmt.Errorf("answer %d of the batch: %d", i, n)
		}
	}
	for _, mode := range []string{"cache_statement", "exec", "simple_protocol"} {
		if err := connected(ctx, m.url+" default_query_exec_mode="+mode, failedBatch); err != nil {
			return fmt.Errorf("%s: %w", mode, err)
		}
	}
	return m.syncedPipeline(ctx, conn)
}

func failedBatch(ctx context.Context, conn *pgx.Conn) error {
	for sql, code := range map[string]string{"select 1/0": "22012", "select * from forbidden": "42501"} {
		bad := &pgx.Batch{}
		bad.Queue("insert into scratch values (1)")
		bad.Queue(sql)
		bad.Queue("insert into scratch values (2)")
		if err := raises(conn.SendBatch(ctx, bad).Close(), code, ""); err != nil {
			return err
		}
		if err := one(ctx, conn, 0, "select count(*) from scratch"); err != nil {
			return err
		}
	}
	return nil
}

// syncedPipeline has a Sync after each statement: an error takes only its own.
func (m *matrix) syncedPipeline(ctx context.Context, conn *pgx.Conn) error {
	p := conn.PgConn().StartPipeline(ctx)
	for _, sql := range []string{"select 1", "select * from forbidden", "select * from no_such_table", "select 2"} {
		p.SendQueryParams(sql, nil, nil, nil, nil)
		if err := p.Sync(); err != nil {
			return err
		}
	}
	var got []string
	for {
		results, err := p.GetResults()
		if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok {
			got = append(got, pgErr.Code)
			continue
		}
		if err != nil {
			return err
		}
		if results == nil {
			break
		}
		if reader, ok := results.(*pgconn.ResultReader); ok {
			got = append(got, string(reader.Read().Rows[0][0]))
		}
	}
	if err := expect("answers", strings.Join(got, " "), "1 42501 42P01 2"); err != nil {
		return err
	}
	if err := p.Close(); err != nil {
		return err
	}
	return alive(ctx, conn)
}

// timeoutInPipeline: the limit is each statement's own, and a statement that
// passes it takes its batch with it.
func (m *matrix) timeoutInPipeline(ctx context.Context) error {
	return connected(ctx, m.slowURL, func(ctx context.Context, conn *pgx.Conn) error {
		short := &pgx.Batch{}
		for range 3 {
			short.Queue("select pg_sleep(0.8)")
		}
		err := lasts(2400*time.Millisecond, func() error { return conn.SendBatch(ctx, short).Close() })
		if err != nil {
			return err
		}
		long := &pgx.Batch{}
		long.Queue("insert into scratch values (1)")
		long.Queue("select pg_sleep(30)")
		long.Queue("insert into scratch values (2)")
		err = lasts(limit, func() error { return raises(conn.SendBatch(ctx, long).Close(), "57014", "statement timeout") })
		if err != nil {
			return err
		}
		return one(ctx, conn, 0, "select count(*) from scratch")
	})
}
