package policy

import (
	"strings"
	"testing"
	"time"
)

// noon is a Wednesday, 2026-11-25 12:00 UTC.
var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

func idle() *SessionState {
	return &SessionState{Tx: TxIdle, Started: noon.Add(-time.Minute), PathKnown: true, SearchPath: []string{"public"}}
}

func mustCompile(t testing.TB, src Source) *Ruleset {
	t.Helper()
	rs, err := Compile(src)
	if err != nil {
		t.Fatalf("compile: %v", err)
	}
	return rs
}

func engineWith(t testing.TB, src Source) *Engine {
	t.Helper()
	e := NewEngine(EngineConfig{})
	e.Publish(mustCompile(t, src))
	return e
}

func rel(dotted string) Relation {
	p := strings.Split(dotted, ".")
	if len(p) == 1 {
		return Relation{Name: p[0]}
	}
	return Relation{Schema: p[len(p)-2], Name: p[len(p)-1]}
}

func rels(dotted ...string) []Relation {
	out := make([]Relation, len(dotted))
	for i, d := range dotted {
		out[i] = rel(d)
	}
	return out
}

func read(tables ...string) Statement {
	return Statement{Kind: KindRead, Verbs: VerbRead, Reads: rels(tables...), PgAudit: "READ", Fingerprint: "00000000000000aa", Masked: "SELECT …"}
}

func del(table string, where bool) Statement {
	s := Statement{Kind: KindWrite, Verbs: VerbDelete, Writes: rels(table), PgAudit: "WRITE", Fingerprint: "00000000000000dd", Masked: "DELETE …"}
	if where {
		s.Features |= FeatWhere
	}
	return s
}

func control(tx TxControl) Statement {
	return Statement{Kind: KindTransaction, Verbs: VerbTransaction, Tx: tx, Fingerprint: "00000000000000cc", Masked: "COMMIT"}
}

func batch(list ...Statement) *Batch {
	b := &Batch{Statements: list, Bytes: 32, Empty: len(list) == 0}
	for i := range list {
		b.Verbs |= list[i].Verbs
		b.Unknown |= list[i].Unknown
		b.Features |= list[i].Features
	}
	if len(list) > 0 {
		b.Fingerprint = list[0].Fingerprint
	}
	return b
}

func ann() Subject {
	return Subject{User: "ann", AuthUser: "ann", Role: "ann", Database: "wh", ApplicationName: "psql", Via: "wire", Groups: []string{"growth"}}
}

// signal is a Waker that remembers that it was called.
type signal struct{ woken int }

func (s *signal) Wake() { s.woken++ }
