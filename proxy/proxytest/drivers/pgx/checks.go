package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

func (m *matrix) checks() []check {
	return []check{
		{"connect", m.connect},
		{"query", m.with(query)},
		{"bind_types", m.with(bindTypes)},
		{"prepared_many", m.with(preparedMany)},
		{"copy_in", m.with(copyIn)},
		{"copy_out", m.with(m.copyOut)},
		{"copy_fail", m.with(copyFail)},
		{"server_cursor", m.with(serverCursor)},
		{"pipeline", m.with(m.pipeline)},
		{"notify", m.with(m.notify)},
		{"cancel", m.with(cancelRunning)},
		{"error", m.with(m.failing)},
		{"error_in_tx", m.inTx(m.url, "select * from no_such_table where i = $1", "42P01", "")},
		{"refuse", m.with(m.refuse)},
		{"refuse_in_tx", m.inTx(m.url, "select * from forbidden where i = $1", "42501", m.refusal())},
		{"timeout", m.timeout},
		{"timeout_in_tx", func(ctx context.Context) error {
			return lasts(2*limit, func() error {
				return m.inTx(m.slowURL, "select pg_sleep(30 * $1::int)", "57014", "statement timeout")(ctx)
			})
		}},
		{"large_result", m.with(largeResult)},
		{"large_bind", m.with(largeBind)},
		{"oversize_text", m.with(m.oversizeText)},
		{"kill_reconnect", m.killReconnect},
		{"x_timeout_in_pipeline", m.timeoutInPipeline},
	}
}

func (m *matrix) connect(ctx context.Context) error {
	return connected(ctx, m.url, func(ctx context.Context, conn *pgx.Conn) error {
		_, isTLS := conn.PgConn().Conn().(interface{ VerifyHostname(string) error })
		if err := expect("TLS", isTLS, m.tls); err != nil {
			return err
		}
		return one(ctx, conn, int(conn.PgConn().PID()), "select pg_backend_pid()")
	})
}

func query(ctx context.Context, conn *pgx.Conn) error {
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec,
		pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		rows, err := conn.Query(ctx, "select i, 'row ' || i from generate_series(1, $1::int) i", mode, 1000)
		if err != nil {
			return fmt.Errorf("%v: %w", mode, err)
		}
		n, last := 0, ""
		var i int
		if _, err := pgx.ForEachRow(rows, []any{&i, &last}, func() error { n++; return nil }); err != nil {
			return fmt.Errorf("%v: %w", mode, err)
		}
		if n != 1000 || last != "row 1000" {
			return fmt.Errorf("%v: %d rows, last %q", mode, n, last)
		}
	}
	results, err := conn.PgConn().Exec(ctx, "select 1; select 2; select 3").ReadAll()
	if err != nil {
		return err
	}
	return all(
		func() error { return expect("results", len(results), 3) },
		func() error { return do(ctx, conn, "") },
		func() error { return do(ctx, conn, "-- nothing but a comment") },
		func() error { return alive(ctx, conn) },
	)
}

func bindTypes(ctx context.Context, conn *pgx.Conn) error {
	day := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
	at := time.Date(2024, 2, 29, 1, 2, 3, 4000, time.UTC)
	values := []struct {
		kind string
		v    any
	}{
		{"int2", int16(-7)},
		{"int4", int32(1)},
		{"int8", int64(1) << 40},
		{"float8", math.Pi},
		{"bool", true},
		{"text", "ünï'\\ \"x\" \u4e16"},
		{"bytea", []byte{0, 1, 255}},
		{"date", day},
		{"timestamp", at},
		{"interval", pgtype.Interval{Days: 3, Microseconds: 5e6, Valid: true}},
		{"numeric", "123.4500"},
		{"time", pgtype.Time{Microseconds: 3723e6, Valid: true}},
		{"uuid", [16]byte{15: 7}},
		{"int4[]", []int32{1, 2, 3}},
		{"text[]", []string{"a", `b"c`}},
		{"jsonb", map[string]any{"a": []any{1.0, nil}}},
		{"text", (*string)(nil)},
	}
	for _, want := range values {
		for _, format := range []int16{pgx.TextFormatCode, pgx.BinaryFormatCode} {
			got := reflect.New(reflect.TypeOf(want.v))
			sql := "select $1::" + want.kind
			if err := conn.QueryRow(ctx, sql, pgx.QueryResultFormats{format}, want.v).Scan(got.Interface()); err != nil {
				return fmt.Errorf("%s: %w", want.kind, err)
			}
			if !reflect.DeepEqual(got.Elem().Interface(), want.v) {
				return fmt.Errorf("%s: got %v, want %v", want.kind, got.Elem(), want.v)
			}
		}
	}
	return nil
}

