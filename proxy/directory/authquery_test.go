package directory

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// clock is a time that tests move.
type clock struct {
	mu  sync.Mutex // guards what follows
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	c.mu.Unlock()
}

func query(t *testing.T, cfg QueryConfig) *Directory {
	t.Helper()
	q, err := NewAuthQuery(cfg)
	if err != nil {
		t.Fatal(err)
	}
	d, err := New(Config{Query: q})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func kinds(t *testing.T, d *Directory, login string) string {
	t.Helper()
	a, err := d.Lookup(t.Context(), login, "postgres")
	switch {
	case errors.Is(err, ErrUnknown):
		return "unknown"
	case err != nil:
		t.Fatal(err)
	}
	var out []string
	for _, v := range a.Verifiers {
		out = append(out, v.Kind())
	}
	return strings.Join(out, ",")
}

func TestAuthQuery(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPostgres(t)
	scram, open := pg.CreateRole(t, "PASSWORD 'x'"), pg.CreateRole(t, "")
	c := &clock{now: time.Unix(1e9, 0)}
	d := query(t, QueryConfig{URL: pgauth.NewSecret(pg.URL(proxytest.Superuser, "postgres")), Now: c.Now, TTL: time.Second})
	for login, want := range map[string]string{scram: "scram-sha-256", open: "", "nobody": "unknown", "'; DROP TABLE x --": "unknown"} {
		if got := kinds(t, d, login); got != want {
			t.Errorf("%s: %q, want %q", login, got, want)
		}
	}
	// An answer holds for a while, and not longer; so does "unknown".
	super := pg.Super(t)
	proxytest.Exec(t, super, "SET password_encryption = 'md5'", "ALTER ROLE "+scram+" PASSWORD 'y'")
	if got := kinds(t, d, scram); got != "scram-sha-256" {
		t.Errorf("asked again at once: %q", got)
	}
	c.advance(2 * time.Second)
	if got := kinds(t, d, scram); got != "md5" {
		t.Errorf("not asked again: %q", got)
	}
	proxytest.Exec(t, super, "ALTER ROLE "+scram+" PASSWORD NULL")
	d.query.Forget()
	if got := kinds(t, d, scram); got != "" {
		t.Errorf("after Forget: %q", got)
	}
}

// A table of somebody's own must not stand in for pg_shadow.
func TestAuthQueryPinsSearchPath(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPostgres(t)
	db := pg.CreateDatabase(t)
	role := pg.CreateRole(t, "SUPERUSER PASSWORD 'x'")
	proxytest.Exec(t, pg.Connect(t, proxytest.Superuser, db), "CREATE SCHEMA evil",
		"CREATE TABLE evil.pg_shadow AS SELECT 'mallory'::name AS usename, 'known'::text AS passwd",
		"ALTER ROLE "+role+" SET search_path = evil, pg_catalog")
	d := query(t, QueryConfig{URL: pgauth.NewSecret(pg.URL(role, db))})
	if got := kinds(t, d, "mallory"); got != "unknown" {
		t.Errorf("mallory is %q", got)
	}
	if got := kinds(t, d, role); got != "scram-sha-256" {
		t.Errorf("the role is %q", got)
	}
}

func TestAuthQueryShapes(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPostgres(t)
	url := pgauth.NewSecret(pg.URL(proxytest.Superuser, "postgres"))
	for sql, want := range map[string]string{
		"SELECT 'plain'::text WHERE $1 = 'ann'":                                                     "password",
		"SELECT $1::text, v FROM (VALUES ('one'), ('md5d41d8cd98f00b204e9800998ecf8427e')) AS x(v)": "password,md5",
		"SELECT NULL::text, NULL::text WHERE $1 <> ''":                                              "unknown",
		"SELECT $1::text, NULL::text":                                                               "",
		"SELECT 'bob'::text, 'plain'::text WHERE $1 <> ''":                                          "unknown",
		"SELECT NULL::text WHERE $1 <> ''":                                                          "unknown",
		"SELECT $1::varchar(20), 'plain'::varchar, 42":                                              "password",
	} {
		if got := kinds(t, query(t, QueryConfig{URL: url, SQL: sql}), "ann"); got != want {
			t.Errorf("%s: %q, want %q", sql, got, want)
		}
	}
	for _, sql := range []string{"SELECT $1::text, 42", "SELECT 1/0 WHERE $1 <> ''", "SELECT $1::text, ''::text", "no SQL $1", "SELECT 'SCRAM-SHA-256$x'::text WHERE $1 <> ''"} {
		_, err := query(t, QueryConfig{URL: url, SQL: sql}).Lookup(t.Context(), "ann", "postgres")
		if err == nil || errors.Is(err, ErrUnknown) {
			t.Errorf("%s: error %v, want one that is not ErrUnknown", sql, err)
		}
	}
}

// Many clients of one login ask once, and one that leaves takes nobody along.
func TestAuthQueryAsksOnce(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPostgres(t)
	super := pg.Super(t)
	table := "lk_asked"
	proxytest.Exec(t, super, "CREATE TABLE "+table+" (n int)")
	t.Cleanup(func() { _, _ = super.Exec(context.Background(), "DROP TABLE "+table) })
	proxytest.Exec(t, super, "BEGIN", "LOCK TABLE "+table) // the question waits here
	d := query(t, QueryConfig{
		URL: pgauth.NewSecret(pg.URL(proxytest.Superuser, "postgres")), Timeout: time.Minute,
		SQL: "WITH x AS (INSERT INTO public." + table + " VALUES (1) RETURNING n) SELECT $1::text, 'plain'::text FROM x",
	})
	var wg sync.WaitGroup
	gone, leave := context.WithCancel(t.Context())
	errs := make([]error, 20)
	for i := range errs {
		wg.Go(func() { // ends with the answer; joined below
			ctx := t.Context()
			if i%2 == 1 {
				ctx = gone
			}
			_, errs[i] = d.Lookup(ctx, "ann", "postgres")
		})
	}
	watch := pg.Super(t)
	for waiting := 0; waiting == 0; {
		err := watch.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'lockkeeper auth_query' AND wait_event_type = 'Lock'").Scan(&waiting)
		if err != nil {
			t.Fatal(err)
		}
	}
	leave()
	proxytest.Exec(t, super, "COMMIT")
	wg.Wait()
	for i, err := range errs {
		if err != nil && (i%2 == 0 || !errors.Is(err, context.Canceled)) {
			t.Errorf("client %d: %v", i, err)
		}
	}
	var asked int
	if err := super.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&asked); err != nil || asked != 1 {
		t.Errorf("asked %d times, %v", asked, err)
	}
}

