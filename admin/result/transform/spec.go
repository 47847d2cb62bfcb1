package transform

import (
	"slices"

	"github.com/lockkeeper/lockkeeper/admin/result"
	"github.com/lockkeeper/lockkeeper/admin/result/pgtext"
)

// The bounds of a chart.
const (
	MaxPoints        = 5000 // values of all measures together
	MaxSeries        = 50
	defaultSeries    = 20
	maxMeasures      = 20
	maxGroups        = 100_000 // before the lesser series are joined
	maxGroupBytes    = 32 << 20
	maxMedianValues  = 1_000_000
	maxMedianBytes   = 64 << 20
	chartSpecVersion = 1
)

// ChartMemory is what making a chart takes at most, in bytes, of a result whose
// cells have raw bytes together.
func ChartMemory(raw int64) int64 { return min(1<<20+2*raw, maxGroupBytes*9/4) }

// ChartSpec says what a chart shows; it is stored and stands in URLs.
type ChartSpec struct {
	V           int       `json:"v"`    // 1
	Type        string    `json:"type"` // line, area, bar, hbar, pie, scatter, number
	X           *Ref      `json:"x,omitempty"`
	XBucket     string    `json:"x_bucket,omitempty"` // day, week (from Monday) or month, of a date or timestamp
	Y           []Measure `json:"y"`
	Series      *Ref      `json:"series,omitempty"`
	Stack       bool      `json:"stack,omitempty"`
	Sort        string    `json:"sort,omitempty"`  // x, -x, y, -y or none; left out: x
	Nulls       string    `json:"nulls,omitempty"` // gap, zero or connect; left out: gap
	Log         bool      `json:"log,omitempty"`
	Format      Format    `json:"format,omitzero"`
	LimitSeries int       `json:"limit_series,omitempty"` // the others become one; left out: 20
}

// Measure is one value of a chart. Only count may do without a column, and
// then counts rows.
type Measure struct {
	Col *Ref   `json:"col,omitempty"`
	Agg string `json:"agg,omitempty"` // sum, avg, min, max, count, median; scatter has none
}

// Format is how values are shown.
type Format struct {
	Y string `json:"y,omitempty"` // compact, plain or percent
}

// ParseSpec reads a chart spec from JSON; members it does not know are refused.
func ParseSpec(text []byte) (ChartSpec, error) {
	var s ChartSpec
	if err := decode("chart", text, &s); err != nil {
		return s, err
	}
	return s, s.Validate()
}

// Validate reports what is unknown or impossible, without looking at a result.
func (s ChartSpec) Validate() error {
	words := []struct {
		where, word string
		allowed     []string
	}{
		{"chart.type", s.Type, []string{"line", "area", "bar", "hbar", "pie", "scatter", "number"}},
		{"chart.x_bucket", s.XBucket, []string{"", "day", "week", "month"}},
		{"chart.sort", s.Sort, []string{"", "x", "-x", "y", "-y", "none"}},
		{"chart.nulls", s.Nulls, []string{"", "gap", "zero", "connect"}},
		{"chart.format.y", s.Format.Y, []string{"", "compact", "plain", "percent"}},
	}
	if s.V != chartSpecVersion {
		return wrong("chart.v", "is %d, not %d", chartSpecVersion, s.V)
	}
	for _, w := range words {
		if !slices.Contains(w.allowed, w.word) {
			return wrong(w.where, "is one of %q, not %.32q", w.allowed, w.word)
		}
	}
	switch {
	case s.X == nil && s.Type != "number":
		return wrong("chart.x", "is missing; only a chart of type number has none")
	case s.X == nil && s.XBucket != "":
		return wrong("chart.x_bucket", "needs an x")
	case len(s.Y) == 0 || len(s.Y) > maxMeasures:
		return wrong("chart.y", "has %d measures; 1 to %d are possible", len(s.Y), maxMeasures)
	case s.LimitSeries < 0 || s.LimitSeries > MaxSeries:
		return wrong("chart.limit_series", "is 1 to %d", MaxSeries)
	case s.Type == "scatter" && (s.XBucket != "" || s.Sort != "" && s.Sort != "none"):
		return wrong("chart", "a scatter chart shows rows as they are: no x_bucket and no sort")
	}
	for i, m := range s.Y {
		if err := m.validate("chart.y["+itoa(i)+"]", s.Type == "scatter"); err != nil {
			return err
		}
	}
	return nil
}

func (m Measure) validate(where string, scatter bool) error {
	switch {
	case scatter && m.Agg != "":
		return wrong(where+".agg", "a scatter chart shows rows as they are and adds nothing up")
	case !scatter && !slices.Contains([]string{"sum", "avg", "min", "max", "count", "median"}, m.Agg):
		return wrong(where+".agg", "is sum, avg, min, max, count or median, not %.32q", m.Agg)
	case m.Col == nil && m.Agg != "count":
		return wrong(where+".col", "is missing; only count can do without")
	}
	return nil
}

// plan is a spec that is bound to the columns of a result.
type plan struct {
	spec     ChartSpec
	columns  []result.Column
	x        int // -1 if there is none
	series   int // -1 if there is none
	measures []measure
}

type measure struct {
	at   int // -1: count rows
	agg  string
	kind pgtext.Kind
}

func bind(s ChartSpec, columns []result.Column) (*plan, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	p := &plan{spec: s, columns: columns, x: -1, series: -1}
	var err error
	if s.X != nil {
		if p.x, err = s.X.find("chart.x", columns); err != nil {
			return nil, err
		}
		if s.XBucket != "" && !columns[p.x].Kind().Day() {
			return nil, wrong("chart.x_bucket", "needs a date or a timestamp, and column %.64q is %s", columns[p.x].Name, columns[p.x].Type)
		}
	}
	if s.Series != nil {
		if p.series, err = s.Series.find("chart.series", columns); err != nil {
			return nil, err
		}
	}
	for i, m := range s.Y {
		bound, err := m.bind("chart.y["+itoa(i)+"]", columns)
		if err != nil {
			return nil, err
		}
		p.measures = append(p.measures, bound)
	}
	return p, nil
}

func (m Measure) bind(where string, columns []result.Column) (measure, error) {
	if m.Col == nil {
		return measure{at: -1, agg: m.Agg, kind: pgtext.Int8}, nil
	}
	at, err := m.Col.find(where+".col", columns)
	if err != nil {
		return measure{}, err
	}
	c := columns[at]
	k := c.Kind()
	switch {
	case (m.Agg == "sum" || m.Agg == "avg") && !k.Number():
		return measure{}, wrong(where, "%s needs numbers, and column %.64q is %s", m.Agg, c.Name, c.Type)
	case m.Agg == "median" && !k.Number() && !k.Day():
		return measure{}, wrong(where, "median needs numbers or days, and column %.64q is %s", c.Name, c.Type)
	case (m.Agg == "min" || m.Agg == "max") && (k == pgtext.JSON || k == pgtext.JSONB || k == pgtext.Other):
		return measure{}, wrong(where, "%s has no order that is known here: column %.64q is %s", m.Agg, c.Name, c.Type)
	}
	return measure{at: at, agg: m.Agg, kind: k}, nil
}

// result returns the kind that the values of a measure have.
func (m measure) result() pgtext.Kind {
	switch {
	case m.agg == "count":
		return pgtext.Int8
	case m.kind.Exact() && (m.agg == "sum" || m.agg == "avg" || m.agg == "median"):
		return pgtext.Numeric
	default:
		return m.kind
	}
}
