package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/lockkeeper/lockkeeper"

// wall says what one package may import. Third parties and the standard
// library are judged by direct imports (fmt alone pulls in os), our own
// packages by transitive ones.
type wall struct {
	pkg   string   // below the module; "…/*" holds for all packages below
	ours  []string // ours it may reach; "*" ends a prefix
	third []string // prefixes of third parties it may import; nil: none
	never []string // standard packages it must not import
	why   string
}

// walls are the law of the house, in the order in which a value travels
// through it. A package without a line fails the test; a line whose package
// does not exist yet waits.
var walls = []wall{
	{pkg: "policy", never: []string{"net", "net/http", "os", "log/slog", "context"}, why: "decisions are pure: same input, same answer"},
	{pkg: "policy/sqllex", never: []string{"net", "os", "context"}, why: "the pure lexer of both dialects"},
	{pkg: "policy/config", ours: []string{"policy"}, third: []string{"go.yaml.in/yaml/v3"}, never: []string{"os", "net"}, why: "text in, Ruleset out; reads no files"},
	{pkg: "policy/policytest", ours: []string{"policy", "policy/config", "policy/sqllex", "policy/sqlparse"}, third: []string{"github.com/google/go-cmp"}, why: "decisions as golden text"},
	{pkg: "policy/sqlparse", ours: []string{"policy", "policy/sqllex"}, third: []string{"github.com/pganalyze/pg_query_go/v5", "github.com/hashicorp/golang-lru/v2", "google.golang.org/protobuf"}, why: "the only cgo in the house"},
	{pkg: "audit", why: "an event must outlive the code that made it"},
	{pkg: "audit/audittest", ours: []string{"audit"}, third: []string{"github.com/google/go-cmp"}, why: "what every sink must hold"},
	{pkg: "audit/*", ours: []string{"audit"}, third: []string{"golang.org/x/sys", "github.com/oklog/ulid/v2"}, why: "a sink knows the event and its own driver"},
	{pkg: "proxy/pgwire", third: []string{"github.com/jackc/pgproto3/v2"}, why: "one place knows tags, codes, lengths"},
	{pkg: "proxy/pgstate", ours: []string{"proxy/pgwire"}, never: []string{"net", "context", "os"}, why: "the session's state machine is a value"},
	{pkg: "proxy/pgauth", ours: []string{"proxy/pgwire", "policy"}, third: []string{"golang.org/x/crypto", "golang.org/x/text"}, why: "one SCRAM for both sides"},
	{pkg: "proxy/backend", ours: []string{"proxy/pgwire", "proxy/pgauth", "policy"}, third: []string{"golang.org/x/crypto", "golang.org/x/text", "golang.org/x/sys"}, why: "the warehouse's side of the wire"},
	{pkg: "proxy/directory", ours: []string{"proxy/pgwire", "proxy/pgauth", "policy"}, third: []string{"github.com/jackc/pgx/v5"}, why: "a login of our own"},
	{pkg: "proxy/lockwatch", ours: []string{"proxy/pgwire", "proxy/pgauth", "policy"}, third: []string{"github.com/jackc/pgx/v5"}, why: "a login of our own"},
	{pkg: "proxy/catalog", ours: []string{"proxy/pgwire", "proxy/pgauth", "policy"}, third: []string{"github.com/jackc/pgx/v5"}, why: "a login of our own"},
	{
		pkg: "proxy", ours: []string{"policy", "audit", "proxy/pgwire", "proxy/pgstate", "proxy/pgauth", "proxy/backend"},
		third: []string{"github.com/prometheus/client_golang", "golang.org/x/sys"}, why: "the parser comes in through a port: no cgo in the door",
	},
	{pkg: "proxy/proxytest", ours: []string{"proxy/*", "policy"}, third: []string{"*"}, why: "the ground that tests stand on"},
	{pkg: "proxy/proxytest/*", ours: []string{"proxy/*", "policy", "policy/*", "audit", "audit/*", "proxy"}, third: []string{"*"}, why: "drives the door from outside"},
	{pkg: "admin", ours: []string{"policy", "policy/config", "audit", "admin/secret"}, never: []string{"net/http", "database/sql", "os"}, why: "people, rights, errors: the office's kernel speaks no HTTP and no SQL"},
	{pkg: "admin/secret", never: []string{"net", "net/http"}, why: "sealing needs the standard library only"},
	{pkg: "admin/secret/secrettest", ours: []string{"admin/secret"}, why: "what every vault must hold"},
	{pkg: "admin/blob", never: []string{"net", "net/http"}, why: "the port of large bytes"},
	{pkg: "admin/blob/blobtest", ours: []string{"admin/blob"}, third: []string{"github.com/google/go-cmp"}, why: "what every place for blobs must hold"},
	{pkg: "admin/blob/dir", ours: []string{"admin/blob"}, why: "a folder needs no driver"},
	{pkg: "admin/blob/s3", ours: []string{"admin/blob", "admin/secret"}, third: []string{"github.com/minio/minio-go/v7"}, why: "the only place of the S3 SDK"},
	{pkg: "admin/lease", never: []string{"net", "net/http"}, why: "a lock and a clock"},
	{pkg: "admin/lease/leasetest", ours: []string{"admin/lease"}, why: "what every lease must hold"},
	{pkg: "admin/notify", never: []string{"net", "net/http", "os"}, why: "in-process only"},
	{pkg: "admin/notify/notifytest", ours: []string{"admin/notify"}, third: []string{"github.com/google/go-cmp"}, why: "what every hub must hold"},
	{
		pkg: "admin/signin", ours: []string{"admin/secret"}, third: []string{"github.com/coreos/go-oidc/v3", "github.com/go-jose/go-jose/v4", "golang.org/x/oauth2", "golang.org/x/crypto", "golang.org/x/text", "github.com/hashicorp/golang-lru/v2"},
		never: []string{"os"}, why: "how people prove who they are; it knows no people",
	},
	{pkg: "admin/signin/signintest", why: "drives a provider from outside; package signin tests itself with it"},
	{pkg: "admin/result/pgtext", never: []string{"net", "os", "context"}, why: "what a cell means is a pure question"},
	{pkg: "admin/result", ours: []string{"admin/result/pgtext"}, third: []string{"github.com/klauspost/compress"}, never: []string{"net", "net/http", "os"}, why: "rows in, rows out; keys and places come through ports"},
	{pkg: "admin/result/format", ours: []string{"admin/result", "admin/result/pgtext"}, third: []string{"github.com/parquet-go/parquet-go"}, never: []string{"net", "net/http", "os"}, why: "renders what is stored, asks nobody"},
	{pkg: "admin/result/transform", ours: []string{"admin/result", "admin/result/pgtext"}, never: []string{"net", "net/http", "os"}, why: "computes over what is stored, never runs SQL"},
	{pkg: "admin/result/resulttest", ours: []string{"admin/result", "admin/result/pgtext"}, why: "stored results for tests"},
	{pkg: "admin/backup", ours: []string{"admin/blob", "admin/secret"}, third: []string{"github.com/klauspost/compress"}, never: []string{"net/http", "database/sql", "os"}, why: "store and blobs into one file and back; the store is a port"},
	{
		pkg: "admin/query", ours: []string{"admin", "admin/secret", "admin/blob", "admin/lease", "admin/notify", "admin/result", "admin/result/*", "audit", "policy", "policy/config", "policy/sqllex"},
		never: []string{"net/http", "database/sql", "os"}, why: "runs and saved queries; store, door and parser are ports",
	},
	{pkg: "admin/door", ours: []string{"policy"}, third: []string{"github.com/jackc/pgx/v5", "github.com/jackc/pgproto3/v2"}, never: []string{"net/http"}, why: "the office as a client of the door"},
	{
		pkg: "admin/store/*", ours: []string{"admin", "admin/*", "admin/store/*", "audit", "policy", "policy/config", "policy/sqllex"},
		third: []string{"modernc.org/sqlite", "github.com/jackc/pgx/v5", "github.com/pressly/goose/v3", "github.com/google/go-cmp"}, never: []string{"net/http"}, why: "meets the store ports",
	},
	{
		pkg: "admin/api", ours: []string{"admin", "admin/query", "admin/signin", "admin/secret", "admin/blob", "admin/notify", "admin/lease", "admin/result", "admin/result/*", "audit", "policy", "policy/config", "policy/sqllex"},
		third: []string{"github.com/danielgtaylor/huma/v2"}, never: []string{"database/sql", "os"}, why: "HTTP in front of the use cases, and nothing else",
	},
	{pkg: "admin/ui", never: []string{"net", "net/http", "os"}, why: "the page's files; it talks to the API only, from the browser"},
	{pkg: "bench", ours: []string{"proxy/proxytest", "proxy/pgwire", "proxy/pgauth", "policy"}, third: []string{"github.com/jackc/pgx/v5", "golang.org/x/sys", "*"}, why: "we are measured from outside, like a peer"},
	{pkg: "cmd/lockkeeper", ours: []string{"*"}, third: []string{"*"}, why: "joins the parts"},
}

