package door

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// keeper is a sink that keeps everything.
type keeper struct {
	names   []string
	oids    []uint32
	rows    [][]string
	notices []string
	onRow   func(n int) error
	count   int
	drop    bool
}

func (k *keeper) Columns(names []string, oids []uint32, _ []int32) error {
	k.names, k.oids = names, oids
	return nil
}

func (k *keeper) Row(cells [][]byte) error {
	k.count++
	if !k.drop {
		row := make([]string, len(cells))
		for i, c := range cells {
			row[i] = "NULL"
			if c != nil {
				row[i] = "=" + string(c)
			}
		}
		k.rows = append(k.rows, row)
	}
	if k.onRow != nil {
		return k.onRow(k.count)
	}
	return nil
}

func (k *keeper) Notice(severity, message, _, _ string) {
	k.notices = append(k.notices, severity+": "+message)
}

// open opens a session straight at Postgres, which trusts everybody here.
func open(t *testing.T, pg *proxytest.Postgres) *Conn {
	t.Helper()
	d, err := New(Config{Dial: func(ctx context.Context, _ policy.Principal) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", pg.Addr())
	}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.Open(t.Context(), policy.Principal{Subject: policy.Subject{User: proxytest.Superuser}, Via: "web"}, "postgres")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

func TestQueryGivesCellsAsTheServerWroteThem(t *testing.T) {
	t.Parallel()
	c := open(t, proxytest.StartPostgres(t))
	var k keeper
	tag, err := c.Query(t.Context(), `select 9223372036854775807::int8 as a, 'NaN'::float8 as b, null as x, '' as x, 0.10::numeric(38,20), $1::int8[], $2::text`,
		[]uint32{1016, 0}, []*string{new("{17,9007199254740993}"), nil}, &k)
	if err != nil || tag != "SELECT 1" {
		t.Fatalf("tag %q, error %v", tag, err)
	}
	want := [][]string{{"=9223372036854775807", "=NaN", "NULL", "=", "=0.10000000000000000000", "={17,9007199254740993}", "NULL"}}
	if diff := cmp.Diff(want, k.rows); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"a", "b", "x", "x", "numeric", "int8", "text"}, k.names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	if k.oids[0] != 20 || k.oids[5] != 1016 {
		t.Errorf("oids %v", k.oids)
	}
}

func TestQueryReportsErrorsNoticesAndTheTransaction(t *testing.T) {
	t.Parallel()
	c := open(t, proxytest.StartPostgres(t))
	var k keeper
	_, err := c.Query(t.Context(), "select 1 frum x", nil, nil, &k)
	report, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("error %v is none of the server's", err)
	}
	code, message, _, _, _, position := report.Report()
	if code != "42601" || position != 15 || !strings.Contains(message, `near "x"`) {
		t.Errorf("%s %q at %d", code, message, position)
	}
	if _, err := c.Query(t.Context(), "do $$ begin raise notice 'hi'; end $$", nil, nil, &k); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"NOTICE: hi"}, k.notices); diff != "" {
		t.Errorf("notices (-want +got):\n%s", diff)
	}
	for _, step := range []struct {
		sql  string
		open bool
	}{{"begin", true}, {"select 1", true}, {"select 1/0", true}, {"rollback", false}} {
		_, _ = c.Query(t.Context(), step.sql, nil, nil, &keeper{})
		if got := c.InTransaction(); got != step.open {
			t.Errorf("after %q: in transaction %v", step.sql, got)
		}
	}
	if tag, err := c.Query(t.Context(), "-- nothing", nil, nil, &keeper{}); tag != "" || err != nil {
		t.Errorf("empty statement: %q, %v", tag, err)
	}
}

