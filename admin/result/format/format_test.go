package format_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/lockkeeper/lockkeeper/admin/result"
	"github.com/lockkeeper/lockkeeper/admin/result/format"
	"github.com/lockkeeper/lockkeeper/admin/result/resulttest"
)

func texts(names ...string) []result.Column {
	var columns []result.Column
	for _, name := range names {
		columns = append(columns, resulttest.Column(name, "text"))
	}
	return columns
}

func TestFormats(t *testing.T) {
	t.Parallel()
	all := []string{"csv", "tsv", "json", "ndjson", "xlsx", "parquet"}
	if diff := cmp.Diff(all, format.Formats(long{count: format.MaxSheetRows, columns: texts("a")})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"csv", "tsv", "json", "ndjson", "parquet"}, format.Formats(long{count: format.MaxSheetRows + 1, columns: texts("a")})); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"csv", "tsv", "json", "ndjson", "xlsx"}, format.Formats(long{count: 1})); diff != "" {
		t.Error(diff)
	}
	for _, name := range all {
		if format.ContentType(name) == "" || format.Extension(name) != "."+name {
			t.Errorf("%s has no content type or no extension", name)
		}
	}
	if format.ContentType("exe") != "" || format.Extension("exe") != "" || !errors.Is(format.Available("exe", long{}), format.ErrUnknown) {
		t.Error("a format that is none is known")
	}
}

// long is a source that only says how long it is.
type long struct {
	count   int64
	columns []result.Column
}

func (l long) Columns() []result.Column { return l.columns }
func (l long) Count() int64             { return l.count }
func (l long) Rows(context.Context, int64, int64) iter.Seq2[[][]byte, error] {
	return func(yield func([][]byte, error) bool) { yield(nil, errors.New("it was read")) }
}