// preparedMany uses more statements than the driver keeps: it deallocates.
func preparedMany(ctx context.Context, conn *pgx.Conn) error {
	for i := range 500 {
		if err := one(ctx, conn, i*2, "select $1::int * 2", i); err != nil {
			return err
		}
	}
	for i := range 700 {
		if err := one(ctx, conn, i+1, fmt.Sprintf("select %d + $1::int", i), 1); err != nil {
			return err
		}
	}
	var n int
	if err := conn.QueryRow(ctx, "select count(*) from pg_prepared_statements").Scan(&n); err != nil {
		return err
	}
	if n < 400 || n > 513 {
		return fmt.Errorf("%d prepared statements at the server", n)
	}
	return nil
}

func copyIn(ctx context.Context, conn *pgx.Conn) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	n, err := tx.CopyFrom(ctx, pgx.Identifier{"scratch"}, []string{"i", "t"},
		pgx.CopyFromSlice(20000, func(i int) ([]any, error) { return []any{i, fmt.Sprint("line ", i)}, nil }))
	if err != nil {
		return err
	}
	return all(
		func() error { return expect("rows copied", n, 20000) },
		func() error { return one(ctx, conn, 20000, "select count(*) from scratch") },
		func() error { return tx.Rollback(ctx) },
	)
}

func (m *matrix) copyOut(ctx context.Context, conn *pgx.Conn) error {
	var out bytes.Buffer
	sql := "copy (select i, repeat('y', 100) from generate_series(1, 50000) i) to stdout"
	if _, err := conn.PgConn().CopyTo(ctx, &out, sql); err != nil {
		return err
	}
	if err := expect("lines", bytes.Count(out.Bytes(), []byte("\n")), 50000); err != nil {
		return err
	}
	_, err := conn.PgConn().CopyTo(ctx, &out, "copy forbidden to stdout")
	if err := raises(err, "42501", m.refusal()); err != nil {
		return err
	}
	return alive(ctx, conn)
}

func copyFail(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.CopyFrom(ctx, pgx.Identifier{"scratch"}, []string{"i"},
		pgx.CopyFromSlice(10, func(int) ([]any, error) { return nil, errors.New("no more") }))
	if err == nil {
		return errors.New("a broken source did not fail the copy")
	}
	_, err = conn.PgConn().CopyFrom(ctx, strings.NewReader("x\ty\n"), "copy scratch from stdin")
	if err := raises(err, "22P02", ""); err != nil {
		return err
	}
	return one(ctx, conn, 0, "select count(*) from scratch")
}

func serverCursor(ctx context.Context, conn *pgx.Conn) error {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return err
	}
	if err := do(ctx, conn, "declare named cursor for select generate_series(1, 10000)"); err != nil {
		return err
	}
	sum := 0
	for {
		rows, err := conn.Query(ctx, "fetch forward 100 from named")
		if err != nil {
			return err
		}
		page, err := pgx.CollectRows(rows, pgx.RowTo[int])
		if err != nil {
			return err
		}
		if len(page) == 0 {
			break
		}
		for _, i := range page {
			sum += i
		}
	}
	return all(
		func() error { return expect("sum", sum, 50005000) },
		func() error { return do(ctx, conn, "close named") },
		func() error { return tx.Commit(ctx) },
	)
}

func (m *matrix) notify(ctx context.Context, conn *pgx.Conn) error {
	return connected(ctx, m.url, func(ctx context.Context, other *pgx.Conn) error {
		if err := do(ctx, conn, "listen matrix_news"); err != nil {
			return err
		}
		if err := do(ctx, other, "select pg_notify('matrix_news', $1)", "read all about it"); err != nil {
			return err
		}
		note, err := conn.WaitForNotification(ctx)
		if err != nil {
			return err
		}
		return expect("notification", fmt.Sprint(note.PID, note.Payload), fmt.Sprint(other.PgConn().PID(), "read all about it"))
	})
}

func cancelRunning(ctx context.Context, conn *pgx.Conn) error {
	done := make(chan error, 1)
	timer := time.AfterFunc(300*time.Millisecond, func() { done <- conn.PgConn().CancelRequest(ctx) })
	defer timer.Stop()
	err := lasts(300*time.Millisecond, func() error {
		return raises(do(ctx, conn, "select pg_sleep($1)", 30), "57014", "user request")
	})
	if err != nil {
		return err
	}
	if err := <-done; err != nil {
		return fmt.Errorf("cancel: %w", err)
	}
	return alive(ctx, conn)
}