// reachedOnlyBy names packages that few may lead to.
var reachedOnlyBy = map[string][]string{
	"policy/sqlparse":         {"policy/policytest", "cmd/lockkeeper", "proxy/proxytest/*"},
	"proxy/proxytest":         {"proxy/proxytest/*", "bench"},
	"admin/result/resulttest": {},
	"admin/blob/s3":           {"cmd/lockkeeper"}, // the SDK comes in where it is configured
	"cmd/lockkeeper":          {},
}

// listed is what go list tells of a package.
type listed struct {
	ImportPath, Doc string
	Imports, Deps   []string
	CgoFiles        []string
	GoFiles         []string
}

func (l listed) name() string { return strings.TrimPrefix(l.ImportPath, module+"/") }

func TestArch(t *testing.T) {
	t.Parallel()
	all := packages(t)
	testWalls(t, all)
	testOneCgo(t, all)
	testDocs(t, all)
}

// testWalls: each import is allowed by its package's line.
func testWalls(t *testing.T, all []listed) {
	t.Helper()
	for _, pkg := range all {
		w, found := wallOf(pkg.name())
		if !found {
			t.Errorf("%s has no line among the walls: say what it may import", pkg.name())
			continue
		}
		for _, breach := range w.breaches(pkg) {
			t.Error(breach)
		}
	}
}

