package format_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/admin/result"
	"github.com/lockkeeper/lockkeeper/admin/result/format"
	"github.com/lockkeeper/lockkeeper/admin/result/resulttest"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

// ask runs SQL on a real server and returns what it sends, in text.
func ask(t *testing.T, pg *proxytest.Postgres, sql string) ([]result.Column, [][][]byte) {
	t.Helper()
	results, err := pg.Super(t).PgConn().Exec(t.Context(), sql).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	last := results[len(results)-1]
	var columns []result.Column
	for _, f := range last.FieldDescriptions {
		columns = append(columns, result.Column{Name: f.Name, Type: fmt.Sprint(f.DataTypeOID), OID: f.DataTypeOID, Typmod: f.TypeModifier})
	}
	return columns, last.Rows
}

// Each line of the golden file is a value that Postgres sent, and what each
// format makes of it: the table of docs/results.md, read from files.
func TestTypes(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPrivate(t)
	source, err := os.ReadFile(filepath.Join("testdata", "values.sql"))
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for line := range strings.Lines(string(source)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "--") {
			values = append(values, line)
		}
	}
	columns, rows := ask(t, pg, "set timezone='Europe/Madrid'; select "+strings.Join(values, ",\n"))
	for i := range columns {
		columns[i].Name = fmt.Sprintf("c%d", i)
	}
	src := resulttest.Store(t, columns, rows)
	if !resulttest.Equal(resulttest.Rows(t, src, 0, -1), rows) {
		t.Fatal("what is stored is not what the server sent")
	}

	lines := strings.Split(strings.TrimSuffix(string(render(t, src, format.Options{Format: "csv", Delimiter: '\x02', NoHeader: true})), "\r\n"), "\x02")
	tabs := strings.Split(strings.TrimSuffix(string(render(t, src, format.Options{Format: "tsv", NoHeader: true})), "\n"), "\t")
	plain, typed := jsonCells(t, src, format.Strings), jsonCells(t, src, format.Typed)
	sheet := readSheet(t, render(t, src, format.Options{Format: "xlsx"}))[1]
	added := readSheet(t, render(t, src, format.Options{Format: "xlsx", NumericCells: true}))[1]
	_, types, cells, _ := readParquet(t, render(t, src, format.Options{Format: "parquet"}))

	var got strings.Builder
	for i, value := range values {
		fmt.Fprintf(&got, "%s\n", value)
		for _, line := range []struct{ format, text string }{
			{"csv", lines[i]},
			{"tsv", tabs[i]},
			{"json", plain[i]},
			{"json typed", typed[i]},
			{"xlsx", sheetText(sheet, i)},
			{"xlsx numbers", sheetText(added, i)},
			{"parquet", types[i] + " " + cells[0][i]},
		} {
			fmt.Fprintf(&got, "  %-12s %s\n", line.format, short(line.text))
		}
	}
	golden(t, "types.golden", got.String())
}

func sheetText(cells map[string]sheetCell, column int) string {
	name := string(rune('A' + column%26))
	if column >= 26 {
		name = string(rune('A'+column/26-1)) + name
	}
	c, found := cells[name]
	if !found {
		return "empty"
	}
	return c.String()
}

func jsonCells(t *testing.T, src result.Source, values format.Values) []string {
	t.Helper()
	var doc struct {
		Rows [][]json.RawMessage `json:"rows"`
	}
	if err := json.Unmarshal(render(t, src, format.Options{Format: "json", Values: values}), &doc); err != nil {
		t.Fatal(err)
	}
	var cells []string
	for _, cell := range doc.Rows[0] {
		cells = append(cells, string(cell))
	}
	return cells
}

// short keeps lines readable: long digits are counted.
func short(s string) string {
	s = strings.NewReplacer("\n", "⏎", "\t", "⇥", "\r", "␍").Replace(s)
	if len(s) > 120 {
		return fmt.Sprintf("%s… (%d bytes)", s[:40], len(s))
	}
	return s
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Error(diff)
	}
}

// The check that was written first: it comes back bit by bit from each format,
// with two columns of one name and NULL apart from ”.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	pg := proxytest.StartPrivate(t)
	columns, rows := ask(t, pg, `select 9223372036854775807::int8, 0.1::numeric(38,20), null, '', 'a' as x, 'b' as x`)
	src := resulttest.Store(t, columns, rows)
	want := []string{"9223372036854775807", "0.10000000000000000000", `\N`, "", "a", "b"}

	file := string(render(t, src, format.Options{Format: "csv", Null: `\N`}))
	if wantFile := "int8,numeric,?column?,?column?,x,x\r\n9223372036854775807,0.10000000000000000000,\\N,,a,b\r\n"; file != wantFile {
		t.Errorf("csv: got %q, want %q", file, wantFile)
	}
	records, err := csv.NewReader(strings.NewReader(file)).ReadAll()
	if err != nil || !cmp.Equal(records[1], want) {
		t.Errorf("csv: %v %q", err, records)
	}
	if got := string(render(t, src, format.Options{Format: "csv", LF: true, NoHeader: true})); got != "9223372036854775807,0.10000000000000000000,,\"\",a,b\n" {
		t.Errorf("csv with the default for NULL: %q", got)
	}
	if got := string(render(t, src, format.Options{Format: "tsv", NoHeader: true})); got != strings.Join(want, "\t")+"\n" {
		t.Errorf("tsv: %q", got)
	}
	jsonRow := `["9223372036854775807","0.10000000000000000000",null,"","a","b"]`
	names := `{"columns":[{"name":"int8","type":"20","oid":20},{"name":"numeric","type":"1700","oid":1700},{"name":"?column?","type":"25","oid":25},` +
		`{"name":"?column?","type":"25","oid":25},{"name":"x","type":"25","oid":25},{"name":"x","type":"25","oid":25}]`
	if got := string(render(t, src, format.Options{Format: "json"})); got != names+",\"rows\":[\n"+jsonRow+"\n]}\n" {
		t.Errorf("json: %s", got)
	}
	if got := string(render(t, src, format.Options{Format: "ndjson"})); got != names+"}\n"+jsonRow+"\n" {
		t.Errorf("ndjson: %s", got)
	}
	sheet := readSheet(t, render(t, src, format.Options{Format: "xlsx"}))
	got := make([]string, len(want))
	for i := range got {
		got[i] = sheetText(sheet[1], i)
	}
	if diff := cmp.Diff([]string{"text " + want[0], "text " + want[1], "empty", "text ", "text a", "text b"}, got); diff != "" {
		t.Errorf("xlsx: %s", diff)
	}
	columnNames, _, cells, meta := readParquet(t, render(t, src, format.Options{Format: "parquet"}))
	if diff := cmp.Diff([]string{"int8", "numeric", "?column?", "?column?_2", "x", "x_2"}, columnNames); diff != "" {
		t.Errorf("parquet: %s", diff)
	}
	if diff := cmp.Diff([]string{want[0], "10000000000000000000", "NULL", "", "a", "b"}, cells[0]); diff != "" {
		t.Errorf("parquet: %s", diff)
	}
	if !strings.Contains(meta["lockkeeper.columns"], `{"name":"x_2","original":"x","type":"25","oid":25}`) {
		t.Errorf("parquet metadata: %v", meta)
	}
}
