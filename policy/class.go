package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// DefaultClass is the class of what no line of classify names.
const DefaultClass = "default"

// Bounds of a queue in a class that says nothing.
const (
	DefaultQueueMax  = 1000
	DefaultQueueWait = time.Minute
)

// MaxClassDepth bounds the segments of a class's path.
const MaxClassDepth = 8

// maxSegment bounds a segment made from a value, in bytes.
const maxSegment = 128

// templateNames are what ${…} may hold.
var templateNames = []string{"user", "auth_user", "team", "tool", "database", "role", "environment", "via"}

// classDef is a declared class.
type classDef struct {
	src      *ClassSource
	mode     Mode // resolved
	children map[string]*classDef
}

// template is one segment of a class path in classify: text with values in it.
type template struct {
	text  string
	parts []string // literal, name, literal, name, …
}

func parseTemplate(text string) (template, error) {
	t := template{text: text}
	rest := text
	for {
		i := strings.Index(rest, "${")
		if i < 0 {
			t.parts = append(t.parts, rest)
			return t, nil
		}
		j := strings.IndexByte(rest[i:], '}')
		if j < 0 {
			return t, fmt.Errorf("%q has no closing brace", text)
		}
		name := rest[i+2 : i+j]
		if !slices.Contains(templateNames, name) {
			return t, fmt.Errorf("${%s} is not known; known are %s", name, strings.Join(templateNames, ", "))
		}
		t.parts = append(t.parts, rest[:i], name)
		rest = rest[i+j+1:]
	}
}

// parsePath reads a class path with templates.
func parsePath(path string) ([]template, error) {
	if path == "" {
		return nil, errors.New("empty class")
	}
	segments := strings.Split(path, "/")
	if len(segments) > MaxClassDepth {
		return nil, fmt.Errorf("class %q is deeper than %d", path, MaxClassDepth)
	}
	out := make([]template, len(segments))
	for i, s := range segments {
		if s == "" {
			return nil, fmt.Errorf("class %q has an empty segment", path)
		}
		if strings.ContainsAny(s, "*\x00") {
			return nil, fmt.Errorf("class %q: a class has one name, no glob", path)
		}
		t, err := parseTemplate(s)
		if err != nil {
			return nil, fmt.Errorf("class %q: %w", path, err)
		}
		out[i] = t
	}
	return out, nil
}

// segment fills a template. A missing value is none, a slash would open a
// level of its own and becomes an underscore.
func (t *template) segment(id *identity) string {
	if len(t.parts) == 1 {
		return t.text
	}
	var b strings.Builder
	for i, p := range t.parts {
		if i%2 == 0 {
			b.WriteString(p)
			continue
		}
		v := id.value(p)
		b.WriteString(safeSegment(v))
	}
	return b.String()
}

func safeSegment(v string) string {
	if v == "" {
		return "none"
	}
	if len(v) > maxSegment {
		v = v[:maxSegment]
		for len(v) > 0 && !utf8.ValidString(v) {
			v = v[:len(v)-1]
		}
	}
	return strings.Map(func(r rune) rune {
		if r == '/' || r < ' ' || r == 0x7f {
			return '_'
		}
		return r
	}, v)
}

// class is one resolved path: immutable, shared by all connections in it.
type class struct {
	path      string
	folded    string
	templates []template
	segments  []string
	levels    []level // from the root down
	limits    Limits
	release   *ReleasePlan
	gone      ClientGone
	maxWait   time.Duration
	may       []uint64 // rules whose class part holds; nil: no rule asks for a class
	except    []uint64 // rules whose exception is only a class and holds
}

// level is what one class of a path says about concurrency.
type level struct {
	path     string
	hard     int // 0: none
	queueMax int // -1: none
	observe  bool
	observed []string // ready for Decision.Observed
}

// find walks the declared tree: an exact name wins over the template itself.
func (d *classDef) find(segment string, t *template) *classDef {
	if d == nil {
		return nil
	}
	if c := d.children[segment]; c != nil {
		return c
	}
	if t != nil && t.text != segment {
		return d.children[t.text]
	}
	return nil
}

// newClass resolves a path over the declared tree.
func newClass(root *classDef, templates []template, segments []string) *class {
	c := &class{path: strings.Join(segments, "/"), templates: templates, segments: segments, maxWait: -1}
	c.folded = strings.ToLower(c.path)
	plan := &ReleasePlan{MinIdle: -1}
	c.release = plan
	laddered := false
	def := root
	end := 0
	for i, seg := range segments {
		end += len(seg)
		if i > 0 {
			end++
		}
		var t *template
		if i < len(templates) {
			t = &templates[i]
		}
		lv := level{path: c.path[:end], queueMax: -1}
		if i == 0 {
			lv.queueMax = DefaultQueueMax
		}
		if def = def.find(seg, t); def != nil {
			lv.observe = def.mode == ModeObserve
			def.apply(c, &lv)
			laddered = def.applyRelease(plan, laddered)
		}
		lv.observed = []string{`class "` + lv.path + `"`}
		c.levels = append(c.levels, lv)
	}
	if c.maxWait < 0 {
		c.maxWait = DefaultQueueWait
	}
	return c
}

func (d *classDef) apply(c *class, lv *level) {
	s := d.src
	lv.hard = s.Hard
	if s.Queue != nil {
		if s.Queue.Max != nil {
			lv.queueMax = *s.Queue.Max
		}
		if w := s.Queue.MaxWait; w != nil && (c.maxWait < 0 || *w < c.maxWait) {
			c.maxWait = *w
		}
	}
	if s.OnClientGone != nil {
		c.gone = *s.OnClientGone
	}
	if !lv.observe {
		l := s.Limits
		l.name(`class "` + lv.path + `"`)
		c.limits = c.limits.tighter(l)
	}
}

// applyRelease merges a class's release into the plan; it returns whether a
// ladder has been given so far.
func (d *classDef) applyRelease(p *ReleasePlan, laddered bool) bool {
	r := d.src.Release
	if r == nil {
		return laddered
	}
	p.Observe = d.mode == ModeObserve
	if r.Ladder != nil {
		if laddered {
			p.Ladder = intersect(p.Ladder, r.Ladder)
		} else {
			p.Ladder = slices.Clone(r.Ladder)
		}
		laddered = true
	}
	if r.MinIdle != nil && (p.MinIdle < 0 || *r.MinIdle < p.MinIdle) {
		p.MinIdle = *r.MinIdle
	}
	for _, f := range r.For {
		if !slices.Contains(p.For, f) {
			p.For = append(p.For, f)
		}
	}
	if r.MaxIdleTx > 0 && (p.MaxIdleTx == 0 || r.MaxIdleTx < p.MaxIdleTx) {
		p.MaxIdleTx = r.MaxIdleTx
	}
	return laddered
}

func intersect(a, b []ReleaseMode) []ReleaseMode {
	var out []ReleaseMode
	for _, m := range a {
		if slices.Contains(b, m) {
			out = append(out, m)
		}
	}
	return out
}
