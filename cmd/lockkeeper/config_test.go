package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/proxy/pgauth"
)

// Every key of the struct is described, and every key described is there.
func TestConfigKeysAreDocumented(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	described := map[string]bool{}
	for _, match := range regexp.MustCompile("(?m)^\\| `([a-z0-9_.\\[\\]]+)` \\|").FindAllStringSubmatch(string(doc), -1) {
		described[match[1]] = true
	}
	methods := map[string]bool{"trust": true, "scram": true, "md5": true, "password": true, "cert": true, "passthrough": true}
	keys := configKeys(reflect.TypeFor[Config](), "")
	for key := range keys {
		if !described[key] {
			t.Errorf("docs/configuration.md does not describe %q", key)
		}
	}
	for key := range described {
		if !keys[key] && !methods[key] {
			t.Errorf("docs/configuration.md describes %q, which does not exist", key)
		}
	}
}

func configKeys(of reflect.Type, prefix string) map[string]bool {
	keys := map[string]bool{}
	for field := range of.Fields() {
		key := prefix + yamlName(field)
		keys[key] = true
		inner := field.Type
		if inner.Kind() == reflect.Slice && inner.Elem().Kind() == reflect.Struct {
			inner, key = inner.Elem(), key+"[]"
		}
		if inner.Kind() == reflect.Struct && inner != reflect.TypeFor[conninfo]() {
			for sub := range configKeys(inner, key+".") {
				keys[sub] = true
			}
		}
	}
	return keys
}

// The defaults that the document names are the defaults.
func TestConfigDefaultsAreDocumented(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	var tree map[string]any
	raw, err := yaml.Marshal(defaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(raw, &tree); err != nil {
		t.Fatal(err)
	}
	for _, section := range []string{"audit", "net", "console"} {
		for key, value := range tree[section].(map[string]any) {
			want := ""
			if text, isText := value.(string); isText && text != "0" && text != "0s" {
				want = text
			}
			row := regexp.MustCompile("(?m)^\\| `" + section + "." + key + "` \\| `?([^`|]*)`? \\|").FindStringSubmatch(string(doc))
			if row == nil {
				t.Errorf("no row for %s.%s", section, key)
			} else if want != "" && row[1] != want {
				t.Errorf("%s.%s: the document says %q, the default is %q", section, key, row[1], want)
			}
		}
	}
}

func TestConfigFile(t *testing.T) {
	t.Parallel()
	got := defaultConfig()
	err := decodeConfig([]byte(`
listen: unix:/run/lk
auth:
  rules:
    - {from: [loopback, 10.0.0.0/8], user: ops, method: scram}
    - {method: cert, tls: require, cert_map: [{field: cn, match: "*.svc", user: "*"}]}
users: users.txt
warehouse: {url: "postgres://svc:hush@wh.example/dwh", dialect: redshift}
net: {cancel_grace: 2s, max_statement_bytes: 1MiB}
drain_timeout: 1d
`), &got)
	if err != nil {
		t.Fatal(err)
	}
	want := defaultConfig()
	want.Listen = list{"unix:/run/lk"}
	want.Auth.Rules = []authRule{
		{From: list{"loopback", "10.0.0.0/8"}, User: list{"ops"}, Method: "scram"},
		{Method: "cert", TLS: "require", CertMap: []certMapping{{"cn", "*.svc", "*"}}},
	}
	want.Users.File = "users.txt"
	want.Warehouse.URL = conninfo{User: "svc", Password: pgauth.NewSecret("hush"), Host: "wh.example", Port: "5432", Database: "dwh", Params: map[string]string{}}
	want.Warehouse.Dialect = "redshift"
	want.Net.CancelGrace = duration(2 * time.Second)
	want.Net.MaxStatement = 1 << 20
	want.DrainTimeout = duration(24 * time.Hour)
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmp.Comparer(pgauth.Secret.Equal)); diff != "" {
		t.Error(diff)
	}
}

func TestConfigSaysTheLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"listen: a\nlissten: b":                      `line 2: unknown key "lissten"`,
		"net:\n  max_conn: 1":                        `line 2: unknown key "max_conn"`,
		"auth:\n  rules:\n  - {method: a, x: b}":     `line 3: unknown key "x"`,
		"state: a\npolicy: p\nstate: b":              `line 3: key "state" stands already on line 1`,
		"drain_timeout: 5":                           `line 1: "5" is not a duration, such as 30s, 15m or 1d`,
		"\nnet: {max_held_bytes: 3XB}":               `line 2: "3XB" is not a size, such as 4096, 16MiB or 1GiB`,
		"net: 3":                                     "line 1: expected keys and values",
		"auth: {rules: x}":                           "line 1: expected a list",
		"warehouse: mysql://x/y":                     `line 1: the URL begins with "mysql:", not with postgres://`,
		"warehouse: postgres://x/y?password=hush":    `line 1: unknown parameter "password" in the URL (known: sslmode, sslrootcert, sslcert, sslkey, connect_timeout, host)`,
		"warehouse: postgres://a:hush@b:port/c":      "line 1: not a URL such as postgres://user@host:5432/db?sslmode=verify-full",
		"state: a\n---\nstate: b":                    "more than one YAML document",
		"net: {max_connections: many}":               "line 1: cannot unmarshal !!str `many` into int",
		"console: {users: {a: b}}":                   "line 1: cannot unmarshal !!map into []string",
		"users: {logins: [{as: x}, {as: y, us: z}]}": `line 1: unknown key "us"`,
	} {
		cfg := defaultConfig()
		err := decodeConfig([]byte(text), &cfg)
		if err == nil || err.Error() != want {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
	}
}

// Whatever shows a configuration shows no password.
func TestConfigHidesSecrets(t *testing.T) {
	t.Parallel()
	cfg := defaultConfig()
	if err := decodeConfig([]byte("warehouse: postgres://svc:hush-hush@wh/dwh\noperator: postgres://op:hush-hush@wh/dwh"), &cfg); err != nil {
		t.Fatal(err)
	}
	raw, err := yaml.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	var told strings.Builder
	if err := cfg.describe(&told); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(raw), told.String(), cfg.Warehouse.URL.String()} {
		if strings.Contains(text, "hush") {
			t.Errorf("shows the password: %s", text)
		}
	}
	if !strings.Contains(cfg.Warehouse.URL.DSN(), "hush-hush") {
		t.Error("the DSN lost its password")
	}
}

func TestPasswordFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	t.Setenv("PGPASSFILE", write("pgpass", "wh:5432:dwh:svc:from-passfile\n", 0o600))
	for _, c := range []struct{ url, file, want string }{
		{"postgres://svc@wh/dwh", "", "from-passfile"},
		{"postgres://other@wh/dwh", "", ""},
		{"postgres://svc@wh/dwh", write("pw", "from-file\n", 0o600), "from-file"},
		{"postgres://svc:own@wh/dwh", write("pw", "from-file\n", 0o600), "own"},
	} {
		info, err := parseConninfo(c.url)
		if err != nil {
			t.Fatal(err)
		}
		if err := info.findPassword(c.file); err != nil {
			t.Errorf("%s: %v", c.url, err)
		}
		if got := info.Password.Reveal(); got != c.want {
			t.Errorf("%s: got %q, want %q", c.url, got, c.want)
		}
	}
	if _, err := readSecret(write("open", "x", 0o644)); err == nil {
		t.Error("a password file that others may read was taken")
	}
}

func TestConninfo(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"postgres://u:p@h/d":               "postgres://u@h:5432/d verify-full",
		"postgres://localhost/d":           "postgres://localhost:5432/d prefer",
		"postgres://127.0.0.1:9/d":         "postgres://127.0.0.1:9/d prefer",
		"postgres://[::1]/d":               "postgres://[::1]:5432/d prefer",
		"redshift://u@h/d":                 "postgres://u@h:5439/d verify-full",
		"postgres://u@h/d?sslmode=require": "postgres://u@h:5432/d?sslmode=require require",
		"postgresql://u@/d?host=/run/pg":   "postgres://u@/d?host=%2Frun%2Fpg&port=5432 prefer",
		"postgres://h":                     "postgres://h:5432/ verify-full",
	} {
		info, err := parseConninfo(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if got := info.String() + " " + info.SSLMode(); got != want {
			t.Errorf("%s:\n got %s\nwant %s", raw, got, want)
		}
	}
}

func TestParseListen(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]listenAddress{
		"127.0.0.1:5000":    {"tcp", "127.0.0.1:5000"},
		":5000":             {"tcp", ":5000"},
		"127.0.0.1":         {"tcp", "127.0.0.1:6432"},
		"[::1]":             {"tcp", "[::1]:6432"},
		"unix:/run/lk":      {"unix", "/run/lk/.s.PGSQL.6432"},
		"unix:/run/lk:5433": {"unix", "/run/lk/.s.PGSQL.5433"},
		"unix:run":          {},
		"a b:1":             {},
		"h:port":            {},
	} {
		got, err := parseListen(text)
		if got != want || (err == nil) != (want != listenAddress{}) {
			t.Errorf("%s: got %v, %v; want %v", text, got, err, want)
		}
	}
}
