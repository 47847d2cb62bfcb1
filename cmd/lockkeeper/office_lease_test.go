package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// Two servers on one store: one office works, the other stands by and takes
// over when the first stops.
func TestOfficeStandsBy(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPrivate(t)
	proxytest.Exec(t, pg.Super(t), "CREATE DATABASE office")
	file := configFlags(t, "office: {store: \"postgres://"+proxytest.Superuser+"@"+pg.Addr()+"/office?sslmode=disable\"}\n")
	begin := func() (*process, func() int) {
		web := freeAddress(t)
		p := serve(t, pg, "", append(file, "--web-listen", web)...)
		return p, func() int {
			u := &officeUser{t: t, web: "http://" + web + "/api/v1", http: http.DefaultClient}
			code, _ := u.do(http.MethodGet, "/session", nil)
			return code
		}
	}
	first, one := begin()
	eventually(t, "the first works", func() bool { return one() == http.StatusOK })
	second, two := begin()
	want(t, fmt.Sprint(two()), "503")
	if out, code := command(t, "user", "list", "--state", second.state); code == 0 || !strings.Contains(out, "this office stands by") {
		t.Errorf("the command line at the second: code %d: %s", code, out)
	}
	first.console("user", "add", "ann", "--admin")
	first.stop()
	eventually(t, "the second takes over", func() bool { return two() == http.StatusOK })
	if out := second.console("user", "list"); !strings.Contains(out, "ann") {
		t.Errorf("it knows nobody:\n%s", out)
	}
	second.stop()
}

// A door whose office stands by ends the sessions of whoever loses the right to
// be there, as that of the office that works does.
func TestOfficeStandbyDoorRevokes(t *testing.T) {
	t.Parallel()
	pg := officeWarehouse(t)
	proxytest.Exec(t, pg.Super(t), "CREATE DATABASE office")
	folder := doorCerts(t)
	file := append(configFlags(t, fmt.Sprintf("office: {store: %q, key_file: %q}\ntls: {cert: %s/server.crt, key: %[3]s/server.key}\n",
		pg.URL(proxytest.Superuser, "office"), filepath.Join(t.TempDir(), "key"), folder)), "--auth", "password")
	first := serveOfficeAt(t, pg, freeAddress(t), file...)
	eventually(t, "the first works", func() bool { return strings.Contains(first.log.String(), "the office works on the store") })
	second := serveOfficeAt(t, pg, freeAddress(t), file...)
	connect := func(login, password string) *pgx.Conn {
		var c *pgx.Conn
		eventually(t, "the second door knows "+login, func() (ok bool) {
			var err error
			c, err = pgx.Connect(t.Context(), "postgres://"+login+":"+password+"@"+second.door+"/postgres?sslmode=require")
			return err == nil
		})
		t.Cleanup(func() { _ = c.Close(context.WithoutCancel(t.Context())) })
		return c
	}
	password := func(u *officeUser) string {
		var made struct{ Password string }
		u.must(http.MethodPost, "/db-passwords", map[string]any{"tool": "psql"}, &made)
		return made.Password
	}
	ends := func(what string, c *pgx.Conn) {
		t.Helper()
		began := time.Now()
		eventually(t, what+" at the second door ends", func() bool { _, err := c.Exec(t.Context(), "SELECT 1"); return err != nil })
		t.Logf("%s: ended after %s", what, time.Since(began).Round(time.Millisecond))
		if d := time.Since(began); d > 5*time.Second && !raceEnabled {
			t.Errorf("%s lived on for %s", what, d)
		}
	}
	ann, bob := first.welcome(t, "ann", "reader", "--admin"), first.welcome(t, "bob", "reader", "--admin")
	var token struct {
		Token string
		Item  struct{ ID string }
	}
	bob.must(http.MethodPost, "/tokens", map[string]any{"name": "tool", "scopes": []string{"runs:write"}, "expires_in_days": 1}, &token)
	hers, his, byToken := connect("ann", password(ann)), connect("bob", password(bob)), connect("bob", token.Token)
	first.console("user", "disable", "ann")
	ends("the session of somebody shut out", hers)
	bob.must(http.MethodDelete, "/tokens/"+token.Item.ID, nil, nil)
	ends("the session of a revoked token", byToken)
	if _, err := his.Exec(t.Context(), "SELECT 1"); err != nil {
		t.Errorf("who stands by it: %v", err)
	}
}

// An office that was frozen while another took over writes nothing any more: not
// what it is asked for, not what it had under way. It ends and says why.
func TestOfficeFrozen(t *testing.T) {
	t.Parallel()
	for name, early := range map[string]bool{
		"for longer than its lease":           false,
		"and does not know it, by its clocks": true, // nothing but the fence is between them
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testFrozen(t, early)
		})
	}
}

