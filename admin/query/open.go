package query

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/blob"
	"github.com/lockkeeper/lockkeeper/admin/result"
	"github.com/lockkeeper/lockkeeper/admin/result/format"
	"github.com/lockkeeper/lockkeeper/admin/result/transform"
	"github.com/lockkeeper/lockkeeper/admin/secret"
	"github.com/lockkeeper/lockkeeper/audit"
)

// opened is a stored result, open for reading.
type opened struct {
	rec    *Record
	result *Result
	index  int
	source *result.Reader
	object blob.Object
}

func (o *opened) close() error {
	if err := o.object.Close(); err != nil {
		return fmt.Errorf("close the stored result: %w", err)
	}
	return nil
}

// etag names a view of a result; it never changes, for results do not.
func (o *opened) etag(parts ...string) string {
	h := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return `"` + o.rec.ID + "-" + strconv.Itoa(o.index) + "-" + hex.EncodeToString(h[:8]) + `"`
}

// open finds a stored result that is open to the caller.
func (s *Runs) open(ctx context.Context, c *admin.Caller, id string, index int) (*opened, error) {
	rec, _, err := s.find(ctx, c, id)
	if err != nil {
		return nil, err
	}
	if !rec.State.Terminal() {
		e := admin.Errorf(admin.Conflict, "run-not-finished", "It still runs; its rows are there when it has ended.")
		e.Extra = map[string]any{"state": string(rec.State)}
		e.RetryAfter = s.cfg.Bounds.Poll
		return nil, e
	}
	if rec.Deleted {
		return nil, deleted()
	}
	run, err := s.load(rec)
	if err != nil {
		return nil, err
	}
	if index < 0 || index >= len(run.Statements) || run.Statements[index].Result == nil || len(run.Statements[index].Result.Columns) == 0 {
		return nil, admin.Errorf(admin.Unprocessable, "no-rows", "Statement %d gave no rows.", index)
	}
	if rec.RowsKey == nil {
		return nil, expired()
	}
	o := &opened{rec: rec, result: run.Statements[index].Result, index: index}
	return o, s.openBlob(ctx, o)
}

func expired() error {
	return admin.Errorf(admin.Gone, "result-expired", "The rows have expired; the SQL is kept. Run it again for fresh ones.")
}

func (s *Runs) openBlob(ctx context.Context, o *opened) error {
	key, err := s.cfg.Vault.OpenKey(rowsPurpose(o.rec.ID), o.rec.RowsKey)
	if err != nil {
		return fmt.Errorf("open the key of a run: %w", err)
	}
	chunks, err := secret.NewChunks(key, stream(o.index))
	if err != nil {
		return fmt.Errorf("begin to open a result: %w", err)
	}
	o.object, err = s.cfg.Blobs.Open(ctx, blobName(o.rec.ID, o.index))
	if errors.Is(err, blob.ErrNotFound) {
		return expired()
	}
	if err != nil {
		return away(ctx, err)
	}
	if o.source, err = result.Open(o.object, o.object.Size(), sealer{chunks}); err != nil {
		return errors.Join(fmt.Errorf("read a stored result: %w", err), o.close())
	}
	return nil
}

// away is the error of a place for results that does not answer.
func away(ctx context.Context, err error) error {
	err = fmt.Errorf("open a stored result: %w", err)
	if ctx.Err() != nil {
		return err // nobody waits for it
	}
	e := admin.Errorf(admin.Unavailable, "unavailable", "The rows cannot be read now: the place they are kept at does not answer. They are not lost; try again in a moment.")
	e.Err = err
	return e
}

// sortKeys reads "c0:asc,name:desc".
func sortKeys(text string) ([]transform.Key, error) {
	if text == "" {
		return nil, nil
	}
	var keys []transform.Key
	for part := range strings.SplitSeq(text, ",") {
		col, dir := part, "asc"
		if i := strings.LastIndexByte(part, ':'); i >= 0 {
			col, dir = part[:i], part[i+1:]
		}
		if dir != "asc" && dir != "desc" {
			return nil, &transform.SpecError{Where: "sort", Reason: "is column:asc or column:desc, with commas between"}
		}
		keys = append(keys, transform.Key{Column: transform.Ref{Name: col}, Desc: dir == "desc"})
	}
	return keys, nil
}

// column takes "c0" for the first column, unless one has that name.
func column(r transform.Ref, columns []Column) transform.Ref {
	digits, ok := strings.CutPrefix(r.Name, "c")
	if r.ByIndex || !ok || slices.ContainsFunc(columns, func(c Column) bool { return c.Name == r.Name }) {
		return r
	}
	i, err := strconv.ParseUint(digits, 10, 16)
	if err != nil {
		return r
	}
	return transform.Ref{Index: int(i), ByIndex: true}
}

// told turns what is wrong with a request into an answer.
func told(err error) error {
	if e, ok := errors.AsType[*transform.SpecError](err); ok {
		return admin.Errorf(admin.Invalid, "bad-request", "%s.", e.Error())
	}
	if e, ok := errors.AsType[*transform.CellError](err); ok {
		return admin.Errorf(admin.Unprocessable, "not-computable", "%s.", e.Error())
	}
	for _, bound := range []error{transform.ErrSortTooLarge, transform.ErrTooManyGroups, transform.ErrTooManyValues} {
		if errors.Is(err, bound) {
			return admin.Errorf(admin.Unprocessable, "too-many-rows", "%s.", err.Error())
		}
	}
	if errors.Is(err, blob.ErrGone) {
		return expired()
	}
	return fmt.Errorf("read a stored result: %w", err)
}