func TestAuthQueryDown(t *testing.T) {
	t.Parallel()
	d := query(t, QueryConfig{URL: pgauth.NewSecret("postgres://u:hush@127.0.0.1:1/db"), Timeout: 5 * time.Second})
	_, err := d.Lookup(t.Context(), "ann", "db")
	if err == nil || errors.Is(err, ErrUnknown) || strings.Contains(err.Error(), "hush") {
		t.Errorf("error %v, want one that is neither ErrUnknown nor tells the password", err)
	}
	for _, cfg := range []QueryConfig{
		{URL: pgauth.NewSecret("postgres://u:hush@[::1/db")},
		{URL: pgauth.NewSecret("postgres://u:hush@h/db"), SQL: "SELECT 1"},
	} {
		if _, err := NewAuthQuery(cfg); err == nil || strings.Contains(fmt.Sprint(err), "hush") {
			t.Errorf("error %v, want one without the password", err)
		}
	}
}

// Answers of strangers' names are bounded.
func TestAnswersAreBounded(t *testing.T) {
	t.Parallel()
	c := &clock{}
	q := &AuthQuery{cfg: QueryConfig{Now: c.Now, TTL: time.Hour}, answers: map[string]answer{}}
	for i := range 2*maxAnswers + 5 {
		q.mu.Lock()
		q.keepLocked(fmt.Sprint(i), answer{})
		q.mu.Unlock()
	}
	if n := len(q.answers); n > maxAnswers {
		t.Errorf("%d answers, want at most %d", n, maxAnswers)
	}
}
