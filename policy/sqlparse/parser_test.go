package sqlparse

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/policy/sqllex"
)

const lookup = "select id, name from app.users where id = 42"

const join6 = `with monthly as (select course_id, date_trunc('month', at) as m, count(*) as n from events where kind = 'view' group by 1, 2)
select c.title, m.m, m.n, rank() over (partition by m.m order by m.n desc) as r
from monthly m join courses c on c.id = m.course_id left join teachers t on t.id = c.teacher_id
where m.n > 10 and t.country in ('de', 'fr', 'it')
order by m.m, r
limit 100`

// A hit is the way of nearly every message: it may not allocate.
func TestHitAllocatesNothing(t *testing.T) {
	p := newParser(t, Config{})
	for _, env := range []Env{{StdStrings: On}, {StdStrings: On, Encoding: "UTF8"}, {Dialect: sqllex.Redshift, Encoding: "UNICODE"}, {Encoding: "LATIN1"}} {
		sql := []byte(lookup)
		p.Parse(sql, env)
		if n := testing.AllocsPerRun(1000, func() { p.Parse(sql, env) }); n != 0 {
			t.Errorf("%+v: %v allocations a hit", env, n)
		}
	}
}

func TestCacheKeepsItsOwnText(t *testing.T) {
	t.Parallel()
	p := newParser(t, Config{})
	buf := []byte("select * from aaa")
	first := p.Parse(buf, Env{StdStrings: On})
	copy(buf, "select * from bbb")
	second := p.Parse(buf, Env{StdStrings: On})
	if first == second || second.ReadNames[0] != "bbb" {
		t.Errorf("the reused buffer got %v after %v", second.ReadNames, first.ReadNames)
	}
	if again := p.Parse([]byte("select * from aaa"), Env{StdStrings: On}); again != first {
		t.Error("the first text is no longer found")
	}
}

func TestCacheTellsEnvironmentsApart(t *testing.T) {
	t.Parallel()
	p := newParser(t, Config{})
	sql := []byte(`SELECT '\'' ; DELETE FROM u; --'`)
	for _, c := range []struct {
		env  Env
		want int
	}{
		{Env{StdStrings: On}, 1},
		{Env{StdStrings: Off}, 2},
		{Env{Dialect: sqllex.Redshift}, 2},
		{Env{StdStrings: On}, 1},
	} {
		if got := len(p.Parse(sql, c.env).Statements); got != c.want {
			t.Errorf("%+v: %d statements, want %d", c.env, got, c.want)
		}
	}
}

func TestCacheIsBoundedByBytes(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	p := newParser(t, Config{MaxBytes: limit})
	for i := range 3000 {
		p.Parse(fmt.Appendf(nil, "select %d, '%s' from t%d", i, strings.Repeat("x", 500), i), Env{StdStrings: On})
		if s := p.Stats(); s.Bytes > limit {
			t.Fatalf("%d bytes after %d texts, limit %d", s.Bytes, i, limit)
		}
	}
	s := p.Stats()
	if s.Evictions == 0 || s.Entries == 0 || s.Misses != 3000 || s.Hits != 0 {
		t.Errorf("stats %+v", s)
	}
	sum := 0
	for i := range p.cache.shards {
		for _, e := range p.cache.shards[i].lru.Values() {
			sum += e.cost
		}
	}
	if sum != s.Bytes {
		t.Errorf("entries cost %d, counted %d", sum, s.Bytes)
	}
}

func TestCacheIsBoundedByCount(t *testing.T) {
	t.Parallel()
	p := newParser(t, Config{MaxEntries: 32})
	for i := range 500 {
		p.Parse(fmt.Appendf(nil, "select %d", i), Env{StdStrings: On})
	}
	if s := p.Stats(); s.Entries > 32 {
		t.Errorf("%d entries", s.Entries)
	}
}

func TestConcurrentParse(t *testing.T) {
	t.Parallel()
	p := newParser(t, Config{MaxBytes: 1 << 20, MaxParallel: 2})
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				n := (g + i) % 50
				b := p.Parse(fmt.Appendf(nil, "select * from t%d", n), Env{StdStrings: On})
				if want := fmt.Sprintf("t%d", n); len(b.ReadNames) != 1 || b.ReadNames[0] != want {
					t.Errorf("read %v, want %s", b.ReadNames, want)
				}
			}
		})
	}
	wg.Wait()
}

