package api_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
)

// TestNoRequestBreaksIt sends each operation a request that is right, and many
// that a generator makes from the document: right, nearly right and wrong. None
// may be our fault.
func TestNoRequestBreaksIt(t *testing.T) {
	t.Parallel()
	provider := newProvider(t)
	h := newHouse(t, provider.use)
	h.root.call("POST", "/teams", map[string]any{"name": "data"}).want(201)
	h.root.call("PUT", "/me/password", map[string]any{"new": rootPassword}).want(204)
	h.person("ana", "member", "data")
	all := h.root.program(allScopes()...)
	seeds := examples(h)
	w := &things{h: h, owner: all}
	g := &generator{Rand: rand.New(rand.NewPCG(7, 11)), doc: read(t, h.api.OpenAPI())}
	fine := map[string]int{}
	ops := g.doc.operations()
	for _, op := range ops {
		b := all
		if op.ID == "set-password" { // only the page changes it
			b, seeds[op.ID] = h.root, example{body: map[string]any{"current": rootPassword, "new": rootPassword}}
		}
		x, path := seeds[op.ID], w.path(op)
		if op.ID == "remove-member" {
			all.call("PUT", path, nil).want(204)
		}
		headers := []header{x.headers}
		if op.ID == "sign-in-oidc-callback" {
			path, headers = provider.come(h, "/q")
		}
		a := b.call(op.method, path+x.query, x.body, headers...)
		if a.res.StatusCode >= 400 {
			t.Errorf("%s with its example: %d %s", op.ID, a.res.StatusCode, a.body)
		}
		fine[op.ID]++
	}
	sent := 0
	for _, op := range ops {
		for range 15 {
			method, path, body, hs := g.request(op, w, seeds[op.ID])
			a := all.call(method, path, body, hs)
			sent++
			if a.res.StatusCode >= 500 {
				t.Errorf("%s %s %v %v: %d %s", method, path, body, hs, a.res.StatusCode, a.body)
			}
			if a.res.StatusCode >= 400 && a.res.Header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%s %s: %d is no problem: %s", method, path, a.res.StatusCode, a.res.Header.Get("Content-Type"))
			}
		}
	}
	if len(fine) != len(ops) || sent < 900 {
		t.Errorf("%d of %d operations, %d requests", len(fine), len(ops), sent)
	}
	if strings.Contains(h.log.String(), "panic") {
		t.Errorf("something panicked:\n%s", h.log)
	}
}

type generator struct {
	*rand.Rand

	doc  *document
	made map[string]string // one thing of each kind
}

// request makes one for an operation.
func (g *generator) request(op operation, w *things, seed example) (method, path string, body any, hs header) {
	path, hs = op.path, header{}
	query := url.Values{}
	for _, p := range op.Parameters {
		switch p.In {
		case "path":
			path = strings.Replace(path, "{"+p.Name+"}", url.PathEscape(g.segment(op, w, p)), 1)
		case "query":
			if g.IntN(3) == 0 || p.Required && g.IntN(8) > 0 {
				query.Set(p.Name, fmt.Sprint(g.value(p.Schema, 2)))
			}
		case "header":
			if g.IntN(3) == 0 && p.Name != "Prefer" {
				hs[p.Name] = strings.Map(printableOnly, fmt.Sprint(g.value(p.Schema, 2)))
			}
		}
	}
	if g.IntN(20) == 0 {
		query.Set("unknown", "1")
	}
	if op.Body != nil {
		body = g.body(op, seed, hs)
	}
	if op.ID == "events" || op.ID == "run-events" {
		hs["Accept"] = "text/event-stream"
	}
	return op.method, path + "?" + query.Encode(), body, hs
}

func printableOnly(r rune) rune {
	if r < ' ' || r > '~' {
		return 'x'
	}
	return r
}

func (g *generator) segment(op operation, w *things, p parameter) string {
	kind := strings.Split(op.path, "/")[1]
	switch g.IntN(4) {
	case 0:
		return g.text()
	case 1:
		return strings.TrimPrefix(w.absent(operation{path: "/" + kind + "/{id}"}), "/"+kind+"/")
	}
	if p.Name != "id" {
		return map[string]string{"login": "ana", "n": "1", "target": "warehouse", "schema": "public", "table": "fact"}[p.Name]
	}
	if g.made == nil {
		g.made = map[string]string{}
	}
	if g.made[kind] == "" || g.IntN(20) == 0 {
		g.made[kind] = w.make(kind)
	}
	return g.made[kind]
}