// Two seconds of rows flow through a memory that does not grow.
func TestQueryStreams(t *testing.T) {
	c := open(t, proxytest.StartPostgres(t))
	var cells []string
	for i := range 20 {
		cells = append(cells, fmt.Sprintf("g + %d", i))
	}
	const rows = 300_000
	var most uint64
	k := keeper{drop: true, onRow: func(n int) error {
		if n%50_000 == 0 {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
		return nil
	}}
	tag, err := c.Query(t.Context(), fmt.Sprintf("select %s from generate_series(1, %d) g", strings.Join(cells, ", "), rows), nil, nil, &k)
	if err != nil || k.count != rows || tag != fmt.Sprintf("SELECT %d", rows) {
		t.Fatalf("%d rows, tag %q, error %v", k.count, tag, err)
	}
	if most > 64<<20 {
		t.Errorf("the heap grew to %d MiB", most>>20)
	}
}

func TestASinkWithEnoughEndsTheStatement(t *testing.T) {
	t.Parallel()
	c := open(t, proxytest.StartPostgres(t))
	enough := errors.New("enough")
	k := keeper{drop: true, onRow: func(n int) error {
		if n == 100 {
			return enough
		}
		return nil
	}}
	_, err := c.Query(t.Context(), "select generate_series(1, 2000000000), repeat('x', 100)", nil, nil, &k)
	if !errors.Is(err, enough) || k.count != 100 {
		t.Fatalf("%d rows, error %v", k.count, err)
	}
	if _, err := c.Query(t.Context(), "select 1", nil, nil, &keeper{}); err != nil {
		t.Errorf("the connection is of no use afterwards: %v", err)
	}
}

func TestCancelReturnsWhenTheStatementHasEnded(t *testing.T) {
	t.Parallel()
	c := open(t, proxytest.StartPostgres(t))
	if err := c.Cancel(t.Context()); err != nil {
		t.Errorf("cancel of nothing: %v", err)
	}
	for _, sql := range []string{"select pg_sleep(60)", "select count(*) from generate_series(1, 100000) a, generate_series(1, 100000) b"} {
		started := make(chan struct{})
		ended := make(chan error, 1)
		go func() {
			close(started)
			_, err := c.Query(t.Context(), sql, nil, nil, &keeper{drop: true})
			ended <- err
		}()
		<-started
		var err error
		for running := true; running; { // Cancel before Query has begun ends nothing
			err = c.Cancel(t.Context())
			select {
			case got := <-ended:
				running = false
				if report, ok := errors.AsType[*Error](got); !ok || report.pg.Code != "57014" {
					t.Errorf("%s: ended with %v", sql, got)
				}
			default:
			}
		}
		if err != nil {
			t.Errorf("%s: %v", sql, err)
		}
		if _, err := c.Query(t.Context(), "select 1", nil, nil, &keeper{}); err != nil {
			t.Errorf("a later statement met the cancel: %v", err)
		}
	}
}

func TestTheEndOfTheContextEndsTheStatement(t *testing.T) {
	t.Parallel()
	c := open(t, proxytest.StartPostgres(t))
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := c.Query(ctx, "select pg_sleep(60)", nil, nil, &keeper{})
	if report, ok := errors.AsType[*Error](err); !ok || report.pg.Code != "57014" {
		t.Fatalf("ended with %v", err)
	}
	if _, err := c.Query(t.Context(), "select 1", nil, nil, &keeper{}); err != nil {
		t.Errorf("the connection is of no use afterwards: %v", err)
	}
}

// A server that takes no cancel does not hold the caller for ever.
func TestADeadServerIsLeft(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPostgres(t)
	dials := 0
	d, err := New(Config{Grace: 50 * time.Millisecond, Dial: func(ctx context.Context, _ policy.Principal) (net.Conn, error) {
		if dials++; dials > 1 {
			return nil, errors.New("nobody answers")
		}
		return (&net.Dialer{}).DialContext(ctx, "tcp", pg.Addr())
	}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.Open(t.Context(), policy.Principal{Subject: policy.Subject{User: proxytest.Superuser}}, "postgres")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = c.Query(ctx, "select pg_sleep(5)", nil, nil, &keeper{})
	if _, reported := errors.AsType[*Error](err); err == nil || reported {
		t.Errorf("ended with %v", err)
	}
	_ = c.Close(context.Background())
}

func TestOpenReportsARefusal(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPostgres(t)
	d, err := New(Config{Dial: func(ctx context.Context, _ policy.Principal) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", pg.Addr())
	}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.Open(t.Context(), policy.Principal{Subject: policy.Subject{User: "nobody"}}, "postgres")
	report, ok := errors.AsType[*Error](err)
	if !ok || report.pg.Code != "28000" || !report.Fatal() {
		t.Errorf("error %v", err)
	}
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	c := open(t, proxytest.StartPostgres(t))
	params, err := c.Describe(t.Context(), "select * from pg_class where oid = $1 and relname = $2", []uint32{0, 0})
	if diff := cmp.Diff([]uint32{26, 19}, params); diff != "" || err != nil {
		t.Errorf("params (-want +got):\n%s%v", diff, err)
	}
}
