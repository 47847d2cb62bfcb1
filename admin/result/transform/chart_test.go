package transform_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/admin/result"
	"github.com/lockkeeper/lockkeeper/admin/result/resulttest"
	"github.com/lockkeeper/lockkeeper/admin/result/transform"
	"github.com/lockkeeper/lockkeeper/proxy/proxytest"
)

func chart(t *testing.T, src result.Source, spec string) (*transform.Data, error) {
	t.Helper()
	parsed, err := transform.ParseSpec([]byte(spec))
	if err != nil {
		return nil, err
	}
	return transform.Aggregate(t.Context(), src, parsed)
}

// points writes x/series: y y, NULL as ~.
func points(t *testing.T, src result.Source, spec string) string {
	t.Helper()
	d, err := chart(t, src, spec)
	if err != nil {
		t.Fatalf("%s: %v", spec, err)
	}
	word := func(s *string) string {
		if s == nil {
			return "~"
		}
		return *s
	}
	var out []string
	for _, p := range d.Points {
		s := d.Series[p.Series]
		name := word(s.Name)
		if s.Other {
			name = "(other)"
		}
		line := word(p.X) + "/" + name + ":"
		for _, y := range p.Y {
			line += " " + word(y)
		}
		out = append(out, line)
	}
	return strings.Join(out, "; ")
}

func TestAggregate(t *testing.T) {
	t.Parallel()
	src := table(t, "date text int8 numeric float8 timestamptz",
		resulttest.Row("2026-09-21", "a", "9223372036854775807", "0.10", "0.1", "2026-09-21 00:30:00+02"),
		resulttest.Row("2026-09-21", "a", "9223372036854775807", "0.20", "0.2", "2026-09-20 23:30:00+02"),
		resulttest.Row("2026-09-20", "b", "1", "1e", nil, "2026-10-01 00:00:00+02"),
		resulttest.Row("2026-10-01", "", nil, nil, "NaN", nil),
		resulttest.Row(nil, nil, "-3", nil, "1", "infinity"),
	)
	for _, test := range []struct{ spec, want string }{
		{`"type":"line","x":"a","y":[{"col":"c","agg":"sum"}]`, "2026-09-20/~: 1; 2026-09-21/~: 18446744073709551614; 2026-10-01/~: ~; ~/~: -3"},
		{`"type":"line","x":"a","y":[{"col":"c","agg":"sum"}],"nulls":"zero","sort":"-x"`, "~/~: -3; 2026-10-01/~: 0; 2026-09-21/~: 18446744073709551614; 2026-09-20/~: 1"},
		{`"type":"bar","x":"b","y":[{"agg":"count"},{"col":"c","agg":"count"}],"sort":"none"`, "a/~: 2 2; b/~: 1 1; /~: 1 0; ~/~: 1 1"},
		{
			`"type":"bar","x":"b","y":[{"col":"c","agg":"max"},{"col":"c","agg":"min"},{"col":"c","agg":"avg"}],"sort":"-y"`,
			"a/~: 9223372036854775807 9223372036854775807 9223372036854775807; b/~: 1 1 1; ~/~: -3 -3 -3; /~: ~ ~ ~",
		},
		{`"type":"bar","x":"a","x_bucket":"month","y":[{"agg":"count"}]`, "2026-09-01/~: 3; 2026-10-01/~: 1; ~/~: 1"},
		{`"type":"bar","x":"a","x_bucket":"week","y":[{"agg":"count"}]`, "2026-09-14/~: 1; 2026-09-21/~: 2; 2026-09-28/~: 1; ~/~: 1"},
		{`"type":"bar","x":"f","x_bucket":"day","y":[{"agg":"count"}]`, "2026-09-20/~: 1; 2026-09-21/~: 1; 2026-10-01/~: 1; infinity/~: 1; ~/~: 1"},
		{`"type":"line","x":"a","series":"b","y":[{"agg":"count"}]`, "2026-09-20/b: 1; 2026-09-21/a: 2; 2026-10-01/: 1; ~/~: 1"},
		{`"type":"line","x":"a","series":"b","y":[{"col":"c","agg":"sum"}],"limit_series":1`, "2026-09-20/(other): 1; 2026-09-21/a: 18446744073709551614; 2026-10-01/(other): ~; ~/(other): -3"},
		{`"type":"number","y":[{"col":"e","agg":"max"},{"col":"a","agg":"max"},{"col":"b","agg":"min"}]`, "~/~: NaN 2026-10-01 "},
		{`"type":"number","y":[{"col":"a","agg":"median"},{"col":"c","agg":"median"}]`, "~/~: 2026-09-21 4611686018427387904"},
		{`"type":"scatter","x":"c","y":[{"col":"d"}],"series":"b"`, "9223372036854775807/a: 0.10; 9223372036854775807/a: 0.20; 1/b: 1e; ~/: ~; -3/~: ~"},
	} {
		if got := points(t, src, `{"v":1,`+test.spec+`}`); got != test.want {
			t.Errorf("%s\n got  %s\n want %s", test.spec, got, test.want)
		}
	}
	var cell *transform.CellError
	if _, err := chart(t, src, `{"v":1,"type":"number","y":[{"col":"d","agg":"sum"}]}`); !errors.As(err, &cell) {
		t.Errorf("a cell that does not read: %v", err)
	}
}

