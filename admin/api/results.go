package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/query"
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

	page   [][]*string // stands for Rows, which are made as they are written
	asJSON bool
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
	req := query.RowsRequest{Statement: in.Statement, Offset: in.Offset, Limit: in.Limit, Sort: in.Sort, Filter: in.Filter}
	page, err := a.cfg.Runs.Rows(ctx, c, in.ID, req)
	if err != nil {
		return nil, err
	}
	afterwards(ctx, page.Close)
	out := &rowsOut{Status: http.StatusOK, ETag: rowsTag(page.ETag, in), Cache: privateCache, Policy: sandboxed}
	if noneMatch(in.NoneMatch, out.ETag) { // only now: the access is in the record
		out.Status = http.StatusNotModified
		return out, nil
	}
	out.Body = &rowsBody{
		Run: page.Run, Statement: page.Statement, Offset: page.Offset, Count: len(page.Rows), RowCount: page.RowCount,
		Filtered: page.Filtered, Columns: page.Columns, Truncated: page.Truncated,
		page: page.Rows, asJSON: in.Values == "json",
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

// badParameter is the error of one part of a request.
func badParameter(name, message string) error {
	e := fail("bad-request", "The parameter "+name+" is not understood. "+message)
	e.Fields = []admin.FieldError{{Pointer: name, Message: message}}
	return e
}
