package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/query"
)

// Bounds of what a page of rows may ask.
const (
	maxSortKeys   = 8
	maxConditions = 32
)

type rowsIn struct {
	RunID

	Statement int    `query:"statement" minimum:"0" default:"0"`
	Offset    int64  `query:"offset" minimum:"0" default:"0"`
	Limit     int    `query:"limit" minimum:"1" maximum:"10000" default:"200"`
	Sort      string `query:"sort" maxLength:"2000" doc:"col:asc,col2:desc; a column is c0, c1, … or its name."`
	Filter    string `query:"filter" maxLength:"20000" doc:"JSON: [{\"col\":\"c0\",\"op\":\"eq|ne|lt|le|gt|ge|contains|isnull|notnull\",\"value\":\"…\"}]; all must hold."`
	Values    string `query:"values" enum:"text,json" default:"text" doc:"text: every cell is a string in the warehouse's form, or null. json: bool, int2, int4, finite floats and json as JSON."`
	NoneMatch string `header:"If-None-Match"`
}

type rowsBody struct {
	Run       string            `json:"run"`
	Statement int               `json:"statement"`
	Offset    int64             `json:"offset"`
	Count     int               `json:"count" doc:"Rows here."`
	RowCount  int64             `json:"row_count" doc:"Rows stored."`
	Filtered  *int64            `json:"filtered_count" doc:"Rows that the filter keeps; null: no filter."`
	Columns   []query.Column    `json:"columns"`
	Rows      [][]any           `json:"rows"`
	Truncated *query.Truncation `json:"truncated"`
	Next      *string           `json:"next" doc:"Path of the next page; null: no more."`
}

type rowsOut struct {
	Status int
	ETag   string `header:"ETag"`
	Cache  string `header:"Cache-Control"`
	Policy string `header:"Content-Security-Policy"`
	Body   *rowsBody
}

// sandboxed is the policy of answers that hold a result.
const sandboxed = "sandbox; default-src 'none'; frame-ancestors 'none'"

func (a *API) resultRoutes() {
	read := []admin.Scope{admin.ScopeRunsRead}
	register(a, route{id: "get-rows", method: "GET", path: "/runs/{id}/rows", summary: "Read a page of a stored result", tag: "results", scopes: read, also: []int{304}, slow: true}, a.getRows)
	register(a, route{id: "aggregate-result", method: "POST", path: "/runs/{id}/aggregate", summary: "Compute a chart's points from a stored result", tag: "results", scopes: read, also: []int{304}, slow: true}, a.aggregate)
	for _, format := range formats {
		register(a, route{id: "get-result-" + format, method: "GET", path: "/runs/{id}/result." + format, summary: "Take a whole result as " + format, tag: "results", scopes: read, also: []int{304}, slow: true}, a.exportAs(format))
	}
}

func (a *API) getRows(ctx context.Context, c *admin.Caller, in *rowsIn) (*rowsOut, error) {
	req := query.RowsRequest{Statement: in.Statement, Offset: in.Offset, Limit: in.Limit}
	var err error
	if req.Sort, err = parseSort(in.Sort); err != nil {
		return nil, err
	}
	if req.Filter, err = parseFilter(in.Filter); err != nil {
		return nil, err
	}
	page, err := a.cfg.Runs.Rows(ctx, c, in.ID, req)
	if err != nil {
		return nil, err
	}
	out := &rowsOut{Status: http.StatusOK, ETag: rowsTag(page.ETag, in), Cache: privateCache, Policy: sandboxed}
	if noneMatch(in.NoneMatch, out.ETag) { // only now: the access is in the record
		out.Status = http.StatusNotModified
		return out, nil
	}
	out.Body = &rowsBody{
		Run: page.Run, Statement: page.Statement, Offset: page.Offset, Count: len(page.Rows), RowCount: page.RowCount,
		Filtered: page.Filtered, Columns: page.Columns, Rows: cells(page.Rows, page.Columns, in.Values == "json"), Truncated: page.Truncated,
	}
	if page.More {
		next := a.nextRows(in, page.Offset+int64(len(page.Rows)))
		out.Body.Next = &next
	}
	return out, nil
}

// rowsTag tells the forms of one page apart.
func rowsTag(tag string, in *rowsIn) string {
	if tag == "" || in.Values != "json" {
		return quoted(tag)
	}
	return strings.TrimSuffix(quoted(tag), `"`) + `-json"`
}

func (a *API) nextRows(in *rowsIn, offset int64) string {
	q := url.Values{"offset": {strconv.FormatInt(offset, 10)}, "limit": {strconv.Itoa(in.Limit)}}
	for name, value := range map[string]string{"sort": in.Sort, "filter": in.Filter} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if in.Statement != 0 {
		q.Set("statement", strconv.Itoa(in.Statement))
	}
	if in.Values == "json" {
		q.Set("values", in.Values)
	}
	return a.runPath(in.ID) + "/rows?" + q.Encode()
}

// parseSort reads col:asc,col2:desc. A name may hold colons: the last one counts.
func parseSort(s string) ([]query.SortKey, error) {
	if s == "" {
		return nil, nil
	}
	var keys []query.SortKey
	for part := range strings.SplitSeq(s, ",") {
		key := query.SortKey{Col: part}
		if i := strings.LastIndexByte(part, ':'); i >= 0 {
			switch part[i+1:] {
			case "asc":
				key.Col = part[:i]
			case "desc":
				key.Col, key.Desc = part[:i], true
			}
		}
		if key.Col == "" || len(keys) == maxSortKeys {
			return nil, badParameter("sort", "Write col:asc,col2:desc, at most "+strconv.Itoa(maxSortKeys)+" columns.")
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// parseFilter reads the JSON of a filter.
func parseFilter(s string) ([]query.Condition, error) {
	if s == "" {
		return nil, nil
	}
	d := json.NewDecoder(strings.NewReader(s))
	d.DisallowUnknownFields()
	var all []query.Condition
	if err := d.Decode(&all); err != nil || d.More() || len(all) > maxConditions {
		return nil, badParameter("filter", `Write JSON such as [{"col":"c0","op":"eq","value":"x"}], at most `+strconv.Itoa(maxConditions)+" conditions.")
	}
	return all, nil
}

func badParameter(name, message string) error {
	e := fail("bad-request", "The parameter "+name+" is not understood. "+message)
	e.Fields = []admin.FieldError{{Pointer: name, Message: message}}
	return e
}

type aggregateBody struct {
	Columns   []query.Column    `json:"columns"`
	Rows      [][]any           `json:"rows"`
	FromRows  int64             `json:"from_rows"`
	OfRows    int64             `json:"of_rows"`
	Truncated *query.Truncation `json:"truncated"`
	SeriesCut bool              `json:"series_cut"`
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
	g, err := a.cfg.Runs.Aggregate(ctx, c, in.ID, in.Statement, json.RawMessage(in.Body))
	if err != nil {
		return nil, err
	}
	out := &aggregateOut{Status: http.StatusOK, ETag: quoted(g.ETag), Cache: privateCache, Policy: sandboxed}
	if noneMatch(in.NoneMatch, out.ETag) {
		out.Status = http.StatusNotModified
		return out, nil
	}
	out.Body = &aggregateBody{Columns: g.Columns, Rows: cells(g.Rows, g.Columns, false), FromRows: g.FromRows, OfRows: g.OfRows, Truncated: g.Truncated, SeriesCut: g.SeriesCut}
	return out, nil
}