// Sums and averages of decimals have every digit; Postgres is the oracle.
func TestExact(t *testing.T) {
	t.Parallel()
	conn := proxytest.StartPrivate(t).Super(t)
	rng := rand.New(rand.NewPCG(3, 4))
	for round := range 12 {
		var rows [][][]byte
		var list []string
		for range 1 + rng.IntN(60) {
			n := big.NewInt(rng.Int64() - 1<<62)
			for range round % 4 {
				n.Mul(n, big.NewInt(rng.Int64()))
			}
			text := new(big.Rat).SetFrac(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(rng.IntN(round*3+1))), nil)).FloatString(rng.IntN(round*3 + 1))
			rows, list = append(rows, resulttest.Row(text)), append(list, text)
		}
		var sum string
		if err := conn.QueryRow(t.Context(), `select sum(x::numeric)::text from unnest($1::text[]) x`, list).Scan(&sum); err != nil {
			t.Fatal(err)
		}
		got := points(t, table(t, "numeric", rows...), `{"v":1,"type":"number","y":[{"col":"a","agg":"sum"},{"col":"a","agg":"avg"}]}`)
		gotSum, gotAvg, _ := strings.Cut(strings.TrimPrefix(got, "~/~: "), " ")
		if gotSum != sum {
			t.Errorf("sum of %v: got %s, want %s", list, gotSum, sum)
		}
		// The average is right to the sixteenth digit after the point, where
		// Postgres' own stops at the sixteenth of all.
		a, ok1 := new(big.Rat).SetString(gotAvg)
		s, ok2 := new(big.Rat).SetString(sum)
		if !ok1 || !ok2 {
			t.Fatalf("%q or %q does not read", gotAvg, sum)
		}
		if d := a.Sub(a, s.Quo(s, big.NewRat(int64(len(list)), 1))); d.Abs(d).Cmp(big.NewRat(1, 1e16)) > 0 {
			t.Errorf("average of %v: %s is not %s / %d", list, gotAvg, sum, len(list))
		}
	}
	for values, want := range map[string]string{
		"1 2": "3 1.5", "1.10 2.20": "3.30 1.65", "0.1 0.1 0.1": "0.3 0.1", "1 1 0": "2 0.6666666666666667", "-1 -1 0": "-2 -0.6666666666666667", "NaN 1": "NaN NaN",
		"Infinity 1": "Infinity Infinity", "Infinity -Infinity": "NaN NaN", "0.00 0": "0.00 0.00", "5 5": "10 5",
	} {
		var rows [][][]byte
		for v := range strings.FieldsSeq(values) {
			rows = append(rows, resulttest.Row(v))
		}
		if got := points(t, table(t, "numeric", rows...), `{"v":1,"type":"number","y":[{"col":"a","agg":"sum"},{"col":"a","agg":"avg"}]}`); got != "~/~: "+want {
			t.Errorf("%s: got %s, want %s", values, got, want)
		}
	}
}

