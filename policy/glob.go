package policy

import "strings"

// glob is a pattern in which * is any run of characters, also an empty one.
// Everything else stands for itself.
type glob struct {
	text string
	fold bool // text is lower case; so must be what is matched
}

func newGlob(text string, fold bool) glob {
	if fold {
		text = strings.ToLower(text)
	}
	return glob{text: text, fold: fold}
}

func newGlobs(texts []string, fold bool) []glob {
	out := make([]glob, len(texts))
	for i, t := range texts {
		out[i] = newGlob(t, fold)
	}
	return out
}

// match tells whether s, already folded if the glob folds, is meant. It is
// linear in the text for one star and never worse than quadratic.
func (g glob) match(s string) bool {
	p := g.text
	star, mark := -1, 0
	i, j := 0, 0
	for i < len(s) {
		switch {
		case j < len(p) && p[j] == '*':
			star, mark = j, i
			j++
		case j < len(p) && p[j] == s[i]:
			i++
			j++
		case star >= 0:
			mark++
			i, j = mark, star+1
		default:
			return false
		}
	}
	for j < len(p) && p[j] == '*' {
		j++
	}
	return j == len(p)
}

func matchAny(globs []glob, s string) bool {
	for _, g := range globs {
		if g.match(s) {
			return true
		}
	}
	return false
}

// matchClass tells whether a class glob means the class: the path itself or
// one of its ancestors, so that "adhoc" means adhoc/growth/ann too.
func matchClass(globs []glob, path string) bool {
	for _, g := range globs {
		if g.match(path) {
			return true
		}
		for i := len(path) - 1; i > 0; i-- {
			if path[i] == '/' && g.match(path[:i]) {
				return true
			}
		}
	}
	return false
}

// namePattern is a glob over a dotted name, part by part: name, schema.name or
// database.schema.name. A part that is not given means any.
type namePattern struct {
	text               string
	db, schema, name   glob
	hasDB, hasSchema   bool
	anyName, anySchema bool
}

func newNamePattern(text string) namePattern {
	p := namePattern{text: text}
	parts := strings.Split(text, ".")
	if len(parts) > 3 { // a name with dots in it: the last part takes the rest
		parts = []string{parts[0], parts[1], strings.Join(parts[2:], ".")}
	}
	p.name = newGlob(parts[len(parts)-1], false)
	if len(parts) > 1 {
		p.hasSchema, p.schema = true, newGlob(parts[len(parts)-2], false)
	}
	if len(parts) > 2 {
		p.hasDB, p.db = true, newGlob(parts[0], false)
	}
	p.anyName = p.name.text == "*"
	p.anySchema = !p.hasSchema || p.schema.text == "*"
	return p
}

func newNamePatterns(texts []string) []namePattern {
	out := make([]namePattern, len(texts))
	for i, t := range texts {
		out[i] = newNamePattern(t)
	}
	return out
}

// match compares a name whose schema or database may be unknown (empty).
func (p *namePattern) match(db, schema, name string) tri {
	if !p.anyName && !p.name.match(name) {
		return no
	}
	t := yes
	if !p.anySchema {
		switch {
		case schema == "":
			t = unknown
		case !p.schema.match(schema):
			return no
		}
	}
	if p.hasDB && p.db.text != "*" {
		switch {
		case db == "":
			t = unknown
		case !p.db.match(db):
			return no
		}
	}
	return t
}
