package query

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/policy/sqllex"
)

func values(t testing.TB, params ...Param) map[string]value {
	t.Helper()
	v, err := newTypeNames().encode(params)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func shown(list []*string) []string {
	out := []string{}
	for _, s := range list {
		if s == nil {
			out = append(out, "NULL")
			continue
		}
		out = append(out, *s)
	}
	return out
}

func TestBind(t *testing.T) {
	t.Parallel()
	ids := Param{Name: "ids", Type: "int8[]", Value: []any{"1", nil, `a"\b{},NULL`}}
	two := Param{Name: "two", Type: "int", Value: "2"}
	for _, c := range []struct {
		name, in, want string
		redshift       bool
		bound          []string
	}{
		{"one", "select :two, ':two', -- :two\n :two::int", "select $1, ':two', -- :two\n $1::int", false, []string{"2"}},
		{"list", "select * from t where id = any(:ids) and n = :two", "select * from t where id = any($1) and n = $2", false, []string{`{"1",NULL,"a\"\\b{},NULL"}`, "2"}},
		{"redshift any", "select 1 where id = any(:ids) or n = :two", "select 1 where id in ($1,$2,$3) or n = $4", true, []string{"1", "NULL", `a"\b{},NULL`, "2"}},
		{"redshift all", "select 1 where id <> ALL (:ids)", "select 1 where id not in ($1,$2,$3)", true, []string{"1", "NULL", `a"\b{},NULL`}},
		{"redshift in", "select 1 where id in (:ids) or id in (:ids)", "select 1 where id in ($1,$2,$3) or id in ($1,$2,$3)", true, []string{"1", "NULL", `a"\b{},NULL`}},
		{"slice", "select a[:hi], a[1:two]", "select a[:hi], a[1:two]", false, []string{}},
	} {
		mode := sqllex.Mode{}
		if c.redshift {
			mode.Dialect = sqllex.Redshift
		}
		b, err := bind(c.in, sqllex.Span{End: len(c.in)}, mode, values(t, ids, two))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if diff := cmp.Diff(c.want, b.sql); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		if diff := cmp.Diff(c.bound, shown(b.values)); diff != "" {
			t.Errorf("%s values (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestPositionsMapBack(t *testing.T) {
	t.Parallel()
	src := "select 1;\nselect 'ä', :long_name, nonsense"
	spans := sqllex.Split(src, sqllex.Mode{}, 0)
	b, err := bind(src, spans[1], sqllex.Mode{}, values(t, Param{Name: "long_name", Value: "x"}))
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(b.sql, "nonsense")
	position := utf8.RuneCountInString(b.sql[:at]) + 1
	got := positionAt(src, b.origin(position))
	if diff := cmp.Diff(&Position{Offset: 34, Line: 2, Column: 25}, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	at = strings.Index(b.sql, "$1")
	if got := b.origin(utf8.RuneCountInString(b.sql[:at]) + 2); src[got:got+10] != ":long_name" {
		t.Errorf("a place within $1 maps to %q", src[got:])
	}
}

func TestBadParams(t *testing.T) {
	t.Parallel()
	long := make([]any, maxList+1)
	for i := range long {
		long[i] = "1"
	}
	for name, p := range map[string]Param{
		"no name": {Value: "1"}, "no type": {Name: "a", Type: "nonsense", Value: "1"}, "list for one": {Name: "a", Type: "int", Value: []any{"1"}},
		"one for a list": {Name: "a", Type: "int[]", Value: "1"}, "zero byte": {Name: "a", Value: "x\x00"}, "no text": {Name: "a", Value: "\xff"},
		"nested": {Name: "a", Type: "int[]", Value: []any{[]any{"1"}}}, "large": {Name: "a", Value: strings.Repeat("x", maxParamBytes)},
	} {
		if _, err := newTypeNames().encode([]Param{p}); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	sql := "select 1 where id in (:a)"
	_, err := bind(sql, sqllex.Span{End: len(sql)}, sqllex.Mode{Dialect: sqllex.Redshift}, values(t, Param{Name: "a", Type: "int[]", Value: long}))
	if admin.CodeOf(err) != admin.Unprocessable {
		t.Errorf("a list beyond its bound: %v", err)
	}
}

// What was not replaced stays as it was, and every position of the sent text
// leads into the statement it came from.
func FuzzBind(f *testing.F) {
	f.Add("select :a, ':a' from t where x = any(:l)", false)
	f.Add("select '\\':a'; select :a", true)
	f.Add("a[:b] ::int :=:a /* :a */ $$:a$$ \xff:a", false)
	f.Fuzz(func(t *testing.T, src string, redshift bool) {
		mode := sqllex.Mode{}
		if redshift {
			mode.Dialect = sqllex.Redshift
		}
		v := values(t, Param{Name: "a", Value: "1"}, Param{Name: "l", Type: "int8[]", Value: []any{"1", "2"}})
		for _, span := range sqllex.Split(src, mode, 10) {
			b, err := bind(src, span, mode, v)
			if err != nil {
				continue
			}
			var kept strings.Builder
			for i, p := range b.pieces {
				end := len(b.sql)
				if i+1 < len(b.pieces) {
					end = b.pieces[i+1].at
				}
				if part := b.sql[p.at:end]; !p.replaced {
					kept.WriteString(part)
					if src[p.from:p.from+len(part)] != part {
						t.Fatalf("piece %d is %q, not what stands at %d", i, part, p.from)
					}
				}
			}
			if len(b.values) == 0 && b.sql != src[span.Start:span.End] {
				t.Fatalf("nothing is bound, and yet %q became %q", src[span.Start:span.End], b.sql)
			}
			for n := range utf8.RuneCountInString(b.sql) + 2 {
				if at := b.origin(n); at < span.Start || at > span.End {
					t.Fatalf("position %d leads to %d, outside of %v", n, at, span)
				}
			}
		}
	})
}

// Whatever a list holds, the server reads the same list: quotes and backslashes
// are escaped, and nothing else ends an element.
func FuzzArrayLiteral(f *testing.F) {
	f.Add("a", "b")
	f.Add(`"`, `\`)
	f.Add("{},NULL", "")
	f.Fuzz(func(t *testing.T, a, b string) {
		got := readArray(t, arrayLiteral([]*string{&a, nil, &b}))
		if diff := cmp.Diff([]string{"=" + a, "NULL", "=" + b}, got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	})
}

// readArray reads an array's text as the manual says (8.15.6).
func readArray(t *testing.T, s string) []string {
	t.Helper()
	var out []string
	if !strings.HasPrefix(s, "{") || !strings.HasSuffix(s, "}") {
		t.Fatalf("no array: %q", s)
	}
	s = s[1 : len(s)-1]
	for i := 0; i < len(s); {
		if s[i] != '"' {
			j := strings.IndexByte(s[i:], ',')
			if j < 0 {
				j = len(s) - i
			}
			out = append(out, s[i:i+j])
			i += j + 1
			continue
		}
		var b strings.Builder
		for i++; s[i] != '"'; i++ {
			if s[i] == '\\' {
				i++
			}
			b.WriteByte(s[i])
		}
		out = append(out, "="+b.String())
		i += 2
	}
	return out
}

func TestSealText(t *testing.T) {
	t.Parallel()
	rec := &Record{ID: "r_1"}
	keyed, err := newTexts(vault(t), rec)
	if err != nil {
		t.Fatal(err)
	}
	again, err := textsOf(keyed.vault, rec)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("key", func(t *testing.T) { testSealText(t, keyed, again) })
	old := texts{vault: vault(t), id: "r_2"} // of a run from before there were text keys
	t.Run("vault", func(t *testing.T) { testSealText(t, old, old) })
}

func testSealText(t *testing.T, in, out texts) {
	t.Helper()
	for _, n := range []int{0, 1, 1 << 20, 1<<20 + 1, 3 << 20} {
		plain := []byte(strings.Repeat("x", n))
		sealed, err := in.seal(sqlText, plain)
		if err != nil {
			t.Fatal(err)
		}
		got, err := out.open(sqlText, sealed)
		if err != nil || string(got) != string(plain) {
			t.Errorf("%d bytes: %d came back, %v", n, len(got), err)
		}
		if _, err := out.open(paramsText, sealed); err == nil {
			t.Errorf("%d bytes open as another text", n)
		}
		if _, err := (texts{vault: out.vault, id: "r_3"}).open(sqlText, sealed); err == nil {
			t.Errorf("%d bytes open for another run", n)
		}
		if _, err := out.open(sqlText, sealed[:len(sealed)-1]); err == nil {
			t.Errorf("%d bytes open when cut", n)
		}
		if parts, err := splitSealed(sealed); err == nil && len(parts) > 1 {
			if _, err := out.open(sqlText, sealed[:len(sealed)-len(parts[len(parts)-1])-4]); err == nil {
				t.Errorf("%d bytes open without the last piece", n)
			}
		}
	}
}

func TestETAIsTheMedianOfEnough(t *testing.T) {
	t.Parallel()
	var p pace
	two, one := 2, 1
	for i := range 5 {
		if eta := p.eta("c", Wait{Position: &two}); eta != nil {
			t.Errorf("after %d samples: %d", i, *eta)
		}
		p.add("c", 1e9*10, i < 10)
	}
	p.add("c", 1e9*1000, true)
	if eta := p.eta("c", Wait{Position: &two, Ahead: &one}); eta == nil || *eta != 20_000 {
		t.Errorf("eta %v", eta)
	}
	if p.eta("other", Wait{Position: &two}) != nil || p.eta("c", Wait{}) != nil {
		t.Error("a guess about what is not known")
	}
}
