package sqlparse

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/policy/sqllex"
)

func seedTexts(tb testing.TB) []string {
	tb.Helper()
	var out []string
	for _, row := range readCorpus(tb) {
		out = append(out, row.SQL)
	}
	for _, c := range readBypass(tb) {
		out = append(out, c.sql)
	}
	files, err := filepath.Glob("testdata/facts/*.txt")
	if err != nil {
		tb.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		for part := range strings.SplitSeq(string(text), "\n== ") {
			_, rest, _ := strings.Cut(part, "\n")
			sql, _, _ := strings.Cut(rest, "\n----")
			out = append(out, unwrite(sql))
		}
	}
	return out
}

// headVerbs is what the first word of a statement says it does, at the least.
var headVerbs = map[string]policy.Verbs{
	"select": policy.VerbRead, "values": policy.VerbRead, "table": policy.VerbRead,
	"insert": policy.VerbInsert, "update": policy.VerbUpdate, "delete": policy.VerbDelete, "merge": policy.VerbMerge,
	"truncate": policy.VerbTruncate, "drop": policy.VerbDDL, "create": policy.VerbDDL, "alter": policy.VerbDDL | policy.VerbGrant,
	"grant": policy.VerbGrant, "revoke": policy.VerbGrant, "call": policy.VerbCall, "do": policy.VerbCall,
	"begin": policy.VerbTransaction, "commit": policy.VerbTransaction, "rollback": policy.VerbTransaction,
	"set": policy.VerbSession, "reset": policy.VerbSession, "vacuum": policy.VerbUtility,
	"copy": policy.VerbCopyIn | policy.VerbCopyOut | policy.VerbDDL | policy.VerbUtility,
}

// FuzzParse: any text in any environment has facts that are no looser than what
// its first words say, as many statements as the lexer sees, and bounded text.
func FuzzParse(f *testing.F) {
	for _, sql := range seedTexts(f) {
		f.Add(sql)
	}
	p := newParser(f, Config{MaxBytes: 1 << 20})
	f.Fuzz(func(t *testing.T, sql string) {
		for _, env := range []Env{{StdStrings: On}, {StdStrings: Off}, {}, {Dialect: sqllex.Redshift}, {StdStrings: On, Encoding: "SJIS"}} {
			b := p.Parse([]byte(sql), env)
			bounded(t, sql, b)
			if env.Encoding == "" {
				noLooser(t, sql, env, b)
			}
		}
	})
}

func bounded(t *testing.T, sql string, b *policy.Batch) {
	t.Helper()
	if len(b.Masked) > policy.MaxMasked || b.Bytes != len(sql) || b.Empty != (len(b.Statements) == 0) {
		t.Fatalf("%q: batch %+v", sql, b)
	}
	for i, s := range b.Statements {
		if s.Start < 0 || s.End > len(sql) || s.Start >= s.End && sql != "" || i > 0 && s.Start < b.Statements[i-1].Start {
			t.Fatalf("%q: statement %d at %d-%d", sql, i, s.Start, s.End)
		}
		if len(s.Fingerprint) < 16 {
			t.Fatalf("%q: fingerprint %q", sql, s.Fingerprint)
		}
		if s.Kind == policy.KindUnknown && !s.Verbs.Has(policy.VerbUnknown) || s.Verbs.Has(policy.VerbUnknown) && s.Unknown&policy.UnknownVerbs == 0 {
			t.Fatalf("%q: kind %v with verbs %v", sql, s.Kind, s.Verbs)
		}
	}
}

func noLooser(t *testing.T, sql string, env Env, b *policy.Batch) {
	t.Helper()
	if strings.IndexByte(sql, 0) >= 0 {
		return
	}
	d := decode(sql, utf8Text)
	modes := []sqllex.Mode{{Dialect: env.Dialect, Backslash: env.StdStrings == Off}}
	if env.StdStrings == Unknown && env.Dialect == sqllex.Postgres {
		modes = append(modes, sqllex.Mode{Backslash: true})
	}
	for _, mode := range modes {
		spans := sqllex.Split(d.text, mode, maxStatements)
		if len(b.Statements) < len(spans) {
			t.Fatalf("%q %+v: %d statements, the lexer sees %d", sql, env, len(b.Statements), len(spans))
		}
		for _, s := range spans {
			ts := newTokens(d.text[s.Start:s.End], mode)
			want, known := headVerbs[ts.at(0).word]
			if known && !b.Verbs.Has(want|policy.VerbUnknown) {
				t.Fatalf("%q %+v: verbs %v for %q", sql, env, b.Verbs, d.text[s.Start:s.End])
			}
		}
	}
}

// FuzzScanner: what the grammar finds, the scanner of tokens finds too, or it says
// that it does not know. The scanner stands alone where Redshift is not Postgres.
func FuzzScanner(f *testing.F) {
	for _, sql := range append(seedTexts(f), trickyNames...) {
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, sql string) { scannerAgrees(t, sql) })
}

func TestScannerFindsWhatTheGrammarFinds(t *testing.T) {
	t.Parallel()
	n := 0
	for _, sql := range seedTexts(t) {
		n += scannerAgrees(t, sql)
	}
	if n < 150 {
		t.Errorf("only %d statements were compared", n)
	}
}

