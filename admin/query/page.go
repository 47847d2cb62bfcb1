package query

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/result"
	"github.com/lockkeeper/lockkeeper/admin/result/transform"
	"github.com/lockkeeper/lockkeeper/audit"
)

// cellBytes is what a cell of a page takes beside its text.
const cellBytes = 24

// gathered is what reading rows that lie apart takes beside the page, in bytes.
const gathered = 8 << 20

// Rows returns a page of a stored result. It is recorded before it returns. The
// memory of all pages together is bounded: the caller closes the page when it is
// on its way.
func (s *Runs) Rows(ctx context.Context, c *admin.Caller, id string, req RowsRequest) (page RowsPage, err error) {
	if req.Limit == 0 {
		req.Limit = usualPage
	}
	if req.Limit < 0 || req.Limit > MaxPage || req.Offset < 0 {
		return RowsPage{}, admin.Errorf(admin.Invalid, "bad-request", "limit is 1 to %d, and offset not negative.", MaxPage)
	}
	o, err := s.open(ctx, c, id, req.Statement)
	if err != nil {
		return RowsPage{}, err
	}
	whole := false
	defer func() {
		if err = errors.Join(err, o.close()); err != nil || !whole { // or it panicked
			page.Close()
		}
	}()
	seen, err := s.seen(ctx, c, o, req)
	if err != nil {
		return RowsPage{}, told(err)
	}
	src := seen.on(o.source)
	if page, err = s.page(ctx, c, o, src, req); err != nil {
		return page, err
	}
	if seen != nil {
		page.Filtered = seen.matches
	}
	e := s.entry(c, audit.KindResultRead, o.rec)
	e.StatementID, e.Offset, e.Rows, e.BytesOut = uint64(req.Statement), req.Offset, int64(len(page.Rows)), page.size
	if err := s.journal(ctx, &e); err != nil {
		return page, err
	}
	whole = true
	return page, nil
}

// page reads a page of a view into memory. What it took of that is the page's,
// with an error too.
func (s *Runs) page(ctx context.Context, c *admin.Caller, o *opened, src result.Source, req RowsRequest) (RowsPage, error) {
	page := RowsPage{
		Run: o.rec.ID, Statement: req.Statement, Offset: req.Offset, RowCount: o.source.Count(),
		Columns: o.result.Columns, Rows: [][]*string{}, Truncated: o.result.Truncated,
		More: req.Offset+int64(req.Limit) < src.Count(),
		ETag: o.etag("rows", strconv.FormatInt(req.Offset, 10), strconv.Itoa(req.Limit), req.Sort, req.Filter),
	}
	rows := max(0, min(int64(req.Limit), src.Count()-req.Offset))
	most := s.cfg.Bounds.PageBytes
	need := min(most, o.source.Raw()+rows*int64(len(page.Columns))*cellBytes)
	if req.Sort != "" {
		need += min(gathered, o.source.Raw())
	}
	share, err := s.pages.take(ctx, c.ID, need, s.cfg.Bounds.Patience)
	if err != nil {
		return page, busy(err, "pages-busy", "Many rows are on their way to readers already, yours or others'. Try again in a moment, with fewer rows at a time.")
	}
	page.share = share
	held := int64(0)
	for row, err := range src.Rows(ctx, req.Offset, int64(req.Limit)) {
		if err != nil {
			return page, told(err)
		}
		text := 0
		for _, cell := range row {
			text += len(cell)
		}
		page.size += int64(text)
		if held += int64(text + len(row)*cellBytes); held > most {
			e := admin.Errorf(admin.TooLarge, "page-too-large", "These rows take more than %d MiB. Ask for fewer at a time, or export them.", most>>20)
			e.Extra = map[string]any{"limit": most}
			return page, e
		}
		page.Rows = append(page.Rows, cellsOf(row, text))
	}
	share.shrink(held)
	return page, nil
}

// cellsOf copies a row whose cells have so many bytes, in few pieces.
func cellsOf(row [][]byte, size int) []*string {
	all := make([]byte, 0, size)
	for _, cell := range row {
		all = append(all, cell...)
	}
	text, at := string(all), 0
	texts, cells := make([]string, len(row)), make([]*string, len(row))
	for i, cell := range row {
		if cell == nil {
			continue
		}
		texts[i] = text[at : at+len(cell)]
		cells[i], at = &texts[i], at+len(cell)
	}
	return cells
}

// busy is the answer when the memory for something is used up; another error
// stays what it is.
func busy(err error, slug, text string) error {
	if !errors.Is(err, errBusy) {
		return err //nolint:wrapcheck // of the context
	}
	e := admin.Errorf(admin.Unavailable, slug, "%s", text)
	e.RetryAfter = 5 * time.Second
	return e
}

// seen returns what is known of the view that a request asks for, and finds it
// out if it is the first to ask; nil: as the rows came.
func (s *Runs) seen(ctx context.Context, c *admin.Caller, o *opened, req RowsRequest) (*view, error) {
	if req.Sort == "" && req.Filter == "" {
		return nil, nil //nolint:nilnil // nothing to know is no error
	}
	key := viewKeyOf(o.rec.ID, req)
	if v := s.views.get(key); v != nil {
		return v, nil
	}
	src, v, err := filtered(ctx, o.source, req.Filter)
	if err != nil {
		return nil, err
	}
	keys, err := sortKeys(req.Sort)
	if err != nil {
		return nil, err
	}
	if len(keys) > 0 {
		if v.order, err = s.sorted(ctx, c, o, key, src, keys); err != nil {
			return nil, err
		}
		v.filtered = nil // its places are in the order
	}
	s.views.keep(key, v)
	return v, nil
}

// filtered returns the rows that pass a filter.
func filtered(ctx context.Context, src result.Source, text string) (result.Source, *view, error) {
	if text == "" {
		return src, &view{}, nil
	}
	conditions, err := transform.ParseFilter([]byte(text))
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // its own words are good
	}
	for i := range conditions {
		conditions[i].Column = column(conditions[i].Column, src.Columns())
	}
	f, err := transform.Filter(ctx, src, conditions)
	if err != nil {
		return nil, nil, err //nolint:wrapcheck // its own words are good
	}
	n := f.Count()
	return f, &view{filtered: f.Of(nil), matches: &n}, nil
}

// sorted finds the order of rows, within the memory that all sorts share.
func (s *Runs) sorted(ctx context.Context, c *admin.Caller, o *opened, key viewKey, src result.Source, keys []transform.Key) (*transform.Order, error) {
	for i := range keys {
		keys[i].Column = column(keys[i].Column, src.Columns())
	}
	rows := min(src.Count(), transform.MaxSortRows) // more is refused at once
	share, err := s.sorts.take(ctx, c.ID, transform.SortMemory(rows, o.source.Raw(), len(keys)), s.cfg.Bounds.Patience)
	if err != nil {
		return nil, busy(err, "sorts-busy", "Others sort large results right now, or you do. Try again in a moment, or sort in the SQL.")
	}
	defer share.close()
	if v := s.views.get(key); v != nil && v.order != nil {
		return v.order, nil // another asked the same while this one waited
	}
	sorted, err := transform.Sort(ctx, src, keys)
	if err != nil {
		return nil, err //nolint:wrapcheck // its own words are good
	}
	return sorted.Order(), nil
}
