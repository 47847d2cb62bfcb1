package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// reader walks the YAML tree and collects what is wrong with it.
type reader struct {
	file   string
	errs   []*Error
	places map[string]*yaml.Node // where the parts of the Source stand
}

// fields are the keys of a mapping and how each is read.
type fields map[string]func(*yaml.Node)

func (r *reader) fail(n *yaml.Node, hint, format string, args ...any) {
	if len(r.errs) < maxErrors {
		r.errs = append(r.errs, &Error{File: r.file, Line: n.Line, Text: fmt.Sprintf(format, args...), Hint: hint})
	}
}

func (r *reader) joined() error {
	slices.SortStableFunc(r.errs, func(a, b *Error) int { return a.Line - b.Line })
	list := make([]error, len(r.errs))
	for i, e := range r.errs {
		list[i] = e
	}
	return errors.Join(list...)
}

// mapping reads a mapping strictly. Later are the keys of the language that
// are not enforced yet.
func (r *reader) mapping(n *yaml.Node, where string, f fields, later ...string) {
	r.pairs(n, where, func(key string, value *yaml.Node) {
		if read := f[key]; read != nil {
			read(value)
			return
		}
		path := join(where, key)
		if slices.Contains(later, key) {
			r.notYet(value, path)
			return
		}
		known := slices.Sorted(maps.Keys(f))
		r.fail(value, suggest(key, append(known, later...), known), "%s is not known", path)
	})
}

// notYet refuses what the language has and this version does not do.
func (r *reader) notYet(n *yaml.Node, path string) {
	r.fail(n, "take it out: what stands in a policy must be done", "%s is not enforced yet", path)
}

func join(where, key string) string {
	if where == "" {
		return key
	}
	return where + "." + key
}

// pairs calls f for each key of a mapping; an empty value is an empty mapping.
func (r *reader) pairs(n *yaml.Node, where string, f func(key string, value *yaml.Node)) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		r.fail(n, "", "%s must hold keys, not %s", orFile(where), kindOf(n))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind != yaml.ScalarNode || k.Tag == "!!merge" {
			r.fail(k, "write the keys out", "%s: anchors, aliases and merged keys are not read", orFile(where))
			continue
		}
		if seen[k.Value] {
			r.fail(k, "", "%s stands twice", join(where, k.Value))
			continue
		}
		seen[k.Value] = true
		if v.Kind == yaml.AliasNode {
			r.fail(v, "write the value out", "%s: aliases are not read", join(where, k.Value))
			continue
		}
		if v.Line == 0 || isNull(v) {
			v.Line = k.Line
		}
		f(k.Value, v)
	}
}

func orFile(where string) string {
	if where == "" {
		return "the file"
	}
	return where
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func kindOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	case yaml.ScalarNode:
		if isNull(n) {
			return "nothing"
		}
		return strconv.Quote(short(n.Value))
	case yaml.DocumentNode:
	}
	return "a document"
}

func short(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}

// list reads a list of nodes; an empty value is an empty list.
func (r *reader) list(n *yaml.Node, where string) []*yaml.Node {
	if isNull(n) {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		r.fail(n, "write - before each entry, or [a, b]", "%s must be a list, not %s", where, kindOf(n))
		return nil
	}
	return n.Content
}

// text reads a string. Numbers and booleans are taken as they are written.
func (r *reader) text(n *yaml.Node, where string) (string, bool) {
	if n.Kind != yaml.ScalarNode || isNull(n) {
		r.fail(n, "", "%s must be a text, not %s", where, kindOf(n))
		return "", false
	}
	if strings.TrimSpace(n.Value) == "" {
		r.fail(n, "", "%s is empty", where)
		return "", false
	}
	if len(n.Value) > maxText {
		r.fail(n, "", "%s is longer than %d bytes", where, maxText)
		return "", false
	}
	if strings.ContainsRune(n.Value, 0) {
		r.fail(n, "", "%s holds a zero byte", where)
		return "", false
	}
	return n.Value, true
}

// texts reads one string or a list of them.
func (r *reader) texts(n *yaml.Node, where string) []string {
	if n.Kind != yaml.SequenceNode {
		if s, ok := r.text(n, where); ok {
			return []string{s}
		}
		return nil
	}
	if len(n.Content) == 0 {
		r.fail(n, "leave the key out to match everything", "%s is an empty list, which matches nothing", where)
	}
	if len(n.Content) > maxList {
		r.fail(n, "", "%s has %d values; at most %d", where, len(n.Content), maxList)
		return nil
	}
	var out []string
	for _, item := range n.Content {
		if s, ok := r.text(item, where); ok {
			out = append(out, s)
		}
	}
	return out
}

// word reads one of a few words.
func (r *reader) word(n *yaml.Node, where string, allowed ...string) (string, bool) {
	s, ok := r.text(n, where)
	if !ok {
		return "", false
	}
	if !slices.Contains(allowed, s) {
		r.fail(n, suggest(s, allowed, allowed), "%s: %q is not known", where, short(s))
		return "", false
	}
	return s, true
}

func (r *reader) boolean(n *yaml.Node, where string) (value, ok bool) {
	if n.Kind == yaml.ScalarNode && n.Tag == "!!bool" {
		return strings.EqualFold(n.Value, "true"), true
	}
	r.fail(n, "", "%s must be true or false, not %s", where, kindOf(n))
	return false, false
}

// integer reads a whole number; 5e6 and 5_000_000 are numbers too.
func (r *reader) integer(n *yaml.Node, where string) (int64, bool) {
	s := strings.ReplaceAll(n.Value, "_", "")
	if n.Kind == yaml.ScalarNode {
		if i, err := strconv.ParseInt(s, 10, 64); err == nil {
			return i, true
		}
		if f, err := strconv.ParseFloat(s, 64); err == nil && f == float64(int64(f)) && f > -1e15 && f < 1e15 {
			return int64(f), true
		}
	}
	r.fail(n, "", "%s must be a whole number, not %s", where, kindOf(n))
	return 0, false
}

// count reads a whole number of at least least.
func (r *reader) count(n *yaml.Node, where string, least int64) (int64, bool) {
	i, ok := r.integer(n, where)
	if ok && i < least {
		r.fail(n, "", "%s must be at least %d", where, least)
		return 0, false
	}
	return i, ok
}

// suggest names the known word nearest to a wrong one, or all of them.
func suggest(wrong string, near, all []string) string {
	best, distance := "", len(wrong)/3+2
	for _, k := range near {
		if d := editDistance(strings.ToLower(wrong), k); d < distance {
			best, distance = k, d
		}
	}
	if best != "" {
		return "did you mean " + best + "?"
	}
	return "known: " + strings.Join(all, ", ")
}

// editDistance counts the letters to change, add or drop, and neighbours to
// swap.
func editDistance(a, b string) int {
	if len(a) > 64 || len(b) > 64 {
		return 64
	}
	prev2, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], prev2[j-2]+1)
			}
		}
		prev2, prev, row = prev, row, prev2
	}
	return prev[len(b)]
}
