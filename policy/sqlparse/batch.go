package sqlparse

import (
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/policy/sqllex"
)

// Bounds of a batch.
const (
	maxStatements = 4096 // more are one statement that nobody could read
	maxListed     = 64   // names in the lists for audit
)

// read makes the facts of a string under one reading of its literals.
func (p *Parser) read(sql string, env Env, mode sqllex.Mode) *policy.Batch {
	b := &policy.Batch{Bytes: len(sql)}
	if strings.IndexByte(sql, 0) >= 0 { // the protocol ends a string there; no client means it
		b.Statements = []policy.Statement{unreadable(sql, mode)}
		return finish(b, sql, mode)
	}
	d := decode(sql, charsetOf(env.Encoding))
	text, skip := d.text, 0
	if beginsWithMark(text, mode.Dialect) {
		text, skip = text[3:], 3
	}
	spans := sqllex.Split(text, mode, maxStatements)
	b.Tags = tags(text, mode)
	unsure := doubtful(text, mode)
	for i, span := range spans {
		r := newReading(text[span.Start:span.End], mode, p.cfg.MaxParseBytes)
		fs := []*facts{lost(mode.Dialect)}
		if i < maxStatements-1 {
			fs = r.statements()
		}
		start, end := d.original(span.Start+skip), d.original(span.End+skip)
		for _, f := range fs {
			s := p.finishStatement(r, f, d.exact)
			if unsure {
				doubt(&s)
			}
			s.Start, s.End = start, end
			b.Statements = append(b.Statements, s)
		}
	}
	return finish(b, text, mode)
}

// lost is a statement of which nothing is known.
func lost(d sqllex.Dialect) *facts {
	f := newFacts(d)
	f.Unknown = policy.UnknownAll
	return f
}

func unreadable(sql string, mode sqllex.Mode) policy.Statement {
	s := lost(mode.Dialect).done()
	s.Fingerprint = "x" + sqllex.Hash(sql, mode)
	masked, _ := sqllex.Mask(nil, sql, mode, sqllex.NoNames, policy.MaxMasked)
	s.Masked = strings.ToValidUTF8(string(masked), "?")
	s.End = len(sql)
	return s
}

// finishStatement adds what every statement has, however it was read.
func (p *Parser) finishStatement(r *reading, f *facts, exact bool) policy.Statement {
	unread := f.Unknown&policy.UnknownVerbs != 0
	secret := f.secret(r.ts, unread)
	if !exact {
		f.forgetStrange()
	}
	s := f.done()
	if s.Fingerprint == "" {
		s.Fingerprint = fingerprint(r.sql, r.mode, false)
	}
	names := sqllex.PlainNames
	if unread || s.Features&policy.FeatSecret != 0 {
		names = sqllex.NoNames
	}
	text, tail := r.sql, ""
	if secret >= 0 && unread {
		text, tail = r.sql[:r.ts.list[secret].End], " ?"
	}
	masked, _ := sqllex.Mask(nil, text, r.mode, names, policy.MaxMasked-len(tail))
	s.Masked = string(masked) + tail
	return s
}

// forgetStrange: names with characters that could not be read are unknown.
func (f *facts) forgetStrange() {
	for _, r := range f.Reads {
		if strange(r.Database, r.Schema, r.Name) {
			f.Unknown |= policy.UnknownReads
		}
	}
	for _, r := range f.Writes {
		if strange(r.Database, r.Schema, r.Name) {
			f.Unknown |= policy.UnknownWrites
		}
	}
	for _, fn := range f.Functions {
		if strange(fn.Schema, fn.Name) {
			f.Unknown |= policy.UnknownFunctions
		}
	}
	if strange(f.Prepared, f.Cursor, f.Setting, f.SettingValue) {
		f.Unknown |= policy.UnknownEffects
	}
}

// anded are the features that a batch has only if all of its statements have them.
const anded = policy.FeatWhere | policy.FeatLimit | policy.FeatCatalogOnly

// finish derives what holds for the whole string.
func finish(b *policy.Batch, sql string, mode sqllex.Mode) *policy.Batch {
	b.Empty = len(b.Statements) == 0
	b.Features = policy.FeatWhere | policy.FeatCatalogOnly
	limit, limited := true, false
	var masked strings.Builder
	for i := range b.Statements {
		s := &b.Statements[i]
		b.Verbs |= s.Verbs
		b.Unknown |= s.Unknown
		b.Features = b.Features&s.Features&anded | (b.Features|s.Features)&^anded
		if s.Kind == policy.KindRead || s.Features&policy.FeatLimit != 0 {
			limited = true
			limit = limit && s.Features&policy.FeatLimit != 0
		}
		for _, r := range s.Reads {
			b.ReadNames = listed(b.ReadNames, r.String())
		}
		for _, r := range s.Writes {
			b.WriteNames = listed(b.WriteNames, r.String())
		}
		for _, f := range s.Functions {
			b.FunctionNames = listed(b.FunctionNames, f.String())
		}
		b.MaskedCut = b.MaskedCut || !join(&masked, s.Masked, i > 0)
	}
	if b.Empty {
		b.Features = 0
	}
	if limit && limited {
		b.Features |= policy.FeatLimit
	}
	b.Masked = masked.String()
	b.VerbNames = b.Verbs.Names()
	switch len(b.Statements) {
	case 0:
	case 1:
		b.Fingerprint = b.Statements[0].Fingerprint
	default:
		b.Fingerprint = "x" + sqllex.Hash(sql, mode)
	}
	return b
}

// listed adds a name to a sorted list, as long as the list is short enough.
func listed(list []string, name string) []string {
	i, found := slices.BinarySearch(list, name)
	if found || len(list) >= maxListed {
		return list
	}
	return slices.Insert(list, i, name)
}

// join appends a statement's masked text and reports whether all of it fit.
func join(b *strings.Builder, s string, more bool) bool {
	if more {
		s = "; " + s
	}
	room := policy.MaxMasked - b.Len()
	b.WriteString(clip(s, room))
	return len(s) <= room && len(s) < policy.MaxMasked
}
