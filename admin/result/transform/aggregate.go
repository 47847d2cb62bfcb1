package transform

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"github.com/lockkeeper/lockkeeper/admin/result"
	"github.com/lockkeeper/lockkeeper/admin/result/pgtext"
)

// Data is what a chart draws. Values are strings in Postgres' text format, or
// null.
type Data struct {
	X      *Axis    `json:"x,omitempty"`
	Y      []Axis   `json:"y"`
	Series []Series `json:"series"`
	Points []Point  `json:"points"`
	Rows   int64    `json:"rows"` // that the chart was made from
	Of     int64    `json:"of"`   // that are stored
}

// Axis names what is drawn along it.
type Axis struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Agg  string `json:"agg,omitempty"`
}

// Series is one line, or one colour. Without a series column there is one,
// without a name.
type Series struct {
	Name  *string `json:"name"`            // null also for the series of NULL
	Other bool    `json:"other,omitempty"` // all that are beyond the limit
}

// Point is the values of one series at one x. Points stand in the order of x;
// where a series has no rows there is no point.
type Point struct {
	X      *string   `json:"x"`
	Series int       `json:"s"`
	Y      []*string `json:"y"`
}

// Aggregate reads the rows once and groups them as the spec says.
func Aggregate(ctx context.Context, src result.Source, spec ChartSpec) (*Data, error) {
	p, err := bind(spec, src.Columns())
	if err != nil {
		return nil, err
	}
	data := p.frame()
	data.Of = total(src)
	if spec.Type == "scatter" {
		return data, p.scatter(ctx, src, data)
	}
	g := newGrouping(p)
	for row, err := range src.Rows(ctx, 0, -1) {
		if err != nil {
			return nil, err
		}
		if err := g.add(row); err != nil {
			return nil, err
		}
		data.Rows++
	}
	return data, g.finish(data)
}

// frame is the data without points.
func (p *plan) frame() *Data {
	d := &Data{Points: []Point{}, Series: []Series{}}
	if p.x >= 0 {
		d.X = &Axis{Name: p.columns[p.x].Name, Type: p.columns[p.x].Type}
		if p.spec.XBucket != "" {
			d.X.Type = "date"
		}
	}
	for _, m := range p.measures {
		a := Axis{Name: "rows", Type: "int8", Agg: m.agg}
		if m.at >= 0 {
			a.Name, a.Type = p.columns[m.at].Name, p.columns[m.at].Type
		}
		switch {
		case m.agg == "count":
			a.Type = "int8"
		case m.result() == pgtext.Numeric:
			a.Type = "numeric"
		}
		d.Y = append(d.Y, a)
	}
	return d
}

// grouping is the groups while the rows go by.
type grouping struct {
	p       *plan
	groups  []*group          // in the order of their first row
	byKey   map[string]*group // series and x
	series  map[string]int
	names   []Series
	bytes   int
	budget  budget
	scratch []byte
	xkey    []byte
}

type group struct {
	xkey   string // stands in the order of x
	x      *string
	series int
	acc    []accumulator
}

func newGrouping(p *plan) *grouping {
	return &grouping{p: p, byKey: map[string]*group{}, series: map[string]int{}}
}

func (g *grouping) add(row [][]byte) error {
	series, err := g.seriesOf(row)
	if err != nil {
		return err
	}
	var x []byte
	g.xkey = g.xkey[:0]
	if g.p.x >= 0 {
		if x, err = g.xOf(row[g.p.x]); err != nil {
			return err
		}
	}
	g.scratch = append(append(g.scratch[:0], byte(series), byte(series>>8), byte(series>>16)), g.xkey...)
	at := g.byKey[string(g.scratch)]
	if at == nil {
		if g.bytes += len(g.scratch) + len(x); len(g.groups) == maxGroups || g.bytes > maxGroupBytes {
			return g.tooMany(len(g.groups) + 1)
		}
		at = &group{xkey: string(g.xkey), x: textOf(x), series: series, acc: make([]accumulator, len(g.p.measures))}
		g.byKey[string(g.scratch)] = at
		g.groups = append(g.groups, at)
	}
	for i, m := range g.p.measures {
		var cell []byte
		if m.at >= 0 {
			cell = row[m.at]
		}
		ok, err := at.acc[i].add(m, cell, &g.budget)
		if err != nil {
			return fmt.Errorf("%w: at most %d, or %d MiB; filter first, or take avg", err, maxMedianValues, maxMedianBytes>>20)
		}
		if !ok {
			return cellError(g.p.columns[m.at], cell)
		}
	}
	return nil
}

