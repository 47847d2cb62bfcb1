package sqlparse

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/policy/sqllex"
)

func TestShape(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ sql, want string }{
		{"select a from t where id = 42", "select a from t where id = 11"},
		{"SELECT a FROM t WHERE id IN (7,80) LIMIT 500;", "SELECT a FROM t WHERE id IN (1,11) LIMIT 111;"},
		{"insert into t(a) values (2, 'x2'), (-3, $1)", "insert into t(a) values (1, 'x2'), (-1, $1)"},
		{"with w as (select 5) select * from w where a=9::int8", "with w as (select 1) select * from w where a=1::int8"},
		{"/* id 7 */ update t set a = 7 where b = 8 -- 9", "/* id 7 */ update t set a = 1 where b = 1 -- 9"},
		{"select a[2] from t where exists (select 3)", "select a[1] from t where exists (select 1)"},

		{"select id from t where id = 1", ""}, // its own shape
		{"select nextval(16384)", ""},         // an argument can name something
		{"select f((2), (select 3)), cast(a as float(60))", ""},
		{"select coalesce(a, 5) from t2", ""},
		{"explain (analyze 0) delete from t", ""}, // an option
		{"set standard_conforming_strings = 0", ""},
		{"copy t from stdin (freeze 0)", ""},
		{"execute p(5)", ""},
		{"select 5; select 6", ""},
		{"select 0x2f, 2.5, 1e5, 007, 2222222222, 3a, t.5", ""},
		{"select '5' where a = 'b\\5' and c = 5", ""},
		{"select 5 'open", ""},
	} {
		if got := string(shapeOf([]byte(c.sql), Env{StdStrings: On}, utf8Text)); got != c.want {
			t.Errorf("%s:\ngot  %q\nwant %q", c.sql, got, c.want)
		}
	}
	if got := shapeOf([]byte("select 5 as \x835"), Env{}, charsetOf("SJIS")); got != nil {
		t.Errorf("a text in another encoding has the shape %q", got)
	}
}

// A text and its shape have the same facts, to the byte.
func TestFactsOfTheShape(t *testing.T) {
	t.Parallel()
	p := newParser(t, Config{})
	seen := 0
	for _, sql := range seedTexts(t) {
		if sameFacts(t, p, sql) {
			seen++
		}
	}
	if seen < 20 {
		t.Errorf("only %d texts have a shape: this test has lost its point", seen)
	}
}

func FuzzShape(f *testing.F) {
	for _, sql := range seedTexts(f) {
		f.Add(sql)
	}
	p := newParser(f, Config{MaxBytes: 1 << 20})
	f.Fuzz(func(t *testing.T, sql string) { sameFacts(t, p, sql) })
}

func sameFacts(t *testing.T, p *Parser, sql string) (shaped bool) {
	t.Helper()
	for _, env := range []Env{{StdStrings: On}, {StdStrings: Off}, {}, {Dialect: sqllex.Redshift}} {
		shape := shapeOf([]byte(sql), env, charsetOf(env.Encoding))
		if shape == nil {
			continue
		}
		shaped = true
		if again := shapeOf(shape, env, charsetOf(env.Encoding)); again != nil {
			t.Errorf("the shape of %q has another shape: %q", shape, again)
		}
		twos := slices.Clone(shape) // and with any other number in these places
		for i := range twos {
			if shape[i] != sql[i] {
				twos[i] = '2'
			}
		}
		want := p.facts(sql, env)
		for _, other := range []string{string(shape), string(twos)} {
			if diff := cmp.Diff(want, p.facts(other, env)); diff != "" {
				t.Errorf("%+v: facts of %q and of %q differ:\n%s", env, sql, other, diff)
			}
		}
	}
	return shaped
}

func TestParseKnowsTheShape(t *testing.T) {
	t.Parallel()
	p := newParser(t, Config{})
	env := Env{StdStrings: On}
	first := p.Parse([]byte("select a from t where id = 42"), env)
	second := p.Parse([]byte("select a from t where id = 77"), env)
	if first != second {
		t.Error("the same statement with another number was read again")
	}
	if other := p.Parse([]byte("select a from t where id = '7'"), env); other == first {
		t.Error("a string was taken for a number")
	}
	if got := p.Stats(); got.Parses != 2 || got.Shapes != 1 {
		t.Errorf("got %+v, want two parses and one shape", got)
	}
}

func BenchmarkShape(b *testing.B) {
	p := newParser(b, Config{})
	env := Env{StdStrings: On, Encoding: "UTF8"}
	p.Parse([]byte("select id, name from app.users where id = 41"), env)
	text := []byte("select id, name from app.users where id = 42")
	b.ReportAllocs()
	for b.Loop() {
		p.Parse(text, env)
	}
}
