// Package config reads a policy from YAML: text in, policy.Ruleset out. It
// reads no files and keeps nothing.
//
// Decoding is strict. A key that is not known, stands twice or has a value of
// the wrong shape is an error with its line, and so is a key of the language
// that this version does not enforce yet: what a policy says is what is done.
// All errors of a file are reported at once, the first of them first.
package config

import (
	"errors"
	"fmt"
	"strings"
	_ "time/tzdata" // a policy means the same on a machine without time zones

	"go.yaml.in/yaml/v3"

	"github.com/lockkeeper/lockkeeper/policy"
)

// Bounds of a policy file.
const (
	MaxBytes  = 1 << 20
	maxErrors = 50
	maxText   = 2000 // of one string, in bytes
	maxList   = 1000 // values of one list
)

// Options are what a policy file does not say by itself.
type Options struct {
	Name string // of the file, for error texts; empty: "policy"
}

// Error is one thing wrong with a policy file.
type Error struct {
	File string
	Line int
	Text string
	Hint string // empty: none
}

// Error is one line: file, line, what is wrong, and the hint in brackets.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text)
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Load reads a policy. The error joins all of the file's *Error.
func Load(data []byte, opts Options) (*policy.Ruleset, error) {
	r := &reader{file: opts.Name, places: map[string]*yaml.Node{}}
	if r.file == "" {
		r.file = "policy"
	}
	root, err := r.parse(data)
	if err != nil {
		return nil, err
	}
	src := r.document(root)
	if len(r.errs) > 0 {
		return nil, r.joined()
	}
	rs, err := policy.Compile(src)
	if err != nil {
		return nil, r.placed(err)
	}
	return rs, nil
}

// parse reads the one YAML document of a file.
func (r *reader) parse(data []byte) (*yaml.Node, error) {
	if len(data) > MaxBytes {
		return nil, &Error{File: r.file, Line: 1, Text: fmt.Sprintf("the file has %d bytes; at most %d", len(data), MaxBytes)}
	}
	dec := yaml.NewDecoder(strings.NewReader(string(data)))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil {
		return nil, r.syntax(err)
	}
	var more yaml.Node
	if err := dec.Decode(&more); err == nil {
		return nil, &Error{File: r.file, Line: more.Line, Text: "a second document begins here", Hint: "one policy a file"}
	}
	if len(doc.Content) != 1 {
		return nil, &Error{File: r.file, Line: 1, Text: "the file is empty", Hint: "the least policy is version: 1"}
	}
	return doc.Content[0], nil
}

// syntax turns an error of the YAML library, which begins with "yaml: line N:",
// into one of ours.
func (r *reader) syntax(err error) error {
	e := &Error{File: r.file, Line: 1, Text: strings.TrimPrefix(err.Error(), "yaml: ")}
	if e.Text == "EOF" {
		e.Text, e.Hint = "the file is empty", "the least policy is version: 1"
	}
	var n int
	if _, scanErr := fmt.Sscanf(e.Text, "line %d:", &n); scanErr == nil {
		_, rest, _ := strings.Cut(e.Text, ": ")
		e.Line, e.Text = n, rest
	}
	return e
}

// placed gives an error of the compiler its line.
func (r *reader) placed(err error) error {
	var s *policy.SourceError
	if !errors.As(err, &s) {
		return fmt.Errorf("%s: %w", r.file, err)
	}
	e := &Error{File: r.file, Line: 1, Text: s.Error()}
	for where := s.Where; where != ""; {
		if n := r.places[where]; n != nil {
			e.Line = n.Line
			break
		}
		i := strings.LastIndexAny(where, ".[")
		if i < 0 {
			break
		}
		where = where[:i]
	}
	return e
}

// document reads the top level.
func (r *reader) document(n *yaml.Node) policy.Source {
	var src policy.Source
	version := false
	r.mapping(n, "", fields{
		"version": func(v *yaml.Node) {
			version = true
			if i, ok := r.integer(v, "version"); ok && i != 1 {
				r.fail(v, "this program reads version 1", "version %d is not known", i)
			}
		},
		"defaults":   func(v *yaml.Node) { r.defaults(v, &src) },
		"identities": func(v *yaml.Node) { r.identities(v, &src.Identities) },
		"classify":   func(v *yaml.Node) { r.classify(v, &src) },
		"classes":    func(v *yaml.Node) { src.Classes = r.classes(v, "classes", 1) },
		"rules":      func(v *yaml.Node) { r.rules(v, &src) },
		"quotas":     func(v *yaml.Node) { r.quotas(v, &src) },
	}, "waivers")
	if !version && n.Kind == yaml.MappingNode {
		r.fail(n, "begin the file with version: 1", "version is missing")
	}
	return src
}

