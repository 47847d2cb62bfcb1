package sqllex

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("rewrite", false, "write what the code says into the golden files")

// TestGolden runs testdata/*.txt. A case is
//
//	== postgres|redshift [backslash] [binds]
//	text, in which \n, \r, \xNN and \\ may be written as Go does
//	--
//	what comes out: tokens, statements, mask, binds
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("find golden files: %v, %d found", err, len(files))
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			old, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := runGolden(t, string(old))
			if *rewrite {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(old), got); diff != "" {
				t.Errorf("-golden +got\n%s", diff)
			}
		})
	}
}

func runGolden(t *testing.T, text string) string {
	t.Helper()
	parts := strings.Split("\n"+text, "\n== ")
	var b strings.Builder
	b.WriteString(strings.TrimPrefix(parts[0], "\n"))
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	for i, part := range parts[1:] {
		head, rest, _ := strings.Cut(part, "\n")
		sql, _, _ := strings.Cut(rest, "\n--\n")
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "== %s\n%s\n--\n%s", head, sql, describe(unwrite(sql), modeOf(head)))
	}
	return b.String()
}

func modeOf(head string) Mode {
	var m Mode
	for w := range strings.FieldsSeq(head) {
		switch w {
		case "redshift":
			m.Dialect = Redshift
		case "backslash":
			m.Backslash = true
		case "binds":
			m.Binds = true
		}
	}
	return m
}

// unwrite resolves the few escapes of a golden text; a doubled backslash is one.
func unwrite(s string) string {
	return strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r", `\xff`, "\xff").Replace(s)
}

var kindNames = [...]string{
	"space", "line", "block", "word", "quoted", "uquoted", "string", "estring", "ustring", "bits",
	"dollar", "number", "param", "bind", "op", "punct", "bad",
}

func describe(sql string, mode Mode) string {
	var b strings.Builder
	l := New(sql, mode)
	for {
		tok, ok := l.Next()
		if !ok {
			break
		}
		if tok.Kind != Space {
			fmt.Fprintf(&b, "%-7s %q\n", kindNames[tok.Kind], sql[tok.Start:tok.End])
		}
	}
	for _, p := range Split(sql, mode, 0) {
		fmt.Fprintf(&b, "stmt    %q\n", sql[p.Start:p.End])
	}
	masked, _ := Mask(nil, sql, mode, PlainNames, 1<<20)
	fmt.Fprintf(&b, "mask    %s\n", strings.ToValidUTF8(string(masked), "�"))
	if mode.Binds {
		for _, r := range Binds(sql, mode) {
			fmt.Fprintf(&b, "bind    %s at %d\n", r.Name, r.Start)
		}
	}
	return b.String()
}
