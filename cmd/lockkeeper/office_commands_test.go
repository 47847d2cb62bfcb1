package main

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// What the page does to services, passwords and sessions, the command line does.
func TestOfficeCommands(t *testing.T) {
	t.Parallel()
	h := serveOffice(t)
	ann := h.welcome(t, "ann", "reader", "--admin")
	h.employ(t, "mailer", "growth", "reader")
	mailer := h.program(t, strings.TrimSpace(h.console("token", "add", "nightly", "--service", "mailer")))
	me := func(u *officeUser, want int) {
		t.Helper()
		if code, body := u.do(http.MethodGet, "/me", nil); code != want {
			t.Errorf("%d, want %d: %s", code, want, body)
		}
	}
	me(mailer, http.StatusOK)
	h.console("service", "disable", "mailer")
	me(mailer, http.StatusUnauthorized)
	if list := h.console("service", "list"); !strings.Contains(list, "disabled") {
		t.Errorf("the list:\n%s", list)
	}
	h.console("service", "enable", "mailer")
	me(mailer, http.StatusOK)

	made := h.console("db-password", "add", "cron psql", "--service", "mailer", "--hours", "1")
	secret := regexp.MustCompile(`lkdb_[0-9A-Z]+`).FindString(made)
	comes := func() error {
		c, err := pgx.Connect(t.Context(), "postgres://mailer:"+secret+"@"+h.door+"/postgres?sslmode=disable")
		if err != nil {
			return err
		}
		return c.Close(t.Context())
	}
	if err := comes(); err != nil || !strings.Contains(made, "connect as mailer") {
		t.Errorf("%v, by:\n%s", err, made)
	}
	list := h.console("db-password", "list", "--service", "mailer")
	id := regexp.MustCompile(`d_[0-9A-Z]{16}`).FindString(list)
	if !strings.Contains(list, "cron psql") || strings.Contains(list, secret) {
		t.Errorf("the list:\n%s", list)
	}
	going, err := pgx.Connect(t.Context(), "postgres://mailer:"+secret+"@"+h.door+"/postgres?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = going.Close(t.Context()) }()
	h.employ(t, "loader", "etl", "reader")
	other := regexp.MustCompile(`lkdb_[0-9A-Z]+`).FindString(h.console("db-password", "add", "psql", "--service", "loader"))
	removed, err := pgx.Connect(t.Context(), "postgres://loader:"+other+"@"+h.door+"/postgres?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = removed.Close(t.Context()) }()
	h.console("service", "remove", "loader")
	eventually(t, "the sessions of a removed service end", func() bool { _, err := removed.Exec(t.Context(), "SELECT 1"); return err != nil })
	if _, err := going.Exec(t.Context(), "SELECT 1"); err != nil {
		t.Errorf("another's session: %v", err)
	}
	h.console("db-password", "revoke", id)
	eventually(t, "the password opens nothing more", func() bool { return comes() != nil })
	if out, code := command(t, "db-password", "add", "psql", "--state", h.state); code == 0 || !strings.Contains(out, "service") {
		t.Errorf("of the machine's operator, who is nobody at the door: code %d: %s", code, out)
	}

	me(ann, http.StatusOK)
	h.console("user", "sign-out", "ann")
	me(ann, http.StatusUnauthorized)
	if out, code := command(t, "user", "sign-out", "nobody", "--state", h.state); code == 0 || !strings.Contains(out, "user list") {
		t.Errorf("code %d: %s", code, out)
	}
}