func (m *matrix) failing(ctx context.Context, conn *pgx.Conn) error {
	unreadable := "42601"
	if m.governed { // what cannot be parsed meets every deny rule it might fall under
		unreadable = "42501"
	}
	for sql, code := range map[string]string{
		"select * from no_such_table": "42P01", "selec 1": unreadable, "select 1/(i - 500) from generate_series(1, 1000) i": "22012",
	} {
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeSimpleProtocol} {
			if err := raises(do(ctx, conn, sql, mode), code, ""); err != nil {
				return err
			}
			if err := alive(ctx, conn); err != nil {
				return err
			}
		}
	}
	return nil
}

// inTx runs a failing statement in a transaction, which fails with it, and
// under a savepoint, which saves the rest.
func (m *matrix) inTx(url, sql, code, text string) func(context.Context) error {
	act := func(ctx context.Context, conn *pgx.Conn) error {
		insert := func() error { return do(ctx, conn, "insert into scratch values (1)") }
		bad := func() error { return raises(do(ctx, conn, sql, 1), code, text) }
		say := func(sql string) func() error { return func() error { return do(ctx, conn, sql) } }
		return all(
			say("begin"), insert, bad,
			func() error { return raises(do(ctx, conn, "select 1"), "25P02", "") },
			say("rollback"),
			func() error { return one(ctx, conn, 0, "select count(*) from scratch") },
			say("begin"), insert, say("savepoint here"), bad, say("rollback to savepoint here"), insert, say("commit"),
			func() error { return one(ctx, conn, 2, "select count(*) from scratch") },
			say("delete from scratch"),
		)
	}
	return func(ctx context.Context) error { return connected(ctx, url, act) }
}

func (m *matrix) refuse(ctx context.Context, conn *pgx.Conn) error {
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		for range 2 {
			err := do(ctx, conn, "select * from forbidden where i = $1", mode, 1)
			if err := raises(err, "42501", m.refusal()); err != nil {
				return fmt.Errorf("%v: %w", mode, err)
			}
			if err := alive(ctx, conn); err != nil {
				return fmt.Errorf("%v: %w", mode, err)
			}
		}
	}
	return nil
}

func (m *matrix) timeout(ctx context.Context) error {
	return connected(ctx, m.slowURL, func(ctx context.Context, conn *pgx.Conn) error {
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeSimpleProtocol} {
			err := lasts(limit, func() error {
				return raises(do(ctx, conn, "select pg_sleep($1::int)", mode, 30), "57014", "statement timeout")
			})
			if err != nil {
				return fmt.Errorf("%v: %w", mode, err)
			}
			if err := alive(ctx, conn); err != nil {
				return fmt.Errorf("%v: %w", mode, err)
			}
		}
		return nil
	})
}

func largeText() string { return strings.Repeat(largeUnit, largeSize/len(largeUnit)) }

func largeResult(ctx context.Context, conn *pgx.Conn) error {
	var got string
	if err := conn.QueryRow(ctx, "select "+largeSQL).Scan(&got); err != nil {
		return err
	}
	if err := expect("64 MiB the same", got == largeText(), true); err != nil {
		return err
	}
	return alive(ctx, conn)
}

func largeBind(ctx context.Context, conn *pgx.Conn) error {
	if err := one(ctx, conn, true, "select $1::text = "+largeSQL, largeText()); err != nil {
		return err
	}
	return alive(ctx, conn)
}

func (m *matrix) oversizeText(ctx context.Context, conn *pgx.Conn) error {
	sql := "select 1 /* " + strings.Repeat("x", oversize) + " */"
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol} {
		err := do(ctx, conn, sql, mode)
		if m.governed {
			err = raises(err, "54000", "")
		}
		if err != nil {
			return fmt.Errorf("%v: %w", mode, err)
		}
		if err := alive(ctx, conn); err != nil {
			return fmt.Errorf("%v: %w", mode, err)
		}
	}
	return nil
}

func (m *matrix) killReconnect(ctx context.Context) error {
	err := connected(ctx, m.url, func(ctx context.Context, conn *pgx.Conn) error {
		if err := m.killBackend(ctx, conn.PgConn().PID()); err != nil {
			return err
		}
		if do(ctx, conn, "select 1") == nil || !conn.IsClosed() {
			return errors.New("a killed connection works")
		}
		return nil
	})
	if err != nil {
		return err
	}
	return m.with(alive)(ctx)
}