func TestChartIsBounded(t *testing.T) {
	t.Parallel()
	many := endless{transform.MaxPoints + 1, 8}
	_, err := chart(t, many, `{"v":1,"type":"line","x":"a","y":[{"agg":"count"}]}`)
	if !errors.Is(err, transform.ErrTooManyGroups) {
		t.Errorf("too many points: %v", err)
	}
	if _, err := chart(t, endless{200_000, 8}, `{"v":1,"type":"line","x":"a","y":[{"agg":"count"}]}`); !errors.Is(err, transform.ErrTooManyGroups) {
		t.Errorf("too many groups: %v", err)
	}
	d, err := chart(t, many, `{"v":1,"type":"number","y":[{"agg":"count"}],"series":"a","limit_series":3}`)
	if err != nil || len(d.Series) != 4 || *d.Points[3].Y[0] != fmt.Sprint(transform.MaxPoints-2) {
		t.Errorf("many series become a few and the others: %v", err)
	}
	d, err = chart(t, many, `{"v":1,"type":"scatter","x":"a","y":[{"col":"a"}]}`)
	if err != nil || len(d.Points) != 2501 || d.Rows != 2501 || d.Of != transform.MaxPoints+1 {
		t.Errorf("a scatter chart of too many rows shows some of them: %d, %v", len(d.Points), err)
	}
	if _, err := chart(t, many, `{"v":1,"type":"scatter","x":"a","y":[{"col":"a"}],"series":"a"}`); !errors.Is(err, transform.ErrTooManyGroups) {
		t.Errorf("a scatter chart of too many series: %v", err)
	}
	var rows [][][]byte
	for i := range 1_000_001 {
		rows = append(rows, resulttest.Row(i))
	}
	if _, err := chart(t, table(t, "int4", rows...), `{"v":1,"type":"number","y":[{"col":"a","agg":"median"}]}`); !errors.Is(err, transform.ErrTooManyValues) {
		t.Errorf("a median of too many: %v", err)
	}
}

