package sqllex

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func modes(f func(Mode)) {
	for _, d := range []Dialect{Postgres, Redshift} {
		for _, backslash := range []bool{false, true} {
			for _, binds := range []bool{false, true} {
				f(Mode{Dialect: d, Backslash: backslash, Binds: binds})
			}
		}
	}
}

func seed(f *testing.F) {
	f.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for part := range strings.SplitSeq(string(text), "\n== ") {
			_, rest, _ := strings.Cut(part, "\n")
			sql, _, _ := strings.Cut(rest, "\n--\n")
			f.Add(unwrite(sql))
		}
	}
}

// FuzzSplit holds the promises of the package over any input in every mode.
func FuzzSplit(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, src string) {
		modes(func(m Mode) {
			tile(t, src, m)
			pieces(t, src, m)
		})
	})
}

// tile: tokens follow each other without gap or overlap and none is empty.
func tile(t *testing.T, src string, m Mode) {
	t.Helper()
	end := 0
	l := New(src, m)
	for {
		tok, ok := l.Next()
		if !ok {
			break
		}
		if tok.Start != end || tok.End <= tok.Start || tok.End > len(src) {
			t.Fatalf("%+v %q: token %+v after %d", m, src, tok, end)
		}
		end = tok.End
	}
	if end != len(src) {
		t.Fatalf("%+v %q: tokens end at %d", m, src, end)
	}
}

// pieces: a statement alone has the tokens it had in the whole, and is one
// statement; between statements stands nothing that means anything but semicolons.
func pieces(t *testing.T, src string, m Mode) {
	t.Helper()
	spans := Split(src, m, 0)
	l := New(src, m)
	next := func(l *Lexer) (Token, bool) {
		for {
			tok, ok := l.Next()
			if !ok || !tok.Kind.Insignificant() {
				return tok, ok
			}
		}
	}
	for _, p := range spans {
		own := New(src[p.Start:p.End], m)
		for {
			tok, ok := next(&own)
			if !ok {
				break
			}
			whole, _ := next(&l)
			for whole.Start < p.Start && src[whole.Start] == ';' {
				whole, _ = next(&l)
			}
			if whole.Kind != tok.Kind || whole.Start != tok.Start+p.Start || whole.End != tok.End+p.Start {
				t.Fatalf("%+v %q: piece %q has %+v, the whole %+v", m, src, src[p.Start:p.End], tok, whole)
			}
		}
		if again := Split(src[p.Start:p.End], m, 0); len(again) != 1 || again[0] != (Span{0, p.End - p.Start}) {
			t.Fatalf("%+v %q: piece %q splits again: %v", m, src, src[p.Start:p.End], again)
		}
	}
	for {
		tok, ok := next(&l)
		if !ok {
			return
		}
		if src[tok.Start:tok.End] != ";" {
			t.Fatalf("%+v %q: token %+v is in no piece", m, src, tok)
		}
	}
}

// FuzzMask: a marker planted in every kind of literal never comes through, and the
// masked text holds no quote, no digit outside names and parameters, no comment.
func FuzzMask(f *testing.F) {
	seed(f)
	f.Fuzz(func(t *testing.T, src string) {
		modes(func(m Mode) {
			masked, cut := Mask(nil, src, m, NoNames, len(src)*2+8)
			if cut {
				t.Fatalf("%+v %q: cut at twice its size", m, src)
			}
			if once, again := Hash(src, m), Hash(src, m); once != again {
				t.Fatal("hash differs from itself")
			}
			l := New(string(masked), m)
			for {
				tok, ok := l.Next()
				if !ok {
					break
				}
				text := string(masked[tok.Start:tok.End])
				if strings.ContainsAny(text, `'"`) {
					t.Fatalf("%+v %q: masked %q holds a quote", m, src, masked)
				}
				if tok.Kind == Number || tok.Kind.Text() && tok.Kind != Dollar {
					t.Fatalf("%+v %q: masked %q holds %q", m, src, masked, text)
				}
			}
			whole, _ := Mask(nil, src, m, NoNames, 1<<30)
			short, _ := Mask(nil, src, m, NoNames, 7)
			if !strings.HasPrefix(string(whole), string(short)) || len(short) > 7 {
				t.Fatalf("%+v %q: %q is not the start of %q", m, src, short, whole)
			}
		})
	})
}