func (r *reader) defaults(n *yaml.Node, src *policy.Source) {
	r.mapping(n, "defaults", fields{
		"mode":  func(v *yaml.Node) { src.Mode = r.mode(v, "defaults.mode") },
		"audit": func(v *yaml.Node) { src.Audit = r.audit(v, "defaults.audit") },
	})
}

func (r *reader) identities(n *yaml.Node, id *policy.Identities) {
	from := func(where string, allowed []string, into *[]string) func(*yaml.Node) {
		return func(v *yaml.Node) {
			r.mapping(v, where, fields{"from": func(f *yaml.Node) {
				for _, item := range r.list(f, where+".from") {
					if s, ok := r.word(item, where+".from", allowed...); ok {
						*into = append(*into, s)
					}
				}
			}})
		}
	}
	r.mapping(n, "identities", fields{
		"team": from("identities.team", []string{policy.FromGroups, policy.FromCertOU, policy.FromRoleMap}, &id.TeamFrom),
		"tool": from("identities.tool", []string{policy.FromCertCN, policy.FromApplication}, &id.ToolFrom),
		"tags": from("identities.tags", []string{policy.FromCommenter, policy.FromComment, policy.FromSession}, &id.TagsFrom),
		"role_map": func(v *yaml.Node) {
			id.RoleMap = map[string]string{}
			r.pairs(v, "identities.role_map", func(key string, value *yaml.Node) {
				if team, ok := r.text(value, "identities.role_map."+key); ok {
					id.RoleMap[key] = team
				}
			})
		},
	})
}

func (r *reader) classify(n *yaml.Node, src *policy.Source) {
	for i, item := range r.list(n, "classify") {
		where := fmt.Sprintf("classify[%d]", i)
		r.places[where] = item
		var line policy.ClassifyLine
		r.mapping(item, where, fields{
			"when":  func(v *yaml.Node) { line.When = r.condition(v, where+".when") },
			"class": func(v *yaml.Node) { line.Class, _ = r.text(v, where+".class") },
		})
		if line.Class == "" && item.Kind == yaml.MappingNode {
			r.fail(item, `such as class: adhoc`, "%s names no class", where)
		}
		src.Classify = append(src.Classify, line)
	}
}

func (r *reader) mode(n *yaml.Node, where string) policy.Mode {
	switch s, _ := r.word(n, where, "enforce", "observe"); s {
	case "observe":
		return policy.ModeObserve
	case "enforce":
		return policy.ModeEnforce
	}
	return policy.ModeInherit
}

func (r *reader) audit(n *yaml.Node, where string) policy.AuditSource {
	var a policy.AuditSource
	r.mapping(n, where, fields{
		"text": func(v *yaml.Node) {
			a.Text = choose(r, v, where+".text", policy.TextNone, policy.TextNormalized, policy.TextFull)
		},
		"params": func(v *yaml.Node) {
			a.Params = choose(r, v, where+".params", policy.ParamsNone, policy.ParamsHashed, policy.ParamsFull)
		},
		"durability": func(v *yaml.Node) {
			if d := choose(r, v, where+".durability", policy.BestEffort, policy.Ordered, policy.Durable); d != nil {
				a.Durability = *d
			}
		},
		"on_failure": func(v *yaml.Node) {
			a.OnFailure = choose(r, v, where+".on_failure", policy.FailOpen, policy.FailClosedForWrites, policy.FailClosed)
		},
	})
	return a
}

// choose reads one of the words that values have.
func choose[T fmt.Stringer](r *reader, n *yaml.Node, where string, values ...T) *T {
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = v.String()
	}
	s, ok := r.word(n, where, words...)
	if !ok {
		return nil
	}
	for i, w := range words {
		if w == s {
			return &values[i]
		}
	}
	return nil
}
