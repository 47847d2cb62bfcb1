package transform

import (
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/admin/result"
	"github.com/lockkeeper/lockkeeper/admin/result/pgtext"
)

// maxGuessed bounds the measures of a guessed chart.
const maxGuessed = 5

// Guess proposes a chart from the types of the columns and some rows: the first
// time column along x and numbers along y, with a text of few values as
// series; else bars by the first text; one row with one number is that number.
// It is false if nothing is worth drawing.
func Guess(columns []result.Column, sample [][][]byte) (ChartSpec, bool) {
	day := -1
	var texts, numbers []int
	for i, c := range columns {
		k := c.Kind()
		switch {
		case k.Day() && day < 0:
			day = i
		case k.Number() && !identifier(c):
			numbers = append(numbers, i)
		case k == pgtext.Text || k == pgtext.Bool:
			texts = append(texts, i)
		}
	}
	numbers = numbers[:min(len(numbers), maxGuessed)]
	if len(sample) == 0 || len(columns) == 0 {
		return ChartSpec{}, false
	}
	spec := ChartSpec{V: chartSpecVersion, Nulls: "gap", LimitSeries: defaultSeries}
	for _, at := range numbers {
		ref := refOf(columns, at)
		spec.Y = append(spec.Y, Measure{Col: &ref, Agg: "sum"})
	}
	if len(numbers) == 0 {
		spec.Y = []Measure{{Agg: "count"}}
	}
	var series int
	switch {
	case len(sample) == 1 && len(numbers) == 1:
		spec.Type = "number"
		return spec, true
	case day >= 0:
		spec.Type, spec.Sort = "line", "x"
		series = fewest(texts, sample)
		spec.X = new(refOf(columns, day))
	case len(texts) > 0 && len(sample) > 1:
		spec.Type, spec.Sort = "bar", "-y"
		spec.X = new(refOf(columns, texts[0]))
		series = fewest(texts[1:], sample)
	default:
		return ChartSpec{}, false
	}
	if series >= 0 && len(spec.Y) == 1 {
		spec.Series = new(refOf(columns, series))
	}
	return spec, true
}

// identifier tells whether a number is a name of something by its own name.
func identifier(c result.Column) bool {
	name := strings.ToLower(c.Name)
	return c.Kind().Integer() && (name == "id" || strings.HasSuffix(name, "_id") || c.Kind() == pgtext.OID)
}

// fewest is the first text column that repeats a few values, or -1.
func fewest(texts []int, sample [][][]byte) int {
	at := slices.IndexFunc(texts, func(at int) bool {
		seen := map[string]bool{}
		for _, row := range sample {
			seen[string(row[at])] = true
		}
		return len(seen) > 1 && len(seen) <= defaultSeries && len(seen) < len(sample)
	})
	if at < 0 {
		return -1
	}
	return texts[at]
}

// refOf names a column, by index if its name repeats.
func refOf(columns []result.Column, at int) Ref {
	r := Ref{Name: columns[at].Name}
	if _, err := r.find("", columns); err != nil {
		return Ref{Index: at, ByIndex: true}
	}
	return r
}