// testOneCgo: the SQL grammar is the only C, and policy/sqlparse the only place of it.
func testOneCgo(t *testing.T, all []listed) {
	t.Helper()
	for _, pkg := range all {
		if len(pkg.CgoFiles) > 0 {
			t.Errorf("%s uses cgo itself: %v", pkg.name(), pkg.CgoFiles)
		}
		for _, dep := range pkg.Imports {
			if strings.HasPrefix(dep, "github.com/pganalyze/") && pkg.name() != "policy/sqlparse" {
				t.Errorf("%s imports %s; only policy/sqlparse may", pkg.name(), dep)
			}
		}
	}
}

// testDocs: every package tells its story.
func testDocs(t *testing.T, all []listed) {
	t.Helper()
	for _, pkg := range all {
		if pkg.Doc == "" && len(pkg.GoFiles) > 0 {
			t.Errorf("%s has no package doc", pkg.name())
		}
	}
}

// The walls bite: each line refuses an import planted behind it.
func TestArchBites(t *testing.T) {
	t.Parallel()
	for _, w := range walls {
		name := strings.ReplaceAll(w.pkg, "*", "probe")
		for _, probe := range w.probes() {
			pkg := listed{ImportPath: module + "/" + name, Imports: []string{probe}, Deps: []string{probe}}
			if len(w.breaches(pkg)) == 0 {
				t.Errorf("%s may import %s", w.pkg, probe)
			}
		}
	}
}

// probes are imports that the wall must refuse.
func (w wall) probes() []string {
	if w.pkg == "cmd/lockkeeper" {
		return nil
	}
	probes := append([]string{module + "/cmd/lockkeeper"}, w.never...)
	if !slices.Contains(w.third, "*") {
		probes = append(probes, "github.com/stretchr/testify/assert")
	}
	if !matches(w.ours, "policy/sqlparse") {
		probes = append(probes, module+"/policy/sqlparse")
	}
	return probes
}

func (w wall) breaches(pkg listed) []string {
	var out []string
	breach := func(dep string) {
		out = append(out, fmt.Sprintf("%s must not lead to %s: %s", pkg.name(), dep, w.why))
	}
	for _, dep := range pkg.Deps {
		ours, found := strings.CutPrefix(dep, module+"/")
		if !found {
			continue
		}
		few, guarded := reachedOnlyBy[ours]
		if !matches(w.ours, ours) || guarded && !matches(few, pkg.name()) {
			breach(ours)
		}
	}
	for _, dep := range pkg.Imports {
		switch {
		case strings.HasPrefix(dep, module):
		case !strings.Contains(strings.Split(dep, "/")[0], "."):
			if slices.Contains(w.never, dep) {
				breach(dep)
			}
		case !matches(w.third, dep) && !slices.ContainsFunc(w.third, func(p string) bool { return strings.HasPrefix(dep, p+"/") }):
			breach(dep)
		}
	}
	return out
}

// matches tells whether a name is listed; "*" at the end of an entry is any rest.
func matches(list []string, name string) bool {
	return slices.ContainsFunc(list, func(entry string) bool {
		if prefix, found := strings.CutSuffix(entry, "*"); found {
			return strings.HasPrefix(name, prefix)
		}
		return entry == name
	})
}

// wallOf returns the line of a package: its own, else the one of its parent.
func wallOf(name string) (wall, bool) {
	for _, exact := range []bool{true, false} {
		for _, w := range walls {
			if w.pkg == name || !exact && strings.HasSuffix(w.pkg, "*") && matches([]string{w.pkg}, name) {
				return w, true
			}
		}
	}
	return wall{}, false
}

func packages(t *testing.T) []listed {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Doc,Imports,Deps,CgoFiles,GoFiles", module+"/...")
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []listed
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var pkg listed
		err := dec.Decode(&pkg)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, pkg)
	}
}
