package transform_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/lockkeeper/lockkeeper/admin/result"
	"github.com/lockkeeper/lockkeeper/admin/result/resulttest"
	"github.com/lockkeeper/lockkeeper/admin/result/transform"
)

func table(t *testing.T, types string, rows ...[][]byte) *result.Reader {
	t.Helper()
	var columns []result.Column
	for i, typ := range strings.Fields(types) {
		columns = append(columns, resulttest.Column(string(rune('a'+i)), typ))
	}
	return resulttest.Store(t, columns, rows)
}

// show writes rows as a|b, NULL as ~.
func show(tb testing.TB, src result.Source) []string {
	tb.Helper()
	var out []string
	for _, row := range resulttest.Rows(tb, src, 0, -1) {
		var cells []string
		for _, cell := range row {
			text := string(cell)
			if cell == nil {
				text = "~"
			}
			cells = append(cells, text)
		}
		out = append(out, strings.Join(cells, "|"))
	}
	return out
}

func TestFilter(t *testing.T) {
	t.Parallel()
	src := table(t, "int8 numeric text timestamptz float8 bool",
		resulttest.Row("9007199254740993", "0.10", "Ana", "2026-09-20 01:00:00+02", "NaN", "t"),
		resulttest.Row("9007199254740992", "1e", "ÁNA", "2026-09-19 23:00:00+00", "1e+300", "f"),
		resulttest.Row(nil, "99999999999999999999.000000001", "", "infinity", "-0", nil),
		resulttest.Row("-5", "NaN", nil, nil, nil, "t"),
	)
	for _, test := range []struct{ filter, want string }{
		{`[]`, "0123"},
		{`[{"col":"a","op":"gt","value":"9007199254740992"}]`, "0"},
		{`[{"col":"a","op":"le","value":9007199254740992}]`, "13"},
		{`[{"col":"a","op":"ne","value":"-5"}]`, "01"},
		{`[{"col":"a","op":"isnull"}]`, "2"},
		{`[{"col":2,"op":"notnull"}]`, "012"},
		{`[{"col":"c","op":"eq","value":""}]`, "2"},
		{`[{"col":"c","op":"eq","value":"ana"}]`, ""},
		{`[{"col":"c","op":"contains","value":"aNA"}]`, "0"},
		{`[{"col":"c","op":"contains","value":"ána"}]`, "1"},
		{`[{"col":"c","op":"contains","value":""}]`, "012"},
		{`[{"col":"a","op":"contains","value":"54740"}]`, "01"},
		{`[{"col":"d","op":"eq","value":"2026-09-19 23:00:00+00"}]`, "01"},
		{`[{"col":"d","op":"gt","value":"2026-09-19 23:00:00+00"}]`, "2"},
		{`[{"col":"e","op":"ge","value":"1e300"}]`, "01"},
		{`[{"col":"e","op":"eq","value":0}]`, "2"},
		{`[{"col":"f","op":"eq","value":true}]`, "03"},
		{`[{"col":"a","op":"gt","value":0},{"col":"f","op":"eq","value":"f"}]`, "1"},
	} {
		filter, err := transform.ParseFilter([]byte(test.filter))
		if err != nil {
			t.Errorf("%s: %v", test.filter, err)
			continue
		}
		view, err := transform.Filter(t.Context(), src, filter)
		if err != nil {
			t.Errorf("%s: %v", test.filter, err)
			continue
		}
		var got strings.Builder
		for i, line := range show(t, src) {
			if slices.Contains(show(t, view), line) {
				fmt.Fprint(&got, i)
			}
		}
		if got.String() != test.want || view.Count() != int64(len(test.want)) || view.Total() != 4 {
			t.Errorf("%s: rows %s, %d of %d; want %s", test.filter, &got, view.Count(), view.Total(), test.want)
		}
	}
	// Row 1 has a numeric that none is.
	filter, err := transform.ParseFilter([]byte(`[{"col":"b","op":"gt","value":"1"}]`))
	if err != nil {
		t.Fatal(err)
	}
	var cell *transform.CellError
	if _, err := transform.Filter(t.Context(), src, filter); !errors.As(err, &cell) || cell.Text != "1e" {
		t.Errorf("a cell that does not read: %v", err)
	}
}

