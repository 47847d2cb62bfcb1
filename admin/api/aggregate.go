package api

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/query"
)

type aggregateBody struct {
	Columns   []pointColumn     `json:"columns" doc:"What goes across, then the split if the chart has one, then the values."`
	Rows      [][]*string       `json:"rows"`
	FromRows  int64             `json:"from_rows" doc:"Rows it was computed from."`
	OfRows    int64             `json:"of_rows" doc:"Rows stored."`
	Truncated *query.Truncation `json:"truncated"`
	SeriesCut bool              `json:"series_cut" doc:"Some series stand together as the last."`
}

type pointColumn struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

type aggregateOut struct {
	Status int
	ETag   string `header:"ETag"`
	Cache  string `header:"Cache-Control"`
	Policy string `header:"Content-Security-Policy"`
	Body   *aggregateBody
}

func (a *API) aggregate(ctx context.Context, c *admin.Caller, in *struct {
	RunID

	Statement int    `query:"statement" minimum:"0" default:"0"`
	NoneMatch string `header:"If-None-Match"`
	Body      chart
},
) (*aggregateOut, error) {
	data, err := a.cfg.Runs.Aggregate(ctx, c, in.ID, in.Statement, json.RawMessage(in.Body))
	if err != nil {
		return nil, err
	}
	out := &aggregateOut{Status: http.StatusOK, ETag: quoted(data.ETag), Cache: privateCache, Policy: sandboxed}
	if noneMatch(in.NoneMatch, out.ETag) { // only now: the access is in the record
		out.Status = http.StatusNotModified
		return out, nil
	}
	out.Body = points(data, in.Body.series())
	return out, nil
}

// series is the column by which a chart is split; empty: it is not.
func (c chart) series() string {
	var spec struct {
		Series string `json:"series"`
	}
	if json.Unmarshal(c, &spec) != nil {
		return ""
	}
	return spec.Series
}

// other is the name of the series that holds what is beyond the limit.
const other = "other"

// points lays a chart out as a table: one row a point.
func points(data query.Chart, series string) *aggregateBody {
	out := &aggregateBody{Rows: [][]*string{}, FromRows: data.Data.Rows, OfRows: data.Of, Truncated: data.Truncated, SeriesCut: data.SeriesCut}
	if data.X != nil {
		out.Columns = append(out.Columns, pointColumn{data.X.Name, data.X.Type})
	}
	if series != "" {
		out.Columns = append(out.Columns, pointColumn{series, "text"})
	}
	for _, y := range data.Y {
		name := y.Name
		if y.Agg != "" && y.Agg != "none" {
			name = y.Agg + "(" + name + ")"
		}
		out.Columns = append(out.Columns, pointColumn{name, y.Type})
	}
	for _, p := range data.Points {
		row := make([]*string, 0, len(out.Columns))
		if data.X != nil {
			row = append(row, p.X)
		}
		if series != "" {
			name := data.Series[p.Series].Name
			if data.Series[p.Series].Other {
				name = new(other)
			}
			row = append(row, name)
		}
		out.Rows = append(out.Rows, append(row, p.Y...))
	}
	return out
}
