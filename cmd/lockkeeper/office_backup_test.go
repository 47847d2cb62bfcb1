package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/lockkeeper/lockkeeper/admin/secret"
	"github.com/lockkeeper/lockkeeper/admin/store/sqldb"
	"github.com/lockkeeper/lockkeeper/audit"
	"github.com/lockkeeper/lockkeeper/audit/jsonl"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// moveTest is a house with an office that moves to another store.
type moveTest struct {
	*officeHouse

	ann, bo, eve *officeUser // owner and admin, somebody who may read the table, and who may not
	runs         map[string]string
	token        string // of ann, revoked after the backup
	password     string // of ann, for the door
}

// A backup brings an office to another store and another place of results: every
// page that was open to somebody reads the same, byte by byte, and what was
// closed to somebody stays closed in the same words.
func TestOfficeMoves(t *testing.T) {
	t.Parallel()
	sqlite := func(*testing.T, *proxytest.Postgres) []string { return configFlags(t, "office: {}\n") }
	postgres := func(t *testing.T, pg *proxytest.Postgres) []string {
		t.Helper()
		proxytest.Exec(t, pg.Super(t), "CREATE DATABASE office")
		return configFlags(t, fmt.Sprintf("office: {store: %q, results: %q, key_file: %q}\n",
			pg.URL(proxytest.Superuser, "office"), filepath.Join(t.TempDir(), "results"), filepath.Join(t.TempDir(), "the.key")))
	}
	inBucket := func(t *testing.T, _ *proxytest.Postgres) []string {
		t.Helper()
		return startBucket(t).flags("")
	}
	type place = func(*testing.T, *proxytest.Postgres) []string
	for name, places := range map[string][2]place{
		"SQLite to SQLite":          {sqlite, sqlite},
		"SQLite to Postgres":        {sqlite, postgres},
		"Postgres to SQLite":        {postgres, sqlite},
		"a folder to a bucket":      {sqlite, inBucket},
		"a bucket, back to folders": {inBucket, sqlite},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pg := officeWarehouse(t)
			from, to := places[0](t, pg), places[1](t, pg)
			m := furnishOffice(t, serveOfficeAt(t, pg, freeAddress(t), from...), from)
			before := m.looks()
			file := filepath.Join(t.TempDir(), "office.backup")
			if out, code := command(t, append([]string{"backup", file, "--state", m.state}, from...)...); code != 0 {
				t.Fatalf("backup: %s", out)
			}
			m.revokeAll()
			m.stop()
			key := m.keyFile(from)
			m.restore(file, key, to)
			m.compare(before, m.looks())
			m.checkProofs(to)
			m.stop()
		})
	}
}