// trickyNames are statements whose names look like the words that structure a
// query: all are valid on Postgres.
var trickyNames = []string{
	"select * from t start, pii.x", "select * from t connect, pii.x", "select * from t minus, pii.x", "select * from t qualify, pii.x",
	"select * from t set, pii.x", "select * from t remove, pii.x", "select * from start, pii.x", "select * from set join minus on true, pii.x",
	"select 1 as into from pii.x", "select 1 as from from pii.x", "select 1 as as from pii.x", "select t.as from pii.x t", "select t.from, t.into from pii.x t",
	"select 1 as select from pii.x", "select 1 as for, 2 as table from pii.x",
	"select * from t a join u on a.left = a.where, pii.x", "select * from t a join u on a.on = a.join, pii.x", "select * from t a join u on a.using = u.set, pii.x",
	"select * from t a where a.from = 1 and exists (select from pii.x)", "select * from only (pii.x)", "select * from only (pii.x) as o, t",
	"select * from t as pivot, pii.x", "select * from t unpivot, pii.x", "select * from t tablesample system (1), pii.x", "select * from f(1) with ordinality as g(a, b), pii.x",
	"select * from t as x (a, b), pii.x", "select * from (((select * from pii.x))) q, t", "select * from ((select 1) union (select * from pii.x)) q",
	"select * from (t join (select * from u) q on true) join pii.x on true", "((select 1 from t) union all select 2 from pii.x)",
	"(table t) union table pii.x", "select 1 union distinct table pii.x", "select a is distinct from b from pii.x", "select a is not distinct from (select max(id) from u) from pii.x",
	"select all from pii.x", "select from pii.x", "select distinct on (a) a from pii.x",
	"insert into t as x with c as (select * from pii.x) select * from c", "insert into t (a) (select id from pii.x)", "insert into t overriding user value select id from pii.x",
	"insert into t with recursive c as (select 1) select * from c, pii.x", "update t as x set a = 1 from pii.x y where x.id = y.id", "update t set (a, b) = (select 1, 2 from pii.x) where true",
	"delete from t x using pii.x y, u where x.id = y.id", "delete from only t using only pii.x", "with a as (select 1) delete from t using a, pii.x",
	"with recursive a (x) as (values (1) union select x from a, pii.x) select * from a", "with a as not materialized (select * from pii.x), b as (select * from a) select * from b",
	"with a as (insert into t select * from pii.x returning *) select * from a", "select extract(year from now()), overlay('a' placing 'b' from 1), position('a' in 'b') from pii.x",
	"select trim(both from 'a'), substring('a' from 1 for 1) from pii.x", "select (select a from t where exists (table pii.x)) from u", "values (1), ((select 1 from pii.x))",
	"select * from t where (a, b) in (select 1, 2 from pii.x)", "select case when a then (select 1 from pii.x) end from t", "select array(select id from pii.x) from t", "select a[(select 1 from pii.x)] from t",
	"select * from t natural join pii.x", "select * from t cross join lateral (select * from pii.x where t.id = id) q", "select * from t left join u using (id) full outer join pii.x using (id)",
	"select * from t for update of t nowait", "select * into temp table newt from pii.x", "select * into unlogged newt from pii.x", "merge into t using (select * from pii.x) s on true when matched then do nothing",
	"select sum(a) over (partition by (select 1 from pii.x) order by b rows between 1 preceding and current row) from t window w as (order by (select 1 from u))",
	"select * from t group by grouping sets ((a), (b)) having count(*) > (select 1 from pii.x)", "select * from t order by (select 1 from pii.x) limit (select 1 from u) offset (select 1 from v)",
	"select \"from\".\"select\" from \"from\", \"where\", pii.x", "select * from t, xmltable('/a' passing (select a from pii.x) columns b text path 'c')",
	"select * from json_populate_record(null::t, (select '{}'::json from pii.x))", "select * from t x join u y on x.id = y.id and x.a in (select a from pii.x) join v z on true",
}

func TestScannerIsNotFooledByNames(t *testing.T) {
	t.Parallel()
	for _, sql := range trickyNames {
		if scannerAgrees(t, sql) != 1 {
			t.Errorf("%q is not read by the grammar", sql)
		}
	}
}

func scannerAgrees(t *testing.T, sql string) int {
	t.Helper()
	mode := sqllex.Mode{}
	d := decode(sql, utf8Text)
	compared := 0
	for _, span := range sqllex.Split(d.text, mode, 64) {
		r := newReading(d.text[span.Start:span.End], mode, 64<<10)
		i := 0
		for r.ts.is(i, "(") {
			i++
		}
		if !starters[r.ts.at(i).word] {
			continue
		}
		fs, ok := r.byGrammar()
		if !ok || len(fs) != 1 {
			continue
		}
		compared++
		scan := r.scan()
		missing := func(what string, want, got, also []policy.Relation, over policy.Unknowns) {
			for _, rel := range want {
				if scan.Unknown&over == 0 && !slices.Contains(got, rel) && !slices.Contains(also, rel) {
					t.Errorf("%q: the scanner misses that %v is %s", r.sql, rel, what)
				}
			}
		}
		missing("read", fs[0].Reads, scan.Reads, scan.Writes, policy.UnknownReads)
		missing("written", fs[0].Writes, scan.Writes, nil, policy.UnknownWrites)
		const change = policy.VerbInsert | policy.VerbUpdate | policy.VerbDelete | policy.VerbMerge | policy.VerbDDL | policy.VerbRead
		if lost := fs[0].Verbs & change &^ scan.Verbs; lost != 0 && scan.Unknown&policy.UnknownVerbs == 0 && !scan.Verbs.Has(policy.VerbMerge|policy.VerbInsert) {
			t.Errorf("%q: the scanner misses the verbs %v", r.sql, lost)
		}
	}
	return compared
}