// Aggregate computes a chart's points from a stored result. The chart is JSON,
// as transform.ParseSpec reads it. It is recorded before it returns.
func (s *Runs) Aggregate(ctx context.Context, c *admin.Caller, id string, statement int, chart []byte) (out Chart, err error) {
	spec, err := transform.ParseSpec(chart)
	if err != nil {
		return Chart{}, told(err)
	}
	o, err := s.open(ctx, c, id, statement)
	if err != nil {
		return Chart{}, err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	share, err := s.sorts.take(ctx, c.ID, transform.ChartMemory(o.source.Raw()), s.cfg.Bounds.Patience)
	if err != nil {
		return Chart{}, busy(err, "charts-busy", "Charts of large results are being made right now, yours or others'. Try again in a moment, or group in the SQL.")
	}
	defer share.close()
	data, err := transform.Aggregate(ctx, o.source, spec)
	if err != nil {
		return Chart{}, told(err)
	}
	out = Chart{Data: data, Truncated: o.result.Truncated, ETag: o.etag("chart", string(chart))}
	for _, series := range data.Series {
		out.SeriesCut = out.SeriesCut || series.Other
	}
	e := s.entry(c, audit.KindResultRead, o.rec)
	e.StatementID, e.Rows, e.Mode = uint64(statement), data.Rows, "chart"
	return out, s.journal(ctx, &e)
}

// Export returns a whole result in a format. It is charged and recorded before
// it returns; the caller writes it once, and closes it.
func (s *Runs) Export(ctx context.Context, c *admin.Caller, id string, req ExportRequest) (*Export, error) {
	if format.ContentType(req.Format) == "" {
		e := admin.Errorf(admin.Unprocessable, "format-unavailable", "There is no format %q.", clip(req.Format, 20))
		e.Extra = map[string]any{"formats": formats()}
		return nil, e
	}
	if err := req.Options.Validate(); err != nil {
		return nil, admin.Errorf(admin.Invalid, "bad-request", "%s.", err.Error())
	}
	o, err := s.open(ctx, c, id, req.Statement)
	if err != nil {
		return nil, err
	}
	etag := o.etag("export", fmt.Sprintf("%+v", req.Options))
	unsent := req.Unsent != nil && req.Unsent(etag)
	var held *share
	if need := format.Memory(req.Format, o.source.Raw(), len(o.result.Columns)); need > 0 && !unsent {
		if held, err = s.exports.take(ctx, c.ID, need, s.cfg.Bounds.ExportPatience); err != nil {
			err = busy(err, "exports-busy", "Others export large results in this format right now, or you do. Try again in a moment, or export them as CSV.")
			return nil, errors.Join(err, o.close())
		}
	}
	if err := s.release(ctx, c, o, req, unsent); err != nil {
		held.close()
		return nil, errors.Join(err, o.close())
	}
	name := "run-" + strings.TrimPrefix(id, admin.PrefixRun)
	if req.Statement > 0 {
		name += "-" + strconv.Itoa(req.Statement)
	}
	return &Export{
		ContentType: format.ContentType(req.Format), Filename: name + format.Extension(req.Format), RowCount: o.source.Count(),
		Truncated: o.result.Truncated, ETag: etag, open: o, opts: req.Options, share: held,
	}, nil
}

// release charges and records a result that leaves the house, or would.
func (s *Runs) release(ctx context.Context, c *admin.Caller, o *opened, req ExportRequest, unsent bool) error {
	if err := format.Available(req.Format, o.source); err != nil {
		e := admin.Errorf(admin.Unprocessable, "format-unavailable", "%s.", err.Error())
		if errors.Is(err, format.ErrTooManyRows) {
			e.Slug = "too-many-rows"
		}
		e.Extra = map[string]any{"formats": format.Formats(o.source)}
		return e
	}
	if s.cfg.Meter != nil && !unsent {
		t, _ := s.access.target(o.rec.Target)
		if err := s.cfg.Meter.ChargeRows(ctx, principalOf(c), t, o.rec.Origin.relations(t.Database), o.source.Count()); err != nil {
			if _, ours := errors.AsType[*admin.Error](err); ours {
				return err
			}
			out := admin.Errorf(admin.Quota, "quota-exceeded", "A quota of yours does not allow an export of %d rows now.", o.source.Count())
			out.Err = err
			return out
		}
	}
	e := s.entry(c, audit.KindResultExport, o.rec)
	e.StatementID, e.Mode = uint64(req.Statement), req.Format
	if !unsent {
		e.Rows, e.BytesOut = o.source.Count(), o.source.Raw()
	}
	return s.journal(ctx, &e)
}

// Latest returns the id of the newest succeeded run of a saved query that is
// open to the caller.
func (s *Runs) Latest(ctx context.Context, c *admin.Caller, queryID string) (string, error) {
	var records []Record
	err := s.cfg.Store.View(ctx, func(tx Tx) error {
		if _, err := readable(ctx, tx, c, queryID); err != nil {
			return err
		}
		var err error
		records, err = tx.Runs(ctx, RecordFilter{QueryID: queryID, State: StateSucceeded, Limit: topList})
		return err
	})
	if err != nil {
		return "", err
	}
	for i := range records {
		if records[i].Deleted {
			continue
		}
		st, err := s.access.of(ctx, c, &records[i])
		if isSilent(err) {
			return "", err // an older one would pass for the newest
		}
		if err == nil && st > stranger {
			return records[i].ID, nil
		}
	}
	return "", admin.Missing()
}
