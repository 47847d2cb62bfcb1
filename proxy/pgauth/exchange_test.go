package pgauth

import (
	"context"
	"crypto/tls"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// Every method against a foreign client: right, wrong and unknown.
func TestMethodsWithPgx(t *testing.T) {
	t.Parallel()
	certs := proxytest.Certs(t)
	key := RandomSaltKey()
	accounts := map[string]*Account{
		"scram":  account(t, "scram", key, verifier(t, "right")),
		"md5":    account(t, "md5", key, md5Prefix+md5Hex("right", "md5")),
		"clear":  account(t, "clear", key, "right"),
		"two":    account(t, "two", key, "left", "right"),
		"salts":  account(t, "salts", key, "right", verifier(t, "left")),
		"locked": account(t, "locked", key),
	}
	for _, c := range []struct {
		user      string
		method    Method
		tls       bool
		mechanism string // empty: refused with the right password too
	}{
		{"scram", Scram, false, "SCRAM-SHA-256"},
		{"scram", Scram, true, "SCRAM-SHA-256-PLUS"},
		{"scram", ScramPlus, true, "SCRAM-SHA-256-PLUS"},
		{"scram", ScramPlus, false, ""},
		{"scram", MD5, false, "SCRAM-SHA-256"},
		{"scram", Password, false, "password"},
		{"md5", MD5, false, "md5"},
		{"md5", Password, true, "password"},
		{"md5", Scram, false, ""},
		{"clear", Scram, false, "SCRAM-SHA-256"},
		{"clear", MD5, false, "md5"},
		{"clear", Password, false, "password"},
		{"two", Scram, true, "SCRAM-SHA-256-PLUS"},
		{"two", MD5, false, "md5"},
		{"two", Password, false, "password"},
		{"salts", Scram, false, "SCRAM-SHA-256"},
		{"salts", Password, false, "password"},
		{"locked", Scram, false, ""},
		{"locked", MD5, false, ""},
		{"locked", Password, false, ""},
		{"nobody", Scram, false, ""},
		{"nobody", MD5, false, ""},
		{"nobody", Password, false, ""},
		{"nobody", Trust, false, "trust"},
		{"nobody", Passthrough, true, "passthrough"},
	} {
		name := string(c.method) + " of " + c.user
		var config *tls.Config
		if c.tls {
			config = certs.ClientTLS(false)
			name += " over TLS"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &door{auth: New(key), method: c.method, accounts: accounts, certs: certs}
			server, client := d.pgx(t, c.user, "right", config)
			if c.mechanism == "" {
				refusedBoth(t, client, server)
			} else if client != nil || server.err != nil || server.result.Mechanism != c.mechanism {
				t.Errorf("client %v, server %v by %q, want %q", client, server.err, server.result.Mechanism, c.mechanism)
			}
			if server.err == nil && (c.method == Password || c.method == Passthrough) && server.result.Password.Reveal() != "right" {
				t.Error("the password was not handed on")
			}
			if c.method == Trust || c.method == Passthrough {
				return
			}
			server, client = d.pgx(t, c.user, "wrong", config)
			refusedBoth(t, client, server)
		})
	}
}

func refusedBoth(t *testing.T, client error, server outcome) {
	t.Helper()
	refused, ok := errors.AsType[*Error](server.err)
	if !ok {
		t.Fatalf("server: %v, want a refusal", server.err)
	}
	told, ok := errors.AsType[*pgconn.PgError](client)
	if !ok || told.Code != refused.SQLState || told.Message != refused.Message || told.Severity != "FATAL" {
		t.Errorf("client was told %v, want FATAL %s %s", client, refused.SQLState, refused.Message)
	}
	if refused.SQLState != StateInvalidPassword && refused.SQLState != StateInvalidAuthorization {
		t.Errorf("SQLSTATE %s", refused.SQLState)
	}
	if strings.Contains(refused.Message, refused.Reason) && refused.Reason != "" {
		t.Errorf("the stranger is told why: %s", refused.Message)
	}
}

func TestClearPasswordNeedsSafety(t *testing.T) {
	t.Parallel()
	for _, m := range []Method{Password, Passthrough} {
		d := &door{auth: New(SaltKey{}), method: m, remote: true}
		server, client := d.pgx(t, "ann", "right", nil)
		refusedBoth(t, client, server)
		if server.result.Password.Reveal() != "" {
			t.Error("the password was asked for")
		}
	}
}