func TestChartOfAView(t *testing.T) {
	t.Parallel()
	src := table(t, "int4", resulttest.Row(1), resulttest.Row(2), resulttest.Row(3))
	view, err := transform.Filter(t.Context(), src, []transform.Condition{{Column: transform.Ref{Name: "a"}, Op: "gt", Value: transform.Text{Text: "1", Given: true}}})
	if err != nil {
		t.Fatal(err)
	}
	d, err := chart(t, view, `{"v":1,"type":"number","y":[{"col":"a","agg":"sum"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"y":[{"name":"a","type":"numeric","agg":"sum"}],"series":[{"name":null}],"points":[{"x":null,"s":0,"y":["5"]}],"rows":2,"of":3}`; string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestSpecIsStrict(t *testing.T) {
	t.Parallel()
	src := table(t, "int4 text json date")
	for spec, want := range map[string]string{
		`{"v":2,"type":"line"}`:                                                                             "chart.v: is 1, not 2",
		`{"v":1,"type":"donut","x":"a","y":[{"agg":"count"}]}`:                                              `chart.type: is one of`,
		`{"v":1,"type":"line","y":[{"agg":"count"}]}`:                                                       "chart.x: is missing",
		`{"v":1,"type":"line","x":"a","y":[]}`:                                                              "chart.y: has 0 measures",
		`{"v":1,"type":"line","x":"a","y":[{"col":"a","agg":"p95"}]}`:                                       `chart.y[0].agg: is sum, avg`,
		`{"v":1,"type":"line","x":"a","y":[{"agg":"sum"}]}`:                                                 "chart.y[0].col: is missing",
		`{"v":1,"type":"line","x":"z","y":[{"agg":"count"}]}`:                                               "chart.x: there is no column",
		`{"v":1,"type":"line","x":"a","y":[{"col":"b","agg":"sum"}]}`:                                       "sum needs numbers",
		`{"v":1,"type":"line","x":"a","y":[{"col":"b","agg":"median"}]}`:                                    "median needs numbers",
		`{"v":1,"type":"line","x":"a","y":[{"col":"c","agg":"min"}]}`:                                       "min has no order",
		`{"v":1,"type":"line","x":"a","x_bucket":"day","y":[{"agg":"count"}]}`:                              "needs a date",
		`{"v":1,"type":"line","x":"d","x_bucket":"year","y":[{"agg":"count"}]}`:                             "chart.x_bucket: is one of",
		`{"v":1,"type":"line","x":"a","y":[{"agg":"count"}],"limit_series":51}`:                             "chart.limit_series: is 1 to 50",
		`{"v":1,"type":"line","x":"a","y":[{"agg":"count"}],"colour":"red"}`:                                `unknown field "colour"`,
		`{"v":1,"type":"line","x":"a","y":[{"agg":"count"}],"nulls":"0"}`:                                   "chart.nulls: is one of",
		`{"v":1,"type":"scatter","x":"a","y":[{"col":"a","agg":"sum"}]}`:                                    "adds nothing up",
		`{"v":1,"type":"scatter","x":"a","y":[{"col":"a"}],"sort":"x"}`:                                     "no x_bucket and no sort",
		`{"v":1,"type":"line","x":"a","y":[{"agg":"count"}],"format":{"y":"big"}}`:                          "chart.format.y: is one of",
		`{"v":1,"type":"line","x":"a","y":[{"agg":"count"}],"series":"z"}`:                                  "chart.series: there is no column",
		`{"v":1,"type":"line","x":"a","y":[` + strings.Repeat(`{"agg":"count"},`, 20) + `{"agg":"count"}]}`: "has 21 measures",
	} {
		_, err := chart(t, src, spec)
		var se *transform.SpecError
		if !errors.As(err, &se) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", spec, err, want)
		}
	}
	// The example of the documentation reads and is written as it was.
	text := `{"v":1,"type":"line","x":"day","y":[{"col":"n","agg":"sum"}],"series":3,"stack":true,"sort":"x","nulls":"gap","log":true,"format":{"y":"compact"},"limit_series":20}`
	spec, err := transform.ParseSpec([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := json.Marshal(spec); err != nil || string(again) != text {
		t.Errorf("%v: %s", err, again)
	}
}

func TestGuess(t *testing.T) {
	t.Parallel()
	two := func(a, b [][]byte) [][][]byte { return [][][]byte{a, b} }
	for _, test := range []struct {
		types, names string
		sample       [][][]byte
		want         string
	}{
		{"date int8", "day n", two(resulttest.Row("2026-09-20", 1), resulttest.Row("2026-09-21", 2)), `{"v":1,"type":"line","x":"day","y":[{"col":"n","agg":"sum"}],"sort":"x","nulls":"gap","limit_series":20}`},
		{
			"text timestamp int8 int8", "variant at user_id n", append(two(resulttest.Row("a", "", 1, 1), resulttest.Row("b", "", 1, 1)), resulttest.Row("a", "", 2, 2)),
			`{"v":1,"type":"line","x":"at","y":[{"col":"n","agg":"sum"}],"series":"variant","sort":"x","nulls":"gap","limit_series":20}`,
		},
		{"text numeric", "x x", two(resulttest.Row("a", 1), resulttest.Row("b", 1)), `{"v":1,"type":"bar","x":0,"y":[{"col":1,"agg":"sum"}],"sort":"-y","nulls":"gap","limit_series":20}`},
		{"text", "name", two(resulttest.Row("a"), resulttest.Row("b")), `{"v":1,"type":"bar","x":"name","y":[{"agg":"count"}],"sort":"-y","nulls":"gap","limit_series":20}`},
		{"int8", "count", [][][]byte{resulttest.Row(5)}, `{"v":1,"type":"number","y":[{"col":"count","agg":"sum"}],"nulls":"gap","limit_series":20}`},
		{"int8", "id", two(resulttest.Row(5), resulttest.Row(6)), ``},
		{"json", "j", two(resulttest.Row(5), resulttest.Row(6)), ``},
		{"int8", "n", nil, ``},
	} {
		var columns []result.Column
		names := strings.Fields(test.names)
		for i, typ := range strings.Fields(test.types) {
			columns = append(columns, resulttest.Column(names[i], typ))
		}
		spec, ok := transform.Guess(columns, test.sample)
		if !ok {
			if test.want != "" {
				t.Errorf("%s: nothing is guessed", test.names)
			}
			continue
		}
		got, err := json.Marshal(spec)
		if err != nil || string(got) != test.want {
			t.Errorf("%s: %v\n got  %s\n want %s", test.names, err, got, test.want)
		}
		if _, err := transform.Aggregate(t.Context(), resulttest.Store(t, columns, test.sample[:0]), spec); err != nil {
			t.Errorf("%s: a guess that cannot be drawn: %v", test.names, err)
		}
	}
}

func TestStats(t *testing.T) {
	t.Parallel()
	src := table(t, "int8 text json", resulttest.Row("9223372036854775807", "b", "{}"), resulttest.Row("9223372036854775806", "", "{}"), resulttest.Row(nil, "b", nil))
	for column, want := range []string{
		`{"rows":3,"nulls":1,"distinct":2,"min":"9223372036854775806","max":"9223372036854775807","avg":"9223372036854775806.5"}`,
		`{"rows":3,"nulls":0,"distinct":2,"min":"","max":"b","avg":null}`,
		`{"rows":3,"nulls":1,"distinct":1,"min":null,"max":null,"avg":null}`,
	} {
		s, err := transform.Stats(t.Context(), src, transform.Ref{Index: column, ByIndex: true})
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Error(diff)
		}
	}
	s, err := transform.Stats(t.Context(), endless{20_000, 8}, transform.Ref{Name: "a"})
	if err != nil || s.Distinct != 10_000 || !s.DistinctMore {
		t.Errorf("%v: %+v", err, s)
	}
}

func BenchmarkViews(b *testing.B) {
	maker := resulttest.NewOrdinary(20, 1)
	var rows [][][]byte
	for range 50_000 {
		rows = append(rows, resulttest.Copy(maker.Next()))
	}
	src := resulttest.Store(b, maker.Columns(), rows)
	ref := func(i int) transform.Ref { return transform.Ref{Index: i, ByIndex: true} }
	for name, act := range map[string]func() error{
		"filter": func() error {
			_, err := transform.Filter(b.Context(), src, []transform.Condition{{Column: ref(5), Op: "gt", Value: transform.Text{Text: "250", Given: true}}})
			return err
		},
		"sort": func() error {
			_, err := transform.Sort(b.Context(), src, []transform.Key{{Column: ref(3)}, {Column: ref(6), Desc: true}})
			return err
		},
		"aggregate": func() error {
			x, y, s := ref(3), ref(5), ref(4)
			_, err := transform.Aggregate(b.Context(), src, transform.ChartSpec{V: 1, Type: "bar", X: &x, Series: &s, Y: []transform.Measure{{Col: &y, Agg: "sum"}, {Col: &y, Agg: "avg"}}})
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			done := resulttest.ReportCPU(b)
			for b.Loop() {
				if err := act(); err != nil {
					b.Fatal(err)
				}
			}
			done(src.Raw())
			b.SetBytes(src.Raw())
		})
	}
}