// furnishOffice makes what an office has: runs of all kinds, a saved query,
// proofs.
func furnishOffice(t *testing.T, h *officeHouse, config []string) *moveTest {
	t.Helper()
	h.knowsCatalog()
	m := &moveTest{
		officeHouse: h, runs: map[string]string{},
		ann: h.welcome(t, "ann", "reader", "--admin"), bo: h.welcome(t, "bo", "reader"), eve: h.welcome(t, "eve", "outsider"),
	}
	m.runs["rows"] = m.ann.run("SELECT id, amount FROM public.sales ORDER BY id")
	m.runs["nulls"] = m.ann.run("SELECT id, NULLIF(id % 3, 0) AS third, CASE WHEN id % 2 = 0 THEN '' END AS empty FROM public.sales ORDER BY id")
	var several struct{ ID, State string }
	m.ann.must(http.MethodPost, "/runs", map[string]any{"sql": "SELECT count(*) FROM public.sales; SELECT max(id) FROM public.sales", "multi": true}, &several)
	want(t, several.State, "succeeded")
	m.runs["several"] = several.ID
	m.runs["pinned"] = m.ann.run("SELECT min(amount) FROM public.sales")
	m.runs["expired"] = m.ann.run("SELECT min(id) FROM public.sales")
	m.ann.must(http.MethodPatch, "/runs/"+m.runs["pinned"], map[string]any{"pinned": true}, nil)
	m.ann.must(http.MethodPost, "/queries", map[string]any{"title": "Sales", "sql": "SELECT id FROM public.sales WHERE id < :top", "team": "everyone"}, nil)
	var made struct{ Token, Password string }
	m.ann.must(http.MethodPost, "/tokens", map[string]any{"name": "cron", "scopes": []string{"runs:read"}, "expires_in_days": 9}, &made)
	m.ann.must(http.MethodPost, "/db-passwords", map[string]any{"tool": "psql"}, &made)
	m.token, m.password = made.Token, made.Password
	eventually(t, "the second person may look", func() bool {
		code, _ := m.bo.do(http.MethodGet, "/runs/"+m.runs["pinned"]+"/rows", nil)
		return code == http.StatusOK
	})
	h.stop()
	p := h.places(config)
	db, err := p.open(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"pinned", "expired"} {
		err := db.Tx(t.Context(), func(tx *sqldb.Tx) error {
			return tx.ExecOne(t.Context(), "UPDATE runs SET expires = 1 WHERE id = $1", m.runs[name])
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	h.start() // and sweeps
	h.knowsCatalog()
	eventually(t, "rows expire", func() bool {
		code, _ := m.ann.do(http.MethodGet, "/runs/"+m.runs["expired"]+"/rows", nil)
		return code == http.StatusGone
	})
	return m
}

func (h *officeHouse) knowsCatalog() {
	h.t.Helper()
	eventually(h.t, "the office works, and knows the catalog", func() bool {
		code, _ := httpGet(h.web + "/session")
		return code == http.StatusOK && strings.Contains(h.log.String(), "catalog changed")
	})
}

func (h *officeHouse) places(config []string) officePlaces {
	h.t.Helper()
	f := placesFlags{state: h.state, config: config[1]}
	p, err := f.places()
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

// keyFile is a copy of the office's key, kept in another place.
func (m *moveTest) keyFile(config []string) string {
	m.t.Helper()
	p := m.places(config)
	raw, err := os.ReadFile(p.key)
	if err != nil {
		m.t.Fatal(err)
	}
	copied := filepath.Join(m.t.TempDir(), "copy.key")
	if err := os.WriteFile(copied, raw, 0o600); err != nil {
		m.t.Fatal(err)
	}
	return copied
}

// looks is what everybody reads at every URL.
func (m *moveTest) looks() map[string]string {
	m.t.Helper()
	all := map[string]string{}
	for who, u := range map[string]*officeUser{"ann": m.ann, "bo": m.bo, "eve": m.eve} {
		for name, id := range m.runs {
			for _, part := range []string{"", "/rows?limit=1000", "/rows?statement=1", "/result.csv", "/result.json", "/result.parquet"} {
				all[who+" "+name+part] = u.reads("/runs/" + id + part)
			}
		}
		all[who+" nothing"] = u.reads("/runs/r_0000000000000000/rows")
		for _, list := range []string{"/runs", "/queries", "/me"} {
			all[who+" "+list] = u.reads(list)
		}
	}
	all["ann /people"] = m.ann.reads("/people")
	return all
}

// reads is an answer without what differs each time.
func (u *officeUser) reads(path string) string {
	u.t.Helper()
	code, body := u.do(http.MethodGet, path, nil)
	text := fmt.Sprintf("%d %s", code, body)
	text = regexp.MustCompile(`"last_seen":"[^"]*"`).ReplaceAllString(text, `"last_seen":""`)
	if code == http.StatusNotFound {
		text = regexp.MustCompile(`[0-9A-Z]{16}`).ReplaceAllString(text, "-")
	}
	return regexp.MustCompile(`"(instance|request_id)":"[^"]*"`).ReplaceAllString(text, `"$1":""`)
}

func (m *moveTest) compare(before, after map[string]string) {
	m.t.Helper()
	for what, was := range before {
		if after[what] != was {
			m.t.Errorf("%s:\n%.2000s\nwas:\n%.2000s", what, after[what], was)
		}
	}
	for what, prefix := range map[string]string{
		"ann rows/result.csv": "200 ", "bo rows/result.csv": "200 ", "bo nulls/result.csv": "200 ", "bo several/rows?statement=1": "200 ",
		"ann pinned/result.csv": "200 ", "bo pinned/result.csv": "200 ", "ann expired/result.csv": "410 ", "bo /queries": `200 {"items":[{`,
	} {
		if !strings.HasPrefix(before[what], prefix) {
			m.t.Errorf("%s: %.300s; want %s", what, before[what], prefix)
		}
	}
	for name := range m.runs {
		want(m.t, before["eve "+name+"/rows?limit=1000"], before["eve nothing"])
	}
}

// revokeAll takes back what the restore will bring back.
func (m *moveTest) revokeAll() {
	m.t.Helper()
	for _, kind := range []string{"/tokens", "/db-passwords"} {
		var list struct{ Items []struct{ ID string } }
		m.ann.must(http.MethodGet, kind, nil, &list)
		m.ann.must(http.MethodDelete, kind+"/"+list.Items[0].ID, nil, nil)
	}
	want(m.t, m.comesIn(), "401, door closed")
}

// comesIn tells what token and password open.
func (m *moveTest) comesIn() string {
	m.t.Helper()
	bearer := *m.ann
	bearer.http, bearer.header = http.DefaultClient, http.Header{"Authorization": {"Bearer " + m.token}}
	code, _ := bearer.do(http.MethodGet, "/runs", nil)
	c, err := pgx.Connect(m.t.Context(), "postgres://ann:"+m.password+"@"+m.door+"/postgres?sslmode=disable")
	if err != nil {
		return fmt.Sprintf("%d, door closed", code)
	}
	if err := c.Close(m.t.Context()); err != nil {
		m.t.Error(err)
	}
	return fmt.Sprintf("%d, door open", code)
}

// restore moves the office to a new state directory, and starts it there.
func (m *moveTest) restore(file, key string, config []string) {
	m.t.Helper()
	other := filepath.Join(m.t.TempDir(), "state")
	args := append([]string{"restore", file, "--state", other}, config...)
	if out, code := command(m.t, args...); code == 0 || !strings.Contains(out, "--key-file is needed") || !strings.Contains(out, "a copy of office/key") {
		m.t.Errorf("without the key: code %d: %s", code, out)
	}
	wrong := filepath.Join(m.t.TempDir(), "wrong.key")
	if _, err := secret.New(secret.Config{Path: wrong, Create: true}); err != nil {
		m.t.Fatal(err)
	}
	if out, code := command(m.t, append(args, "--key-file", wrong)...); code == 0 || !strings.Contains(out, "restore with the key file of the office that wrote it") {
		m.t.Errorf("with another key: code %d: %s", code, out)
	}
	mine := filepath.Join(other, "office", "key")
	if text, err := os.ReadFile(config[1]); err == nil && !strings.Contains(string(text), "key_file") {
		if err := os.MkdirAll(filepath.Dir(mine), 0o700); err != nil {
			m.t.Fatal(err)
		}
		if _, err := secret.New(secret.Config{Path: mine, Create: true}); err != nil { // as a first start leaves it
			m.t.Fatal(err)
		}
		if out, code := command(m.t, append(args, "--key-file", key)...); code == 0 || !strings.Contains(out, "is of another office") {
			m.t.Errorf("beside another key: code %d: %s", code, out)
		}
		if err := os.Remove(mine); err != nil {
			m.t.Fatal(err)
		}
	}
	out, code := command(m.t, append(args, "--key-file", key)...)
	if code != 0 || !strings.Contains(out, "1 tokens, 1 database passwords and 3 sessions are good") || !strings.Contains(out, "--revoke-proofs --config "+config[1]+" --state "+other) {
		m.t.Fatalf("restore: code %d: %s", code, out)
	}
	if out, code := command(m.t, append(args, "--key-file", key)...); code == 0 || !strings.Contains(out, "a restore needs an empty store") {
		m.t.Errorf("over what is there: code %d: %s", code, out)
	}
	for i, arg := range m.args {
		switch {
		case arg == m.state:
			m.args[i] = other
		case arg == "--config":
			m.args[i+1] = config[1]
		}
	}
	m.state = other
	m.start()
	m.knowsCatalog()
}

// checkProofs: what was revoked after the backup is good again, until all is
// ended; then people who sign in anew find everything.
func (m *moveTest) checkProofs(config []string) {
	m.t.Helper()
	want(m.t, m.comesIn(), "200, door open")
	m.stop()
	args := append([]string{"restore", "--revoke-proofs", "--state", m.state}, config...)
	if out, code := command(m.t, args...); code != 0 || !strings.Contains(out, "ended 1 tokens, 1 database passwords and 3 sessions") {
		m.t.Errorf("revoke: code %d: %s", code, out)
	}
	m.checkRecord()
	m.start()
	m.knowsCatalog()
	want(m.t, m.comesIn(), "401, door closed")
	if code, _ := m.ann.do(http.MethodGet, "/me", nil); code != http.StatusUnauthorized {
		m.t.Errorf("a session from before: %d", code)
	}
	link := regexp.MustCompile(`#link=([0-9A-Z]+)`).FindStringSubmatch(m.console("user", "link", "ann"))
	if link == nil {
		m.t.Fatal("no link")
	}
	m.ann.must(http.MethodPost, "/session/link", map[string]any{"token": link[1]}, nil)
	var page struct{ Rows [][]*string }
	_, raw := m.ann.do(http.MethodGet, "/runs/"+m.runs["nulls"]+"/rows?limit=2", nil)
	if err := json.Unmarshal(raw, &page); err != nil || len(page.Rows) != 2 || page.Rows[0][2] != nil || page.Rows[1][2] == nil {
		m.t.Errorf("%v: %s", err, raw)
	}
}

// checkRecord: what was done while no server ran is in the record as well.
func (m *moveTest) checkRecord() {
	m.t.Helper()
	var told []string
	page, err := jsonl.NewReader(filepath.Join(m.state, "audit")).Search(m.t.Context(), audit.Query{Filter: audit.Filter{Kinds: []audit.Kind{audit.KindAdminChange}}, Limit: 1000})
	if err != nil {
		m.t.Fatal(err)
	}
	for i := range page.Events {
		if e := &page.Events[i]; e.What == "office" {
			told = append(told, e.User+" "+e.Message)
		}
	}
	slices.Sort(told)
	got := regexp.MustCompile(`20\d\d-\S+Z`).ReplaceAllString(strings.Join(told, "\n"), "DAY")
	want(m.t, got, `local all tokens, database passwords, sessions and sign-in links ended
local restore begun, from a backup of DAY
local restore begun, from a backup of DAY
local restore begun, from a backup of DAY
local restore failed
local restore failed
local restored`)
}