func (g *generator) body(op operation, seed example, hs header) any {
	var s *schema
	for media, content := range op.Body.Content {
		if media == "application/json" || s == nil {
			s = content.Schema
			hs["Content-Type"] = media
		}
	}
	switch g.IntN(10) {
	case 0:
		return g.garbage()
	case 1:
		delete(hs, "Content-Type")
		hs["Content-Type"] = g.pick("text/plain", "application/sql", "multipart/form-data; boundary=x", "application/json; charset=utf-8", "")
	case 2, 3:
		if seed.body != nil {
			return g.spoil(seed.body)
		}
	}
	raw, err := json.Marshal(g.value(s, 4))
	if err != nil {
		return "{}"
	}
	return string(raw)
}

func (g *generator) pick(all ...string) string { return all[g.IntN(len(all))] }

func (g *generator) garbage() string {
	return g.pick("", "{", "null", "[]", "[[[[[[", `"x"`, "1e999", `{"sql":`, "{\"a\":\"\xff\"}", `{"sql":"\u0000"}`, strings.Repeat("[", 20000), `{"sql":1}`)
}

// spoil changes one member of a body that is right.
func (g *generator) spoil(body any) any {
	raw, _ := json.Marshal(body) // an example of ours
	var m map[string]any
	if json.Unmarshal(raw, &m) != nil {
		return body
	}
	for name := range m {
		if g.IntN(2) == 0 {
			m[name] = g.any()
		}
	}
	if g.IntN(4) == 0 {
		m[g.text()] = g.any()
	}
	return m
}

func (g *generator) any() any {
	switch g.IntN(8) {
	case 0:
		return nil
	case 1:
		return g.IntN(3) == 0
	case 2:
		return g.Int64() - g.Int64()
	case 3:
		return g.NormFloat64() * 1e20
	case 4:
		return []any{g.text(), nil, 1}
	case 5:
		return map[string]any{g.text(): g.text()}
	default:
		return g.text()
	}
}

func (g *generator) text() string {
	return g.pick("", "a", "select 1", "x' or 1=1 --", "../../etc/passwd", "\x00", "\u202e", "lk_pat_short", "ana", "me", "everyone", "data", "🦀🦀🦀", "%00%2e", "c0:asc", `[{"col":"c0","op":"eq","value":"1"}]`,
		"-1", "1e400", "99999999999999999999", strings.Repeat("long", 300), "runs,me", "2026-01-01T00:00:00Z", "10.0.0.0/8", "runs:read", "csv", `"v1"`, "*", "warehouse")
}

// value makes a value for a schema: mostly one that fits.
func (g *generator) value(s *schema, depth int) any {
	if s == nil || depth == 0 || g.IntN(12) == 0 {
		return g.any()
	}
	if s.Ref != "" {
		return g.value(g.doc.Components.Schemas[s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]], depth)
	}
	if len(s.Enum) > 0 && g.IntN(8) > 0 {
		return s.Enum[g.IntN(len(s.Enum))]
	}
	switch kindOf(s) {
	case "object":
		m := map[string]any{}
		for name, p := range s.Properties {
			if g.IntN(2) == 0 {
				m[name] = g.value(p, depth-1)
			}
		}
		for _, name := range s.Required {
			if g.IntN(10) > 0 {
				m[name] = g.value(s.Properties[name], depth-1)
			}
		}
		return m
	case "array":
		out := []any{}
		for range g.IntN(4) {
			out = append(out, g.value(s.Items, depth-1))
		}
		return out
	case "integer", "number":
		if s.Minimum != nil && g.IntN(6) > 0 {
			return int64(*s.Minimum) + g.Int64N(50)
		}
		return g.Int64N(1000) - 500
	case "boolean":
		return g.IntN(2) == 0
	default:
		return g.text()
	}
}

func kindOf(s *schema) string {
	switch t := s.Type.(type) {
	case string:
		return t
	case []any:
		if len(t) > 0 {
			return fmt.Sprint(t[0])
		}
	}
	return ""
}