// tooMany says what to do about a chart with too many groups.
func (g *grouping) tooMany(n int) error {
	advice := "filter first, or group more coarsely in the SQL"
	if g.p.x >= 0 && g.p.columns[g.p.x].Kind().Day() && g.p.spec.XBucket != "month" {
		advice = `set "x_bucket" to day, week or month`
	}
	return fmt.Errorf("%w: %d or more, with %d measures each; a chart has at most %d points. %s", ErrTooManyGroups, n, len(g.p.measures), MaxPoints, advice)
}

func (g *grouping) seriesOf(row [][]byte) (int, error) {
	g.scratch = g.scratch[:0]
	var name []byte
	if g.p.series >= 0 {
		name = row[g.p.series]
		if name != nil {
			g.scratch = append(append(g.scratch, 1), name...)
		}
	}
	if at, found := g.series[string(g.scratch)]; found {
		return at, nil
	}
	if g.bytes += len(g.scratch); len(g.names) == maxGroups || g.bytes > maxGroupBytes {
		return 0, g.tooMany(len(g.names) + 1)
	}
	g.series[string(g.scratch)] = len(g.names)
	g.names = append(g.names, Series{Name: textOf(name)})
	return len(g.names) - 1, nil
}

// xOf makes the key of an x, NULL last, and the text that stands for it.
func (g *grouping) xOf(cell []byte) ([]byte, error) {
	if cell == nil {
		g.xkey = append(g.xkey, 2)
		return nil, nil
	}
	c := g.p.columns[g.p.x]
	k := c.Kind()
	g.xkey = append(g.xkey, 1)
	text := cell
	if g.p.spec.XBucket != "" {
		day, ok := bucket(g.p.spec.XBucket, cell)
		if !ok {
			return nil, cellError(c, cell)
		}
		text, k = day.AppendDate(nil), pgtext.Date
	}
	var ok bool
	if g.xkey, ok = pgtext.AppendKey(g.xkey, k, text); !ok {
		return nil, cellError(c, cell)
	}
	return text, nil
}

// bucket is the first day of the day, week or month of a date or timestamp, as
// the server wrote it: in the time zone of the session that ran the SQL.
func bucket(size string, cell []byte) (pgtext.Moment, bool) {
	day, rest, timed := bytes.Cut(cell, []byte{' '})
	if timed && bytes.HasSuffix(rest, []byte("BC")) {
		day = append(bytes.Clone(day), " BC"...)
	}
	m, ok := pgtext.ParseMoment(pgtext.Date, day)
	if !ok || m.Inf != 0 {
		return m, ok
	}
	switch size {
	case "week":
		// 1970-01-01 was a Thursday.
		m.Days -= ((m.Days+3)%7 + 7) % 7
	case "month":
		year, month, _ := m.Date()
		m = pgtext.FromDate(year, month, 1)
	}
	return m, true
}

func textOf(b []byte) *string {
	if b == nil {
		return nil
	}
	s := string(b)
	return &s
}

// scatter shows rows as they are; of more than a chart can hold, it shows each
// k-th.
func (p *plan) scatter(ctx context.Context, src result.Source, d *Data) error {
	room := int64(MaxPoints / len(p.measures))
	step := max(1, (src.Count()+room-1)/room)
	g := newGrouping(p)
	for n, row := range counted(src.Rows(ctx, 0, -1)) {
		if row.err != nil {
			return row.err
		}
		if n%step != 0 {
			continue
		}
		series, err := g.seriesOf(row.cells)
		if err != nil {
			return err
		}
		point := Point{X: textOf(row.cells[p.x]), Series: series}
		for _, m := range p.measures {
			point.Y = append(point.Y, textOf(row.cells[m.at]))
		}
		d.Points = append(d.Points, point)
		d.Rows++
	}
	d.Series = append(d.Series, g.names...)
	if limit := p.limit(); len(d.Series) > limit {
		return fmt.Errorf("%w: %d series; a scatter chart shows at most %d. Filter first, or take another column", ErrTooManyGroups, len(d.Series), limit)
	}
	return nil
}

func (p *plan) limit() int {
	if p.spec.LimitSeries == 0 {
		return defaultSeries
	}
	return p.spec.LimitSeries
}

type numbered struct {
	cells [][]byte
	err   error
}

// counted numbers rows from 0.
func counted(rows iter.Seq2[[][]byte, error]) iter.Seq2[int64, numbered] {
	return func(yield func(int64, numbered) bool) {
		var n int64
		for cells, err := range rows {
			if !yield(n, numbered{cells, err}) {
				return
			}
			n++
		}
	}
}