func TestFilterIsStrict(t *testing.T) {
	t.Parallel()
	columns := []result.Column{resulttest.Column("a", "int4"), resulttest.Column("x", "date"), resulttest.Column("x", "text")}
	src := resulttest.Store(t, columns, nil)
	for _, test := range []struct{ filter, want string }{
		{`{}`, "filter: does not read"},
		{`[] []`, "something follows"},
		{`[{"col":"a","op":"eq","value":"1","also":2}]`, `unknown field "also"`},
		{`[{"col":"b","op":"isnull"}]`, `filter[0].col: there is no column named "b"`},
		{`[{"col":"x","op":"isnull"}]`, `give the index of the one you mean, as in 1 or 2`},
		{`[{"col":3,"op":"isnull"}]`, "there is no column 3"},
		{`[{"col":-1,"op":"isnull"}]`, "its name or its index"},
		{`[{"col":"a","op":"like","value":"1"}]`, `filter[0].op: is eq, ne`},
		{`[{"col":"a","op":"eq"}]`, "value: is missing; to look for NULL take isnull"},
		{`[{"col":"a","op":"eq","value":null}]`, "value: is missing"},
		{`[{"col":"a","op":"eq","value":"one"}]`, `"one" is not a value of type int4`},
		{`[{"col":1,"op":"lt","value":"20/09/2026"}]`, `is not a value of type date`},
		{`[{"col":"a","op":"eq","value":[1]}]`, "is a string, a number or a boolean"},
		{`[{"col":"a","op":"isnull","value":"1"}]`, "isnull takes none"},
		{"[" + strings.TrimSuffix(strings.Repeat(`{"col":"a","op":"isnull"},`, 51), ",") + "]", "at most 50"},
		{`["` + strings.Repeat("x", 70_000) + `"]`, "longer than"},
	} {
		filter, err := transform.ParseFilter([]byte(test.filter))
		if err == nil {
			_, err = transform.Filter(t.Context(), src, filter)
		}
		var spec *transform.SpecError
		if !errors.As(err, &spec) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%.60s: got %v, want %q", test.filter, err, test.want)
		}
	}
}

// Pages of a filtered and of a sorted view are the rows at their places.
func TestViewPages(t *testing.T) {
	t.Parallel()
	var rows [][][]byte
	for i := range 20_000 {
		rows = append(rows, resulttest.Row(i, i*7919%20_000))
	}
	src := table(t, "int4 int4", rows...)
	filtered, err := transform.Filter(t.Context(), src, []transform.Condition{{Column: transform.Ref{Name: "b"}, Op: "lt", Value: transform.Text{Text: "15000", Given: true}}})
	if err != nil {
		t.Fatal(err)
	}
	sorted, err := transform.Sort(t.Context(), filtered, []transform.Key{{Column: transform.Ref{Name: "b"}, Desc: true}})
	if err != nil {
		t.Fatal(err)
	}
	for _, view := range []result.Source{filtered, sorted} {
		all := resulttest.Rows(t, view, 0, -1)
		if len(all) != 15_000 || view.Count() != 15_000 {
			t.Fatalf("%d rows, %d said", len(all), view.Count())
		}
		for _, offset := range []int{0, 1, 1023, 1024, 1025, 9_999, 14_999, 15_000, 99_999} {
			want := all[min(offset, len(all)):min(offset+10, len(all))]
			if got := resulttest.Rows(t, view, int64(offset), 10); !resulttest.Equal(got, want) {
				t.Errorf("%T: the page at %d differs", view, offset)
			}
		}
	}
	if string(resulttest.Rows(t, sorted, 3, 1)[0][1]) != "14996" || sorted.Total() != 20_000 {
		t.Error("not sorted, or not said of how many")
	}
}

func TestSort(t *testing.T) {
	t.Parallel()
	src := table(t, "numeric text int4",
		resulttest.Row("10", "b", 0), resulttest.Row("9.5", "a", 1), resulttest.Row(nil, "", 2), resulttest.Row("NaN", nil, 3),
		resulttest.Row("10.00", "a", 4), resulttest.Row("-10", "b", 5), resulttest.Row("9.50", "a", 6),
	)
	for _, test := range []struct{ keys, want string }{
		{`[{"col":"a"}]`, "5160432"},
		{`[{"col":"a","desc":true}]`, "2304165"},
		{`[{"col":"a","nulls":"first"}]`, "2516043"},
		{`[{"col":"a","desc":true,"nulls":"last"}]`, "3041652"},
		{`[{"col":"b"},{"col":"a","desc":true}]`, "2416053"},
		{`[{"col":1,"desc":true,"nulls":"last"},{"col":0}]`, "5016423"},
		{`[{"col":"c","desc":true}]`, "6543210"},
	} {
		keys, err := transform.ParseSort([]byte(test.keys))
		if err != nil {
			t.Fatal(err)
		}
		view, err := transform.Sort(t.Context(), src, keys)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, row := range resulttest.Rows(t, view, 0, -1) {
			got += string(row[2])
		}
		if got != test.want {
			t.Errorf("%s: got %s, want %s", test.keys, got, test.want)
		}
	}
}