func TestOffsetsAreThoseOfTheClient(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sql string
		env Env
	}{
		{"select 'a' ; /* x */ select 2 -- y", Env{}},
		{"select 'é'; select 'ü' ;select 3", Env{}},
		{"select '\xe9'; select '\xfc' ;select 3", Env{Encoding: "latin1"}},
		{"select '\x95\x5c\x81\x30'; select '\xb1' ;select 3", Env{Encoding: "SJIS"}},
		{"select '\x81\x30\x81\x30\x95\x5c';select 3", Env{Encoding: "gb18030"}},
		{"\ufeffselect 'é'; select 2", Env{Dialect: sqllex.Redshift}},
		{"select '\xff\xfe'; select 2", Env{}},
	} {
		b := newParser(t, Config{}).Parse([]byte(c.sql), c.env)
		for i, s := range b.Statements {
			text := c.sql[s.Start:s.End]
			if !strings.HasPrefix(text, "select ") || strings.ContainsAny(text, ";/-") {
				t.Errorf("%q as %+v: statement %d is %q", c.sql, c.env, i, text)
			}
		}
		if want := strings.Count(c.sql, "select"); len(b.Statements) != want {
			t.Errorf("%q: %d statements, want %d", c.sql, len(b.Statements), want)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []Config{{MaxBytes: -1}, {MaxEntries: -1}, {MaxParseBytes: 2 << 20}, {MaxParallel: -1}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v passes", c)
		}
	}
}

// hostile are texts made to hurt whoever reads them.
func hostile(n int) map[string]string {
	r := strings.Repeat
	return map[string]string{
		"in list":        "select * from t where a in (1" + r(",1", n/2) + ")",
		"text list":      "select * from t where a in ('x'" + r(",'abcdef'", n/9) + ")",
		"rows":           "insert into t values (1,'a')" + r(",(1,'a')", n/8),
		"names":          "select a" + r(",ab", n/3) + " from t",
		"statements":     r("select 1;", n/9),
		"semicolons":     r(";", n),
		"plus":           "select 1" + r("+1", n/2),
		"casts":          "select 1" + r("::int", n/5),
		"unions":         "select 1" + r(" union select 1", n/15),
		"joins":          "select * from a" + r(" join a using(x)", n/16),
		"and joins":      "select * from a" + r(" join b on x and y", n/18),
		"collate":        "select a" + r(" collate c", n/10),
		"is null":        "select a" + r(" is null", n/8),
		"at time zone":   "select a" + r(" at time zone x", n/15),
		"not":            "select " + r("not ", n/4) + "a",
		"parentheses":    "select " + r("(", n/2) + "1" + r(")", n/2),
		"open":           "select " + r("(", n),
		"closed":         "select " + r(")", n),
		"brackets":       "select a" + r("[1]", n/3),
		"sub-selects":    "select " + r("(select ", n/9) + "1" + r(")", n/9),
		"nested from":    "select * from " + r("(", n/2) + "t" + r(")", n/2),
		"functions":      "select " + r("f(", n/3) + "1" + r(")", n/3),
		"cases":          "select " + r("case when a then ", n/21) + "1" + r(" end", n/21),
		"with":           "with a as (select 1)" + r(", a as (select 1)", n/17) + " select 1",
		"nested with":    r("with a as (", n/11) + "select 1" + r(") select 1", n/11),
		"open quote":     "select '" + r("x", n),
		"open comment":   r("/*", n/2),
		"comments":       r("/*a='b'*/", n/9) + "select 1",
		"line comments":  r("--a\n", n/4) + "select 1",
		"continuations":  "select 'a'" + r("\n'a'", n/4),
		"dollars":        r("$a", n/2),
		"dollar tags":    "$" + r("a", n) + "$",
		"backslashes":    "select '" + r(`\\`, n/2) + "'",
		"operators":      "select 1 " + r("+", n) + "1",
		"dots":           "select a" + r(".a", n/2),
		"unload":         r("unload ('", n/9) + "select 1" + r("')", n/9),
		"explain":        r("explain ", n/8) + "select 1",
		"high bytes":     r("\xff", n),
		"quoted names":   "select * from " + r(`"",`, n/3),
		"from list":      "select * from a" + r(",a", n/2),
		"aliases":        "select * from a a1" + r(",b.c d", n/6),
		"json remark":    "/*{" + r(`"a":{`, n/5) + "*/ select 1",
		"prepare chain":  r("prepare p as ", n/13) + "select 1",
		"wide table":     "create table t (a int" + r(",a int", n/7) + ")",
		"inner comments": "select " + r("/*", n/4) + r("*/", n/4) + " 1",
		"params":         "insert into t values ($1,null,-1)" + r(",($1,null,-1)", n/13),
		"nested comment": r("/*", n/4) + r("*/", n/4) + "select 1",
		"long name":      "select * from " + r("a", n),
		"tables":         "select * from " + manyNames(n),
	}
}