func testFrozen(t *testing.T, early bool) {
	pg := officeWarehouse(t)
	super := pg.Super(t)
	proxytest.Exec(t, super, "CREATE DATABASE office")
	store := pg.Connect(t, proxytest.Superuser, "office")
	shared := t.TempDir()
	file := configFlags(t, fmt.Sprintf("office: {store: %q, key_file: %q, results: %q}\n",
		pg.URL(proxytest.Superuser, "office"), filepath.Join(shared, "key"), filepath.Join(shared, "results")))
	first := serveOfficeAt(t, pg, freeAddress(t), file...)
	eventually(t, "the first works", func() bool { return strings.Contains(first.log.String(), "the office works on the store") })
	second := serveOfficeAt(t, pg, freeAddress(t), file...)
	ann := first.welcome(t, "ann", "reader", "--admin")
	there := &officeUser{t: t, web: second.web, http: ann.http}

	var made struct{ Password string }
	ann.must(http.MethodPost, "/db-passwords", map[string]any{"tool": "psql"}, &made)
	eventually(t, "the door of the second knows the people of the office", func() bool {
		c, err := pgx.Connect(t.Context(), "postgres://ann:"+made.Password+"@"+second.door+"/postgres?sslmode=disable")
		return err == nil && c.Close(t.Context()) == nil
	})
	kept := ann.run("SELECT id FROM public.sales ORDER BY id")
	var under struct{ ID, State string }
	ann.prefer("respond-async").must(http.MethodPost, "/runs", map[string]any{"sql": "SELECT /* under way */ pg_sleep(1)"}, &under)
	eventually(t, "a run is under way", func() bool {
		var n int
		err := super.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%/* under way */ pg\\_sleep%'").Scan(&n)
		return err == nil && n > 0
	})
	first.signal(syscall.SIGSTOP)
	if early {
		proxytest.Exec(t, store, "UPDATE office_leases SET expires = 1")
	}
	within(t, 3*leaseLife, "the second takes over", func() bool {
		code, _ := there.do(http.MethodGet, "/runs/"+kept, nil)
		return code == http.StatusOK
	})
	second.console("user", "add", "bo")
	eventually(t, "the run of the first is over", func() bool {
		there.must(http.MethodGet, "/runs/"+under.ID, nil, &under)
		return under.State == "failed"
	})
	_, outcome := there.do(http.MethodGet, "/runs/"+under.ID, nil)
	before := contents(t, store)

	first.signal(syscall.SIGCONT)
	if early { // it takes requests until it asks for its lease again, which may be at once
		code, body, err := ann.try(http.MethodPost, "/runs", map[string]any{"sql": "SELECT 1"})
		fenced, going := strings.Contains(string(body), "Another server works"), err != nil || strings.Contains(string(body), `"interrupted"`)
		if err == nil && code != http.StatusServiceUnavailable || !fenced && !going {
			t.Errorf("a run for the first: %d %s %v", code, body, err)
		}
	}
	if code := first.exit(60 * time.Second); code == 0 || !strings.Contains(first.log.String(), errTakenOver.Error()) {
		t.Errorf("exit code %d:\n%s", code, first.log)
	}
	if after := contents(t, store); after != before {
		t.Errorf("the first wrote:\n%s\nbefore:\n%s", after, before)
	}
	if _, now := there.do(http.MethodGet, "/runs/"+under.ID, nil); string(now) != string(outcome) {
		t.Errorf("the run became %s\nwas %s", now, outcome)
	}
	if code, body := there.do(http.MethodGet, "/runs/"+kept+"/result.csv", nil); code != http.StatusOK || strings.Count(string(body), "\n") != 1001 {
		t.Errorf("a result of the first: %d, %d bytes", code, len(body))
	}
	there.run("SELECT 1")
	second.stop()
	if strings.Contains(before, "sightings: 1") || strings.Contains(second.log.String(), "cannot note who came in") {
		t.Errorf("the second wrote while it stood by:\n%s\n%s", before, second.log)
	}
}

// contents is all that the office keeps in a Postgres, but for who works on it.
func contents(t *testing.T, store *pgx.Conn) string {
	t.Helper()
	rows, err := store.Query(t.Context(), "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'office_leases' ORDER BY 1")
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, table := range tables {
		var n int
		var sum string
		err := store.QueryRow(t.Context(), "SELECT count(*), md5(coalesce(string_agg(r::text, ' ' ORDER BY r::text), '')) FROM "+table+" r").Scan(&n, &sum)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&all, "%s: %d rows, %s\n", table, n, sum)
	}
	return all.String()
}