func TestSortIsBounded(t *testing.T) {
	t.Parallel()
	one := []transform.Key{{Column: transform.Ref{Index: 0, ByIndex: true}}}
	if _, err := transform.Sort(t.Context(), endless{transform.MaxSortRows + 1, 8}, one); !errors.Is(err, transform.ErrSortTooLarge) {
		t.Errorf("too many rows: %v", err)
	}
	if _, err := transform.Sort(t.Context(), endless{3000, 100_000}, one); !errors.Is(err, transform.ErrSortTooLarge) {
		t.Errorf("too many bytes: %v", err)
	}
	for _, keys := range []string{`[]`, `[{"col":"b"}]`, `[{"col":0,"nulls":"middle"}]`, `[{"col":0,"dir":"asc"}]`} {
		parsed, err := transform.ParseSort([]byte(keys))
		if err == nil {
			_, err = transform.Sort(t.Context(), endless{1, 1}, parsed)
		}
		if _, ok := errors.AsType[*transform.SpecError](err); !ok {
			t.Errorf("%s: %v", keys, err)
		}
	}
}

// endless is a source of count rows with one cell of width bytes, that all differ.
type endless struct {
	count int64
	width int
}

func (e endless) Columns() []result.Column { return []result.Column{resulttest.Column("a", "text")} }
func (e endless) Count() int64             { return e.count }
func (e endless) Rows(context.Context, int64, int64) iter.Seq2[[][]byte, error] {
	return func(yield func([][]byte, error) bool) {
		cell := make([]byte, e.width)
		for i := range e.count {
			copy(cell, fmt.Sprintf("%08d", i))
			if !yield([][]byte{cell}, nil) {
				return
			}
		}
	}
}

// Sorting agrees with the obvious way, whatever the values.
func TestSortAgainstObvious(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	var rows [][][]byte
	for i := range 5000 {
		rows = append(rows, resulttest.Row(rng.IntN(50)-25, strings.Repeat("x", rng.IntN(12)), i))
	}
	view, err := transform.Sort(t.Context(), table(t, "int4 text int4", rows...), []transform.Key{{Column: transform.Ref{Name: "b"}}, {Column: transform.Ref{Name: "a"}, Desc: true}})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(rows, func(a, b [][]byte) int {
		x, err1 := strconv.Atoi(string(a[0]))
		y, err2 := strconv.Atoi(string(b[0]))
		if err1 != nil || err2 != nil {
			t.Error(err1, err2)
		}
		if c := strings.Compare(string(a[1]), string(b[1])); c != 0 {
			return c
		}
		return y - x
	})
	if !resulttest.Equal(resulttest.Rows(t, view, 0, -1), rows) {
		t.Error("the order differs")
	}
}

// Specs from strangers never panic, and what reads is either done or refused.
func FuzzSpecs(f *testing.F) {
	f.Add([]byte(`[{"col":"a","op":"ge","value":"10"}]`))
	f.Add([]byte(`[{"col":1,"desc":true,"nulls":"last"}]`))
	f.Add([]byte(`{"v":1,"type":"line","x":"a","y":[{"col":"b","agg":"sum"}],"series":"c","limit_series":2}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		src := table(t, "int4 numeric text date", resulttest.Row(1, "2.5", "x", "2026-09-20"), resulttest.Row(nil, nil, nil, nil))
		if filter, err := transform.ParseFilter(text); err == nil {
			if view, err := transform.Filter(t.Context(), src, filter); err == nil && int(view.Count()) != len(show(t, view)) {
				t.Fatal("a view counts wrongly")
			}
		}
		if keys, err := transform.ParseSort(text); err == nil {
			if view, err := transform.Sort(t.Context(), src, keys); err == nil && view.Count() != 2 {
				t.Fatal("sorting loses rows")
			}
		}
		if spec, err := transform.ParseSpec(text); err == nil {
			if data, err := transform.Aggregate(t.Context(), src, spec); err == nil && (data.Rows != 2 || len(data.Points) == 0) {
				t.Fatalf("a chart of %d rows and %d points", data.Rows, len(data.Points))
			}
		}
	})
}