// A refusal comes before the first byte.
func TestTooManyRows(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	err := format.Render(t.Context(), &out, long{count: format.MaxSheetRows + 1, columns: texts("a")}, format.Options{Format: "xlsx"})
	if !errors.Is(err, format.ErrTooManyRows) || out.Len() > 0 {
		t.Errorf("%v after %d bytes", err, out.Len())
	}
	err = format.Render(t.Context(), &out, long{count: 1, columns: texts(make([]string, 16_385)...)}, format.Options{Format: "xlsx"})
	if !errors.Is(err, format.ErrTooWide) || out.Len() > 0 {
		t.Errorf("%v after %d bytes", err, out.Len())
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for _, o := range []format.Options{
		{},
		{Format: "xls"},
		{Format: "csv", Delimiter: '"'},
		{Format: "csv", Delimiter: '\n'},
		{Format: "csv", Delimiter: 0xc3},
		{Format: "csv", Null: "a,b"},
		{Format: "csv", Null: `"`},
		{Format: "csv", Null: "a;b", Delimiter: ';'},
		{Format: "csv", Null: strings.Repeat("N", 65)},
		{Format: "json", Values: "yaml"},
	} {
		if err := format.Render(t.Context(), io.Discard, long{}, o); err == nil || err.Error() == "it was read" {
			t.Errorf("%+v is accepted", o)
		}
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	gone := errors.New("client is gone")
	src := resulttest.Store(t, texts("a"), [][][]byte{{bytes.Repeat([]byte("x"), 1<<18)}, {nil}})
	for _, name := range []string{"csv", "tsv", "json", "ndjson", "xlsx", "parquet"} {
		if err := format.Render(t.Context(), brokenWriter{gone}, src, format.Options{Format: name}); !errors.Is(err, gone) {
			t.Errorf("%s: a writer that fails: %v", name, err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(gone)
		if err := format.Render(ctx, io.Discard, src, format.Options{Format: name}); !errors.Is(err, gone) {
			t.Errorf("%s: canceled: %v", name, err)
		}
	}
}

type brokenWriter struct{ err error }

func (w brokenWriter) Write([]byte) (int, error) { return 0, w.err }

func TestExcelSafe(t *testing.T) {
	t.Parallel()
	columns := []result.Column{resulttest.Column("=name", "text"), resulttest.Column("n", "int4"), resulttest.Column("j", "_int4")}
	src := resulttest.Store(t, columns, [][][]byte{
		resulttest.Row("=1+1", -5, "-x"), resulttest.Row("@sum", nil, "+"), resulttest.Row("\ttab", 5, "\rcr"), resulttest.Row("＝full", 5, nil),
		resulttest.Row("a=b", 5, ""), resulttest.Row(`-"q"`, 5, "{1}"),
	})
	want := "'=name,n,j\n'=1+1,-5,'-x\n'@sum,,'+\n'\ttab,5,\"'\rcr\"\n'＝full,5,\na=b,5,\"\"\n\"'-\"\"q\"\"\",5,{1}\n"
	if got := string(render(t, src, format.Options{Format: "csv", ExcelSafe: true, LF: true})); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	if got := string(render(t, src, format.Options{Format: "csv", LF: true, Delimiter: ';'})); !strings.HasPrefix(got, "=name;n;j\n=1+1;-5;-x\n") {
		t.Errorf("without the option nothing is changed: %q", got)
	}
}

// A text that reads like the word for NULL is quoted.
func TestNullWord(t *testing.T) {
	t.Parallel()
	src := resulttest.Store(t, texts("a", "b"), [][][]byte{resulttest.Row(nil, "NULL"), resulttest.Row("", "null")})
	if got, want := string(render(t, src, format.Options{Format: "csv", LF: true, NoHeader: true, Null: "NULL"})), "NULL,\"NULL\"\n,null\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLongCellInSheet(t *testing.T) {
	t.Parallel()
	for _, text := range []string{strings.Repeat("x", 32_768), strings.Repeat("🙂", 20_000), strings.Repeat("é", 32_767), strings.Repeat("x", 32_767)} {
		src := resulttest.Store(t, texts("a"), [][][]byte{resulttest.Row(text)})
		got := readSheet(t, render(t, src, format.Options{Format: "xlsx"}))[1]["A"].Inline.Text
		units := 0
		for _, r := range got {
			units += utf8.RuneLen(r) / 4 // the second half of a pair
			units++
		}
		if units > 32_767 || !utf8.ValidString(got) {
			t.Errorf("a cell of %d units", units)
		}
		if got != text && !strings.HasSuffix(got, "csv has them all]") {
			t.Errorf("a text is cut and it is not said: %q", got[len(got)-40:])
		}
		if len(text) == 32_767 && got != text || len(text) == 2*32_767 && got != text {
			t.Error("a text that fits is cut")
		}
	}
}

func TestSheetName(t *testing.T) {
	t.Parallel()
	src := resulttest.Store(t, texts("a"), nil)
	file := render(t, src, format.Options{Format: "xlsx", Title: `a/b: "c" <d> & ` + strings.Repeat("e", 40)})
	if len(readSheet(t, file)) != 1 {
		t.Error("the workbook does not read")
	}
}

// Groups of rows of a parquet file hold all rows, in order.
func TestParquetGroups(t *testing.T) {
	t.Parallel()
	var rows [][][]byte
	for i := range 250_001 {
		rows = append(rows, resulttest.Row(i))
	}
	src := resulttest.Store(t, []result.Column{resulttest.Column("a,b", "int4")}, rows)
	names, _, got, _ := readParquet(t, render(t, src, format.Options{Format: "parquet"}))
	if names[0] != "a,b" || len(got) != len(rows) {
		t.Fatalf("%d rows of %d, named %v", len(got), len(rows), names)
	}
	for i := range got {
		if got[i][0] != string(rows[i][0]) {
			t.Fatalf("row %d is %s", i, got[i][0])
		}
	}
}

// endless is a result of equal rows that nobody keeps in memory.
type endless struct {
	long
	row func(i int64) [][]byte
}

func (e endless) Rows(context.Context, int64, int64) iter.Seq2[[][]byte, error] {
	return func(yield func([][]byte, error) bool) {
		for i := range e.count {
			if !yield(e.row(i), nil) {
				return
			}
		}
	}
}

// However long cells are, a parquet file holds a group of rows in memory and a
// few bytes of each page before.
func TestParquetMemory(t *testing.T) { //nolint:paralleltest // it measures the heap
	wide := bytes.Repeat([]byte("wide "), 100_000)
	src := endless{long{1000, texts("n", "wide")}, func(i int64) [][]byte {
		copy(wide, strconv.FormatInt(1_000_000+i, 10))
		return [][]byte{strconv.AppendInt(nil, i, 10), wide}
	}}
	var stats runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&stats)
	before, peak := stats.HeapAlloc, uint64(0)
	look := func(b []byte) (int, error) {
		runtime.GC()
		runtime.ReadMemStats(&stats)
		peak = max(peak, stats.HeapAlloc)
		return len(b), nil
	}
	if err := format.Render(t.Context(), writerFunc(look), src, format.Options{Format: "parquet"}); err != nil {
		t.Fatal(err)
	}
	if held := int64(peak) - int64(before); peak == 0 || held > format.Memory("parquet", int64(1000*len(wide)), 2) {
		t.Errorf("%d MiB were held of %d", held>>20, 1000*len(wide)>>20)
	}
}

// What is left out of the bounds of pages and columns stays findable by them.
func TestParquetBounds(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 5000)
	rows := [][][]byte{
		{[]byte("short"), []byte(strings.Repeat("m", 40)), []byte(long), []byte("\\xff" + strings.Repeat("ff", 40))},
		{[]byte("zebra"), []byte("\U0010ffff\U0010ffff\U0010ffff\U0010ffff\U0010ffff"), []byte("y"), nil},
		{nil, nil, nil, nil},
	}
	columns := []result.Column{resulttest.Column("short", "text"), resulttest.Column("forty", "text"), resulttest.Column("wide", "text"), resulttest.Column("bytes", "bytea")}
	written := render(t, resulttest.Store(t, columns, rows), format.Options{Format: "parquet"})
	file, err := parquet.OpenFile(bytes.NewReader(written), int64(len(written)))
	if err != nil {
		t.Fatal(err)
	}
	for c, chunk := range file.RowGroups()[0].ColumnChunks() {
		index, err := chunk.ColumnIndex()
		if err != nil {
			t.Fatal(err)
		}
		least, greatest := index.MinValue(0).ByteArray(), index.MaxValue(0).ByteArray()
		if len(least) > 16 || len(greatest) > 16 && c != 3 {
			t.Errorf("column %d: bounds of %d and %d bytes", c, len(least), len(greatest))
		}
		for _, row := range rows {
			cell := row[c]
			if c == 3 {
				cell = bytes.Repeat([]byte{0xff}, 41)
			}
			if row[c] != nil && (bytes.Compare(least, cell) > 0 || bytes.Compare(greatest, cell) < 0) {
				t.Errorf("column %d: %q is not between %q and %q", c, cell, least, greatest)
			}
		}
	}
	if _, _, got, _ := readParquet(t, written); got[0][2] != long {
		t.Error("a long cell is another")
	}
}

func TestUniqueNames(t *testing.T) {
	t.Parallel()
	src := resulttest.Store(t, texts("x", "x_2", "x", "", "x", ""), nil)
	names, _, _, _ := readParquet(t, render(t, src, format.Options{Format: "parquet"}))
	if diff := cmp.Diff([]string{"x", "x_2", "x_3", "column_4", "x_4", "column_6"}, names); diff != "" {
		t.Error(diff)
	}
}

// What csv writes, a reader of RFC 4180 reads; NULL and ” are two words.
func FuzzCSV(f *testing.F) {
	f.Add([]byte("a,b"), []byte("\"\r\n"), byte(';'), "NULL")
	f.Add([]byte(""), []byte("\x00"), byte(0), "")
	f.Fuzz(func(t *testing.T, a, b []byte, delimiter byte, null string) {
		o := format.Options{Format: "csv", Delimiter: delimiter, Null: null, NoHeader: true}
		if o.Validate() != nil || !utf8.Valid(a) || !utf8.Valid(b) || bytes.ContainsRune(a, '\r') || bytes.ContainsRune(b, '\r') {
			return // encoding/csv turns CR LF within a cell into LF
		}
		src := resulttest.Store(t, texts("a", "b", "c"), [][][]byte{{a, nil, b}})
		file := render(t, src, o)
		reader := csv.NewReader(bytes.NewReader(file))
		if delimiter != 0 {
			reader.Comma = rune(delimiter)
		}
		record, err := reader.Read()
		if errors.Is(err, csv.ErrFieldCount) || err != nil && strings.Contains(err.Error(), "delimiter") {
			return
		}
		if err != nil || len(record) != 3 || record[0] != string(a) || record[1] != null || record[2] != string(b) {
			t.Fatalf("%q reads as %q: %v", file, record, err)
		}
	})
}

// COPY's unescape of what tsv writes is what was stored.
func FuzzTSV(f *testing.F) {
	f.Add([]byte("a\tb\\N\n\v"), []byte(`\N`))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		src := resulttest.Store(t, texts("a", "b", "c"), [][][]byte{{a, nil, b}})
		file := string(render(t, src, format.Options{Format: "tsv", NoHeader: true}))
		if strings.Count(file, "\t") != 2 || strings.Count(file, "\n") != 1 {
			t.Fatalf("not one line of three cells: %q", file)
		}
		unescape := strings.NewReplacer(`\\`, `\`, `\t`, "\t", `\n`, "\n", `\r`, "\r", `\b`, "\b", `\v`, "\v", `\f`, "\f")
		for i, cell := range strings.Split(strings.TrimSuffix(file, "\n"), "\t") {
			want := [][]byte{a, nil, b}[i]
			if (cell == `\N`) != (want == nil) || want != nil && unescape.Replace(cell) != string(want) {
				t.Fatalf("%q is not %q", cell, want)
			}
		}
	})
}

// JSON is always valid, and its strings are what was stored.
func FuzzJSON(f *testing.F) {
	f.Add([]byte("a\"\\\n\x00\xff"), []byte(`{"a": 1}`), []byte("1e5"))
	f.Add([]byte("\u2028"), []byte(`[`), []byte("-Infinity"))
	f.Fuzz(func(t *testing.T, text, doc, number []byte) {
		columns := []result.Column{resulttest.Column("a", "text"), resulttest.Column(string(text), "json"), resulttest.Column("n", "float8")}
		src := resulttest.Store(t, columns, [][][]byte{{text, doc, number}})
		for _, values := range []format.Values{format.Strings, format.Typed} {
			file := render(t, src, format.Options{Format: "ndjson", Values: values})
			lines := bytes.Split(bytes.TrimSuffix(file, []byte("\n")), []byte("\n"))
			if len(lines) != 2 || !json.Valid(lines[0]) || !json.Valid(lines[1]) {
				t.Fatalf("not two lines of JSON: %q", file)
			}
			var row []any
			if err := json.Unmarshal(lines[1], &row); err != nil {
				return // a number beyond a float, which JSON allows
			}
			if row[0] != strings.ToValidUTF8(string(text), "\ufffd") && utf8.Valid(text) {
				t.Fatalf("%q is not %q", row[0], text)
			}
		}
	})
}

// A sheet is always XML, and its texts come back.
func FuzzSheet(f *testing.F) {
	f.Add([]byte("<&>\x00_x0041_\ufffe"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 32_000 {
			return
		}
		src := resulttest.Store(t, texts("a"), [][][]byte{{text}})
		got := readSheet(t, render(t, src, format.Options{Format: "xlsx"}))[1]["A"].Inline.Text
		if want := strings.ToValidUTF8(string(text), "\ufffd"); utf8.Valid(text) && sheetUnescape(got) != want {
			t.Fatalf("%q comes back as %q", want, sheetUnescape(got))
		}
	})
}

// sheetUnescape reads _xHHHH_ as spreadsheets do.
func sheetUnescape(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if len(s) >= i+7 && s[i:i+2] == "_x" && s[i+6] == '_' {
			if code, err := strconv.ParseUint(s[i+2:i+6], 16, 16); err == nil {
				out.WriteRune(rune(code))
				i += 6
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

func BenchmarkRender(b *testing.B) {
	maker := resulttest.NewOrdinary(20, 1)
	var rows [][][]byte
	for range 50_000 {
		rows = append(rows, resulttest.Copy(maker.Next()))
	}
	src := resulttest.Store(b, maker.Columns(), rows)
	for _, name := range []string{"csv", "tsv", "json", "ndjson", "xlsx", "parquet"} {
		b.Run(name, func(b *testing.B) {
			var size countWriter
			done := resulttest.ReportCPU(b)
			for b.Loop() {
				size = 0
				if err := format.Render(b.Context(), &size, src, format.Options{Format: name}); err != nil {
					b.Fatal(err)
				}
			}
			done(src.Raw())
			b.SetBytes(src.Raw())
			b.ReportMetric(float64(size)/1e6, "MB_file")
		})
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

type countWriter int64

func (w *countWriter) Write(b []byte) (int, error) {
	*w += countWriter(len(b))
	return len(b), nil
}

// Files for other programs to read, if asked for: LOCKKEEPER_RENDER_TO names a
// folder.
func TestRenderTo(t *testing.T) {
	t.Parallel()
	folder := os.Getenv("LOCKKEEPER_RENDER_TO")
	if folder == "" {
		folder = t.TempDir()
	}
	maker := resulttest.NewOrdinary(20, 1)
	var rows [][][]byte
	for range 1000 {
		rows = append(rows, resulttest.Copy(maker.Next()))
	}
	src := resulttest.Store(t, maker.Columns(), rows)
	for _, name := range format.Formats(src) {
		file := render(t, src, format.Options{Format: name})
		if err := os.WriteFile(folder+"/ordinary"+format.Extension(name), file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
