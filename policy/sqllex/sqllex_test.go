package sqllex

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSplitLimitKeepsTheRestInTheLastPiece(t *testing.T) {
	t.Parallel()
	src := "a; b ;c;d ;"
	got := Split(src, Mode{}, 2)
	want := []Span{{0, 1}, {3, 9}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestMaskIsBounded(t *testing.T) {
	t.Parallel()
	src := "select ä" + strings.Repeat(", é", 100)
	got, cut := Mask([]byte("x: "), src, Mode{}, PlainNames, 12)
	if !cut || string(got) != "x: select ä, " {
		t.Errorf("got %q, cut %v", got, cut)
	}
	if got, cut := Mask(nil, "select 1", Mode{}, PlainNames, 8); cut || string(got) != "select ?" {
		t.Errorf("got %q, cut %v", got, cut)
	}
}

func TestMaskHidesNamesOfUnreadText(t *testing.T) {
	t.Parallel()
	got, _ := Mask(nil, `x "Orders" "a b" u&"c"`, Mode{}, NoNames, 100)
	if string(got) != `x ? ? ?` {
		t.Errorf("got %q", got)
	}
}

func TestHashForgetsLiterals(t *testing.T) {
	t.Parallel()
	a := Hash("select * from t where a in (1,2,3) -- x", Mode{})
	b := Hash("select  *  from t /* y */ where a in ('a' , $$b$$)", Mode{})
	if a != b || len(a) != 16 {
		t.Errorf("got %q and %q, want the same 16 digits", a, b)
	}
	if c := Hash("select * from u where a in (1,2)", Mode{}); c == a {
		t.Error("another table has the same hash")
	}
}

func TestAmbiguous(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]bool{
		`select 'a'`:            false,
		`select '\a'`:           true,
		`select E'\a'`:          false,
		`select "\a" -- '\'`:    false,
		`select $$'\'$$`:        false,
		`select 'a' 'b\`:        true,
		`select 'a' \ 'b'`:      true,
		`select /* '\' */ 'ok'`: false,
	} {
		if got := Ambiguous(src); got != want {
			t.Errorf("Ambiguous(%s) = %v, want %v", src, got, want)
		}
	}
}

func TestValue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		mode Mode
		want string
		ok   bool
	}{
		{`'it''s'`, Mode{}, `it's`, true},
		{`'a\nb'`, Mode{}, `a\nb`, true},
		{`'a\nb'`, Mode{Backslash: true}, "a\nb", true},
		{`'it\'s'`, Mode{Dialect: Redshift}, `it's`, true},
		{`E'\x41\102\u0043\t'`, Mode{}, "ABC\t", true},
		{`E'\u12'`, Mode{}, "", false},
		{"'a' -- c\n 'b'", Mode{}, "ab", true},
		{"E'a'\n'\\'b'", Mode{}, "a'b", true},
		{`$t$x $$ y$t$`, Mode{}, `x $$ y`, true},
		{`$$$$`, Mode{}, ``, true},
		{`X'41'`, Mode{}, "", false},
		{`E'\b\f\r\n\\\'\q\xg'`, Mode{}, "\b\f\r\n\\'qxg", true},
		{`E'\U0001F600\7'`, Mode{}, "\U0001F600\a", true},
		{`E'\UFFFFFFFF'`, Mode{}, "", false},
		{`E'\u00g0'`, Mode{}, "", false},
		{`12`, Mode{}, "", false},
	} {
		l := New(c.text, c.mode)
		tok, _ := l.Next()
		if tok.End != len(c.text) {
			t.Errorf("%s: one token ends at %d", c.text, tok.End)
			continue
		}
		if got, ok := Value(c.text, tok.Kind, c.mode); got != c.want || ok != c.ok {
			t.Errorf("Value(%s) = %q, %v; want %q, %v", c.text, got, ok, c.want, c.ok)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{`"a""b"`: `a"b`, `"A"`: "A", `"`: "", `""`: ""} {
		if got := Unquote(in); got != want {
			t.Errorf("Unquote(%s) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"abc": "abc", "aBC": "abc", "ÄB": "Äb"} {
		if got := Fold(in); got != want {
			t.Errorf("Fold(%s) = %q, want %q", in, got, want)
		}
	}
	if Postgres.String() != "postgres" || Redshift.String() != "redshift" {
		t.Error("dialects are called otherwise")
	}
}

func TestSplitterShowsTokens(t *testing.T) {
	t.Parallel()
	src := "select 1 /* x */; ; delete from t"
	var got []string
	s := NewSplitter(src, Mode{})
	s.Each(func(tok Token) { got = append(got, src[tok.Start:tok.End]) })
	for _, ok := s.Next(); ok; _, ok = s.Next() {
		got = append(got, "|")
	}
	if diff := cmp.Diff([]string{"select", "1", "|", "delete", "from", "t", "|"}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestCommentsAreBounded(t *testing.T) {
	t.Parallel()
	src := "/* a */ select '--' -- b\n/* c */"
	if diff := cmp.Diff([]Span{{0, 7}, {20, 24}}, Comments(src, Mode{}, 2)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if got := Comments(src, Mode{}, 9); len(got) != 3 {
		t.Errorf("%d comments, want 3", len(got))
	}
}

func TestLexingAllocatesNothing(t *testing.T) {
	src := strings.Repeat("select a, 'b', $$c$$ from \"d\" where e = 1.5 -- x\n;", 20)
	if n := testing.AllocsPerRun(100, func() {
		l := New(src, Mode{})
		for _, ok := l.Next(); ok; _, ok = l.Next() {
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkLexer(b *testing.B) {
	src := strings.Repeat("select a, 'b', $$c$$ from \"d\" where e = 1.5 -- x\n;", 200)
	b.SetBytes(int64(len(src)))
	for b.Loop() {
		l := New(src, Mode{})
		for _, ok := l.Next(); ok; _, ok = l.Next() {
		}
	}
}
