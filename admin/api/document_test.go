package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/admin/api"
	"github.com/lockkeeper/lockkeeper/admin/query"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// document is what of an OpenAPI document the tests walk.
type document struct {
	Paths      map[string]map[string]operation
	Components struct{ Schemas map[string]*schema }
}

type operation struct {
	ID         string `json:"operationId"`
	Parameters []parameter
	Body       *struct {
		Required bool
		Content  map[string]struct{ Schema *schema }
	} `json:"requestBody"`
	Security  []map[string][]string
	Responses map[string]json.RawMessage

	method, path string
}

type parameter struct {
	Name, In string
	Required bool
	Schema   *schema
}

type schema struct {
	Ref        string `json:"$ref"`
	Type       any
	Properties map[string]*schema
	Required   []string
	Items      *schema
	Enum       []any
	Minimum    *float64
	Maximum    *float64
	MaxLength  *int
	MinLength  *int
	MaxItems   *int
}

func read(t *testing.T, raw []byte) *document {
	t.Helper()
	var d document
	if err := json.Unmarshal(raw, &d); err != nil {
		t.Fatal(err)
	}
	return &d
}

// operations returns all, in a fixed order.
func (d *document) operations() []operation {
	var out []operation
	for path, methods := range d.Paths {
		for method, op := range methods {
			op.method, op.path = strings.ToUpper(method), strings.TrimPrefix(path, "/api/v1")
			out = append(out, op)
		}
	}
	slices.SortFunc(out, func(a, b operation) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// scopes returns those of which a token needs one; none: any token will do.
func (op *operation) scopes() []string {
	for _, s := range op.Security {
		if scopes, ok := s["token"]; ok {
			return scopes
		}
	}
	return nil
}

// TestEveryRouteIsAnOperation: nothing is served that the document does not hold.
func TestEveryRouteIsAnOperation(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	d := read(t, h.api.OpenAPI())
	var documented []string
	for _, op := range d.operations() {
		documented = append(documented, op.method+" /api/v1"+op.path)
	}
	slices.Sort(documented)
	pages := []string{"/api/", "/problems/{code}", "/{path...}"}
	var routed []string
	for _, p := range h.api.Patterns() {
		if !slices.Contains(pages, p) {
			routed = append(routed, p)
		}
	}
	slices.Sort(routed)
	if diff := cmp.Diff(documented, routed); diff != "" {
		t.Errorf("the document (-) and the mux (+) differ:\n%s", diff)
	}
	if len(routed) < 60 {
		t.Errorf("only %d routes", len(routed))
	}
}

// TestDocumentIsGolden: whoever generates types from openapi.json gets those
// that are served.
func TestDocumentIsGolden(t *testing.T) {
	t.Parallel()
	h := newHouse(t, func(c *api.Config) { c.ExternalURL = "https://lockkeeper.example.com" }, deaf)
	got := append(bytes.Clone(h.api.OpenAPI()), '\n')
	if *rewrite {
		if err := os.WriteFile("openapi.json", got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("openapi.json is not what is served; go test ./admin/api -rewrite:\n%s", diff)
	}
}

// TestAnswersAreNeverNullLists: what is a list or a map in the document is one
// in the answer.
func TestAnswersAreNeverNullLists(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	d := read(t, h.api.OpenAPI())
	for _, name := range []string{"Run", "Saved", "Me", "Explanation", "Runs"} {
		s := d.Components.Schemas[name]
		if s == nil {
			t.Errorf("no schema %s", name)
			continue
		}
		for property, p := range s.Properties {
			if types, ok := p.Type.([]any); ok && slices.Contains(types, any("array")) {
				t.Errorf("%s.%s may be null, says the document", name, property)
			}
		}
	}
	for _, path := range []string{"/runs", "/queries", "/targets", "/people", "/tokens", "/services"} {
		if items, ok := h.root.call("GET", path, nil).want(200).object()["items"].([]any); !ok || items == nil {
			t.Errorf("%s: items is no list", path)
		}
	}
}

// Each code that the office's packages refuse with has a page that explains it.
func TestEachProblemHasAPage(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	slugs := regexp.MustCompile(`(?:Errorf\((?:admin\.)?[A-Z]\w+, |Slug: |Slug = )"([a-z-]+)"`)
	seen := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range slugs.FindAllSubmatch(text, -1) {
			seen[string(m[1])] = true
		}
		return err
	})
	if err != nil || !seen["version-not-released"] || !seen["sql-error"] {
		t.Fatalf("codes are %v: %v", slices.Sorted(maps.Keys(seen)), err)
	}
	for slug := range seen {
		if slug != "invalid-request" { // told as bad-request
			h.root.call("GET", "!/problems/"+slug, nil).want(200)
		}
	}
}

// TestBoundsInTheDocument: what the document allows is what the use cases take.
func TestBoundsInTheDocument(t *testing.T) {
	t.Parallel()
	d := read(t, newHouse(t).api.OpenAPI())
	bounds := map[string]int{"params": query.MaxParams, "tags": query.MaxTags, "title": query.MaxTitle, "description": query.MaxDescription}
	seen := map[string]int{}
	for _, name := range []string{"NewQuery", "QueryChange", "DraftWorking", "RunRequest", "RunChange", "SavedRun", "Explain"} {
		for member, p := range d.Components.Schemas[name].Properties {
			got := p.MaxLength
			if p.Items != nil {
				got = p.MaxItems
			}
			want, bounded := bounds[member]
			if !bounded || member == "tags" && p.Items == nil { // a run's are an object
				continue
			}
			seen[member]++
			if got == nil || *got != want {
				t.Errorf("%s.%s: at most %v, the use case takes %d", name, member, got, want)
			}
		}
	}
	if seen["params"] < 6 || seen["tags"] < 2 || seen["title"] < 5 || seen["description"] < 2 {
		t.Errorf("found %v", seen)
	}
}
