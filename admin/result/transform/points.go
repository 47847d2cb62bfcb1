package transform

import (
	"cmp"
	"slices"
	"strings"

	"github.com/lockkeeper/lockkeeper/admin/result/pgtext"
)

// finish joins the lesser series, orders the groups and writes their values.
func (g *grouping) finish(d *Data) error {
	g.limitSeries()
	if n := len(g.groups) * len(g.p.measures); n > MaxPoints {
		return g.tooMany(len(g.groups))
	}
	g.order()
	for _, at := range g.groups {
		p := Point{X: at.x, Series: at.series}
		for i, m := range g.p.measures {
			v := at.acc[i].value(m)
			if v == nil && g.p.spec.Nulls == "zero" {
				zero := "0"
				v = &zero
			}
			p.Y = append(p.Y, v)
		}
		d.Points = append(d.Points, p)
	}
	d.Series = append(d.Series, g.names...)
	return nil
}

// limitSeries keeps the series with the greatest first measure over all x, in
// the order in which they came, and joins the others into one.
func (g *grouping) limitSeries() {
	limit := g.p.limit()
	if len(g.names) <= limit {
		return
	}
	totals := make([]accumulator, len(g.names))
	for _, at := range g.groups {
		totals[at.series].merge(g.p.measures[0], &at.acc[0])
	}
	kept := g.rank(totals, true)[:limit]
	slices.Sort(kept)
	place := make([]int, len(g.names))
	for i := range place {
		place[i] = limit
	}
	all := g.names
	g.names = make([]Series, 0, limit+1)
	for i, series := range kept {
		place[series] = i
		g.names = append(g.names, all[series])
	}
	g.names = append(g.names, Series{Other: true})
	g.join(place, limit)
}

// join moves each group to the new place of its series; groups that meet at
// the place other become one.
func (g *grouping) join(place []int, other int) {
	others := map[string]*group{}
	groups := g.groups[:0]
	for _, at := range g.groups {
		at.series = place[at.series]
		if at.series != other {
			groups = append(groups, at)
			continue
		}
		first := others[at.xkey]
		if first == nil {
			others[at.xkey] = at
			groups = append(groups, at)
			continue
		}
		for i, m := range g.p.measures {
			first.acc[i].merge(m, &at.acc[i])
		}
	}
	g.groups = groups
}

// order sorts the groups by x, or by what the first measure is at each x over
// all series.
func (g *grouping) order() {
	by := cmp.Or(g.p.spec.Sort, "x")
	desc := strings.HasPrefix(by, "-")
	first := map[string]int{} // of each x
	var totals []accumulator
	for _, at := range g.groups {
		if _, found := first[at.xkey]; !found {
			first[at.xkey] = len(totals)
			totals = append(totals, accumulator{})
		}
		if strings.HasSuffix(by, "y") {
			totals[first[at.xkey]].merge(g.p.measures[0], &at.acc[0])
		}
	}
	place := make([]int, len(totals))
	for i := range place {
		place[i] = i
	}
	if strings.HasSuffix(by, "y") {
		for i, x := range g.rank(totals, desc) {
			place[x] = i
		}
	}
	slices.SortStableFunc(g.groups, func(a, b *group) int {
		var c int
		switch by {
		case "x":
			c = strings.Compare(a.xkey, b.xkey)
		case "-x":
			c = strings.Compare(b.xkey, a.xkey)
		default:
			c = cmp.Compare(place[first[a.xkey]], place[first[b.xkey]])
		}
		return cmp.Or(c, cmp.Compare(a.series, b.series))
	})
}

// rank orders totals of the first measure; what has no value comes last, and
// equal ones keep their order.
func (g *grouping) rank(totals []accumulator, desc bool) []int {
	m := g.p.measures[0]
	kind := m.result()
	values := make([]*pgtext.Value, len(totals))
	order := make([]int, len(totals))
	for i := range totals {
		order[i] = i
		if text := totals[i].value(m); text != nil {
			if v, ok := pgtext.Parse(kind, []byte(*text)); ok {
				values[i] = &v
			}
		}
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := values[i], values[j]
		if a == nil || b == nil {
			return cmp.Compare(btoi(a == nil), btoi(b == nil))
		}
		c := pgtext.Compare(kind, *a, *b)
		if desc {
			return -c
		}
		return c
	})
	return order
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
