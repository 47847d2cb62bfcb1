package pgauth

import (
	"net/netip"
	"strings"
	"testing"
)

func from(t *testing.T, words ...string) From {
	t.Helper()
	f, err := ParseFrom(words)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFirstMatchDecides(t *testing.T) {
	t.Parallel()
	rules := Rules{
		{From: from(t, "unix"), Users: []string{"postgres"}, Method: Trust},
		{From: from(t, "10.1.0.0/16", "fd00::/8"), TLS: TLSRequire, Databases: []string{"dwh*"}, Method: Scram},
		{From: from(t, "10.1.2.3"), Users: []string{"svc_*_ro"}, Method: MD5},
		{From: from(t, "loopback"), TLS: TLSPlain, Method: Password},
		{TLS: TLSRequire, Users: []string{"ann", "b*b"}, Method: Cert},
	}
	tcp := func(addr string, tls bool) Peer { return Peer{Addr: netip.MustParseAddr(addr), TLS: tls} }
	for _, c := range []struct {
		peer     Peer
		db, user string
		want     Method // empty: refused
	}{
		{Peer{Unix: true}, "x", "postgres", Trust},
		{Peer{Unix: true}, "x", "ann", ""},
		{tcp("127.0.0.1", false), "x", "postgres", Password},
		{tcp("::1", false), "x", "ann", Password},
		{tcp("::ffff:127.0.0.1", false), "x", "ann", Password},
		{tcp("127.0.0.1", true), "x", "ann", Cert},
		{tcp("10.1.2.3", true), "dwh_eu", "svc_x_ro", Scram},
		{tcp("::ffff:10.1.2.3", true), "dwh", "svc_x_ro", Scram},
		{tcp("fd00::1%eth0", true), "dwh", "zoe", Scram},
		{tcp("10.1.2.3", false), "dwh", "svc_x_ro", MD5},
		{tcp("10.1.2.3", true), "other", "svc_x_ro", MD5},
		{tcp("10.1.2.3", true), "other", "svc_ro", ""},
		{tcp("10.2.2.3", true), "dwh", "bob", Cert},
		{tcp("10.2.2.3", true), "dwh", "bb", Cert},
		{tcp("10.2.2.3", true), "dwh", "bo", ""},
		{tcp("10.2.2.3", false), "dwh", "bob", ""},
	} {
		got := Method("")
		if r := rules.Match(c.peer, c.db, c.user); r != nil {
			got = r.Method
		}
		if got != c.want {
			t.Errorf("%+v, database %s, user %s: %q, want %q", c.peer, c.db, c.user, got, c.want)
		}
	}
}

func TestParseFromRefuses(t *testing.T) {
	t.Parallel()
	for _, words := range [][]string{{"any", "unix"}, {"localhost"}, {"10.0.0.1/8"}, {""}} {
		if f, err := ParseFrom(words); err == nil {
			t.Errorf("%q became %+v", words, f)
		}
	}
}

func TestValidateRules(t *testing.T) {
	t.Parallel()
	inside := []Listener{{Unix: true}, {Addr: netip.MustParseAddr("127.0.0.1")}, {Addr: netip.MustParseAddr("::1")}}
	outside := append([]Listener{{Addr: netip.MustParseAddr("0.0.0.0")}}, inside...)
	nowhere := []Listener{{}} // a name, or all addresses
	for name, c := range map[string]struct {
		rule      Rule
		listeners []Listener
		insecure  bool
		want      string // in the error; empty: none
	}{
		"trust inside":                     {Rule{Method: Trust}, inside, false, ""},
		"trust outside":                    {Rule{Method: Trust}, outside, false, "trust lets anybody in"},
		"trust on all addresses":           {Rule{Method: Trust}, nowhere, false, "trust lets anybody in"},
		"trust outside, said so":           {Rule{Method: Trust}, outside, true, ""},
		"trust outside for loopback":       {Rule{Method: Trust, From: from(t, "loopback", "unix")}, outside, false, ""},
		"trust outside for 127/8":          {Rule{Method: Trust, From: from(t, "127.0.0.0/8", "::1")}, outside, false, ""},
		"trust outside for a network":      {Rule{Method: Trust, From: from(t, "unix", "10.0.0.0/8")}, outside, false, "trust lets anybody in"},
		"trust outside for all of IPv4":    {Rule{Method: Trust, From: from(t, "0.0.0.0/0")}, outside, false, "trust lets anybody in"},
		"password in the clear":            {Rule{Method: Password, TLS: TLSPlain}, inside, false, "sends the password as it is"},
		"passthrough in the clear, inside": {Rule{Method: Passthrough, TLS: TLSPlain, From: from(t, "loopback")}, inside, false, ""},
		"cert without TLS":                 {Rule{Method: Cert, TLS: TLSPlain}, inside, false, "cert needs TLS"},
		"scram-plus without TLS":           {Rule{Method: ScramPlus, TLS: TLSPlain}, inside, false, "scram-plus needs TLS"},
		"map without cert":                 {Rule{Method: Scram, CertMap: CertMap{{"cn", "a", "b"}}}, inside, false, "has no use"},
		"map of an unknown field":          {Rule{Method: Cert, CertMap: CertMap{{"ou", "a", "b"}}}, inside, false, "unknown field"},
		"map with a star from nowhere":     {Rule{Method: Cert, CertMap: CertMap{{"cn", "a", "*"}}}, inside, false, "match has none"},
		"map line without a user":          {Rule{Method: Cert, CertMap: CertMap{{"cn", "a", ""}}}, inside, false, "needed"},
		"unknown method":                   {Rule{Method: "ident"}, inside, false, `unknown authentication method "ident"`},
		"unknown tls":                      {Rule{Method: Scram, TLS: "yes"}, inside, false, `unknown tls need "yes"`},
		"scram":                            {Rule{Method: Scram}, outside, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := Rules{{Method: Scram}, c.rule}.Validate(c.listeners, c.insecure)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "rule 2")) {
				t.Errorf("error %v, want %q of rule 2", err, c.want)
			}
		})
	}
}

func TestGlob(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, s, star string
		ok               bool
	}{
		{"a", "a", "", true},
		{"a", "ab", "", false},
		{"", "", "", true},
		{"*", "", "", true},
		{"*", "x", "x", true},
		{"a*c", "abc", "b", true},
		{"a*c", "ac", "", true},
		{"a*c", "abcd", "", false},
		{"*@x.org", "ann@x.org", "ann", true},
		{"a*b*c", "axbybzc", "x", true},
		{"a*b*c", "acb", "", false},
		{"**", "ab", "", true},
		{"ab*ba", "aba", "", false},
		{"*a*a", "a", "", false},
		{"*a*a", "aa", "", true},
	} {
		star, ok := glob(c.pattern, c.s)
		if ok != c.ok || ok && star != c.star {
			t.Errorf("glob(%q, %q) = %q, %v, want %q, %v", c.pattern, c.s, star, ok, c.star, c.ok)
		}
	}
}
