package sqlparse

import (
	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/policy/sqllex"
)

// merge joins two readings of the same string into one that is at least as strict
// as each: the server follows one of them and nobody knows which. Statement by
// statement if they are equally many; else the longer list, in which nothing is
// known for sure, and all that the other does laid on its first statement.
func merge(a, b *policy.Batch, d sqllex.Dialect) []policy.Statement {
	if len(a.Statements) < len(b.Statements) {
		a, b = b, a
	}
	out := make([]policy.Statement, len(a.Statements))
	if len(a.Statements) == len(b.Statements) {
		for i := range out {
			out[i] = both(&a.Statements[i], &b.Statements[i], d)
		}
		return out
	}
	copy(out, a.Statements)
	for i := range out {
		doubt(&out[i])
	}
	for i := range b.Statements {
		out[0] = both(&out[0], &b.Statements[i], d)
		doubt(&out[0])
	}
	return out
}

func doubt(s *policy.Statement) {
	s.Kind = policy.KindUnknown
	s.Verbs |= policy.VerbUnknown
	s.Unknown |= policy.UnknownAll
	s.Features &^= anded
}

// both is a statement that may be a or b.
func both(a, b *policy.Statement, d sqllex.Dialect) policy.Statement {
	f := newFacts(d)
	f.Statement = *a
	f.Reads, f.Writes, f.Functions = nil, nil, nil
	for _, s := range [...]*policy.Statement{a, b} {
		for _, r := range s.Reads {
			f.read(r)
		}
		for _, r := range s.Writes {
			f.write(r)
		}
		for _, fn := range s.Functions {
			f.function(fn)
		}
	}
	s := f.done()
	s.Features = a.Features&b.Features&anded | (a.Features|b.Features)&^anded
	s.Verbs |= b.Verbs
	s.Unknown |= a.Unknown | b.Unknown
	s.End = max(a.End, b.End)
	s.Start = min(a.Start, b.Start)
	if a.Kind != b.Kind || a.Tx != b.Tx || a.TxChain != b.TxChain || a.TxModes != b.TxModes {
		doubt(&s)
	}
	if a.Prepared != b.Prepared || a.Prepare != b.Prepare || a.Cursor != b.Cursor || a.Setting != b.Setting || a.SettingValue != b.SettingValue {
		s.Unknown |= policy.UnknownEffects
	}
	return s
}
