package sqlparse

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/policy"
	"github.com/lockkeeper/lockkeeper/policy/sqllex"
)

var rewrite = flag.Bool("rewrite", false, "write what the code says into the golden files")

// TestGolden runs testdata/facts/*.txt. A case is
//
//	== postgres|redshift [std=off|std=unknown] [encoding=NAME]
//	the string, in which \n, \r, \xNN for a byte and \\ may be written as in Go
//	----
//	its facts
func TestGolden(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/facts/*.txt")
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
	p := newParser(t, Config{})
	parts := strings.Split("\n"+text, "\n== ")
	var b strings.Builder
	b.WriteString(strings.TrimSpace(parts[0]) + "\n")
	for _, part := range parts[1:] {
		head, rest, _ := strings.Cut(part, "\n")
		sql, _, _ := strings.Cut(rest, "\n----")
		sql = strings.TrimRight(sql, "\n")
		fmt.Fprintf(&b, "\n== %s\n%s\n----\n%s", head, sql, describe(p.Parse([]byte(unwrite(sql)), envOf(t, head))))
	}
	return b.String()
}

func envOf(tb testing.TB, head string) Env {
	tb.Helper()
	env := Env{StdStrings: On}
	for w := range strings.FieldsSeq(head) {
		switch key, value, _ := strings.Cut(w, "="); {
		case w == "postgres":
		case w == "redshift":
			env.Dialect = sqllex.Redshift
		case w == "std=on":
		case w == "std=off":
			env.StdStrings = Off
		case w == "std=unknown":
			env.StdStrings = Unknown
		case key == "encoding":
			env.Encoding = value
		default:
			tb.Fatalf("word %q in %q", w, head)
		}
	}
	return env
}

// unwrite resolves the escapes of a test file.
func unwrite(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 'r':
			b.WriteByte('\r')
		case 't':
			b.WriteByte('\t')
		case 'x':
			var c byte
			_, _ = fmt.Sscanf(s[i+1:i+3], "%02x", &c)
			b.WriteByte(c)
			i += 2
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

var featureNames = [...]string{
	"where", "limit", "catalog", "implicit_commit", "wire", "program", "server_file", "secret", "explain", "for_update", "hold",
	"set", "set_local", "notify", "constraints", "advisory", "large_object", "cursor", "temp", "lock", "sequence", "volatile",
}

var unknownNames = [...]string{"verbs", "reads", "writes", "functions", "where", "limit", "effects"}

var txNames = [...]string{
	"", "begin", "commit", "rollback", "savepoint", "release", "rollback_to", "prepare", "commit_prepared", "rollback_prepared", "set",
}

var prepareNames = [...]string{"", "define", "execute", "deallocate"}

func bits(v uint32, names []string) string {
	var out []string
	for i, n := range names {
		if v&(1<<i) != 0 {
			out = append(out, n)
		}
	}
	return strings.Join(out, " ")
}

func describe(b *policy.Batch) string {
	var out strings.Builder
	line := func(key string, value any) {
		if s := fmt.Sprint(value); s != "" && s != "[]" {
			fmt.Fprintf(&out, "%-9s %s\n", key, s)
		}
	}
	if b.Empty {
		line("empty", "yes")
	}
	for _, tag := range b.Tags {
		line("tag", tag.Key+" = "+tag.Value)
	}
	for i := range b.Statements {
		s := &b.Statements[i]
		line("kind", s.Kind.String()+": "+s.Verbs.String()+" ("+s.PgAudit+")")
		line("reads", relations(s.Reads))
		line("writes", relations(s.Writes))
		line("calls", s.Functions)
		line("features", bits(uint32(s.Features), featureNames[:]))
		unknown := bits(uint32(s.Unknown), unknownNames[:])
		if s.Unknown == policy.UnknownAll {
			unknown = "all"
		}
		line("unknown", unknown)
		tx := txNames[s.Tx]
		if s.TxChain {
			tx += " and chain"
		}
		line("tx", strings.TrimSpace(tx+" "+s.TxModes))
		line("prepare", strings.TrimSpace(prepareNames[s.Prepare]+" "+s.Prepared))
		line("cursor", s.Cursor)
		line("setting", strings.TrimSpace(s.Setting+" "+s.SettingValue))
		line("masked", s.Masked)
	}
	if len(b.Statements) > 1 {
		line("batch", b.Verbs.String()+" | "+bits(uint32(b.Features), featureNames[:]))
	}
	return out.String()
}

func relations(l []policy.Relation) string {
	var out []string
	for _, r := range l {
		out = append(out, r.String())
	}
	return strings.Join(out, " ")
}