func TestCert(t *testing.T) {
	t.Parallel()
	certs := proxytest.Certs(t)
	for _, c := range []struct {
		name, user string
		certMap    CertMap
		show       bool
		auth       string // proven name; empty: refused
	}{
		{"common name is the login", "lk_client", nil, true, "lk_client"},
		{"another login", "ann", nil, true, ""},
		{"no certificate", "lk_client", nil, false, ""},
		{"mapped", "ann", CertMap{{"cn", "lk_client", "ann"}}, true, "lk_client"},
		{"mapped by star", "client", CertMap{{"cn", "lk_*", "*"}}, true, "lk_client"},
		{"own name not in the map", "lk_client", CertMap{{"cn", "lk_client", "ann"}}, true, ""},
		{"no such field", "ann", CertMap{{"dns", "*", "ann"}}, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := &door{auth: New(SaltKey{}), method: Cert, certs: certs, certMap: c.certMap}
			server, client := d.pgx(t, c.user, "", certs.ClientTLS(c.show))
			if c.auth == "" {
				refusedBoth(t, client, server)
				return
			}
			if client != nil || server.err != nil || server.result.AuthUser != c.auth {
				t.Errorf("client %v, server %v as %q, want %q", client, server.err, server.result.AuthUser, c.auth)
			}
		})
	}
}

// A man in the middle takes one side's offer of channel binding away.
func TestBindingDowngrade(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		mechanism, first string
		method           Method
		state, message   string
	}{
		"y though we offer it":          {mechScram, "y,,n=,r=abc", Scram, StateInvalidAuthorization, "SCRAM channel binding negotiation error"},
		"p without PLUS":                {mechScram, "p=tls-server-end-point,,n=,r=abc", Scram, StateProtocolViolation, "malformed SCRAM message"},
		"PLUS without p":                {mechScramPlus, "n,,n=,r=abc", Scram, StateProtocolViolation, "malformed SCRAM message"},
		"other binding":                 {mechScramPlus, "p=tls-unique,,n=,r=abc", Scram, StateProtocolViolation, "unsupported SCRAM channel-binding type"},
		"plain where PLUS is demanded":  {mechScram, "n,,n=,r=abc", ScramPlus, StateInvalidAuthorization, "connection requires channel binding (SCRAM-SHA-256-PLUS)"},
		"unknown mechanism":             {"PLAIN", "x", Scram, StateProtocolViolation, "client selected an invalid SASL authentication mechanism"},
		"acting for another":            {mechScram, "n,a=bob,n=,r=abc", Scram, StateProtocolViolation, "malformed SCRAM message"},
		"extension that must be known":  {mechScram, "n,,m=x,n=,r=abc", Scram, StateProtocolViolation, "malformed SCRAM message"},
		"nonce with a comma or a space": {mechScram, "n,,n=,r=a b", Scram, StateProtocolViolation, "malformed SCRAM message"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := byHand(t, c.method, true, AppendSASLInitial(nil, c.mechanism, []byte(c.first)))
			refused, ok := errors.AsType[*Error](err)
			if !ok || refused.SQLState != c.state || refused.Message != c.message {
				t.Errorf("error %v, want %s %s", err, c.state, c.message)
			}
		})
	}
}

// A token in the place of a clear password is asked of the house, whatever the
// account's own passwords are; one that is not valid is no password either, and
// none is handed on.
func TestToken(t *testing.T) {
	t.Parallel()
	right, err := ParseVerifier("ann", "lk_right", SaltKey{})
	if err != nil {
		t.Fatal(err)
	}
	spent, err := ParseVerifier("ann", "lk_spent", SaltKey{})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []Method{Password, Passthrough} {
		d := &door{
			auth: New(SaltKey{}), method: m, certs: proxytest.Certs(t),
			accounts: map[string]*Account{"ann": {Login: "ann", Verifiers: []Verifier{right, spent}}},
			token: func(_ context.Context, s Secret) (token, proven bool) {
				return strings.HasPrefix(s.Reveal(), "lk_"), s.Reveal() == "lk_right"
			},
		}
		server, client := d.pgx(t, "ann", "lk_right", d.certs.ClientTLS(false))
		if client != nil || server.err != nil || server.result.Mechanism != "token" || !server.result.Password.IsZero() {
			t.Errorf("%s: client %v, server %v, %+v", m, client, server.err, server.result)
		}
		server, client = d.pgx(t, "nobody", "lk_right", d.certs.ClientTLS(false))
		if client != nil || server.result.Mechanism != "token" {
			t.Errorf("%s: an account of tokens only: client %v, server %v", m, client, server.err)
		}
		server, client = d.pgx(t, "ann", "lk_spent", d.certs.ClientTLS(false))
		refusedBoth(t, client, server)
	}
}