func manyNames(n int) string {
	var b strings.Builder
	b.WriteString("t")
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, ",t%d", i)
	}
	return b.String()
}

// TestHostileTextIsBounded: no text of 256 KiB, the longest the grammar is asked
// about, takes long or kills the process, in either dialect.
func TestHostileTextIsBounded(t *testing.T) {
	for name, sql := range hostile(250 << 10) {
		for _, env := range []Env{{}, {Dialect: sqllex.Redshift}} {
			p := newParser(t, Config{})
			start := time.Now()
			b := p.Parse([]byte(sql), env)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("%s as %v: %v", name, env.Dialect, took)
			} else {
				t.Logf("%-16s %-9v %8v unknown %x, %d statements", name, env.Dialect, took.Round(time.Millisecond), b.Unknown, len(b.Statements))
			}
			if len(b.Masked) > policy.MaxMasked {
				t.Errorf("%s: %d bytes of masked text", name, len(b.Masked))
			}
		}
	}
}

// TestHugeTextIsBounded: 10 MB take little time and memory, and a long list or a
// bulk load of plain values is understood nonetheless.
func TestHugeTextIsBounded(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED WITH -short: ten megabytes of each hostile text take a few seconds")
	}
	read := map[string]bool{"in list": true, "text list": true, "rows": true, "params": true, "long literal": true}
	all := hostile(10 << 20)
	texts := map[string]string{}
	for _, name := range []string{"in list", "text list", "rows", "params", "names", "statements", "open", "high bytes", "explain", "tables", "inner comments", "operators"} {
		texts[name] = all[name]
	}
	texts["long literal"] = "insert into t values ('" + strings.Repeat("x", 10<<20) + "')"
	for name, sql := range texts {
		p := newParser(t, Config{})
		text := []byte(sql)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		b := p.Parse(text, Env{StdStrings: On})
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		grown := int(after.TotalAlloc-before.TotalAlloc) >> 20
		t.Logf("%-16s %8v %4d MiB allocated, unknown %x, %d statements", name, took.Round(time.Millisecond), grown, b.Unknown, len(b.Statements))
		if took > 10*time.Second || grown > 256 {
			t.Errorf("%s: %v, %d MiB", name, took, grown)
		}
		if read[name] && b.Unknown != 0 {
			t.Errorf("%s: unknown %x, want it read", name, b.Unknown)
		}
	}
}

func BenchmarkHit(b *testing.B) {
	for name, sql := range map[string]string{"lookup": lookup, "join": join6} {
		b.Run(name, func(b *testing.B) {
			p := newParser(b, Config{})
			text := []byte(sql)
			env := Env{StdStrings: On, Encoding: "UTF8"}
			p.Parse(text, env)
			b.ReportAllocs()
			for b.Loop() {
				p.Parse(text, env)
			}
		})
	}
}

func BenchmarkMiss(b *testing.B) {
	for _, d := range []sqllex.Dialect{sqllex.Postgres, sqllex.Redshift} {
		for name, sql := range map[string]string{"lookup": lookup, "join": join6, "tokens": "select top 5 a from t qualify b = 1"} {
			b.Run(d.String()+"/"+name, func(b *testing.B) {
				p := newParser(b, Config{})
				b.ReportAllocs()
				for b.Loop() {
					p.facts(sql, Env{Dialect: d, StdStrings: On})
				}
			})
		}
	}
}
