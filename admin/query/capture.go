package query

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/blob"
	"github.com/lockkeeper/lockkeeper/admin/result"
	"github.com/lockkeeper/lockkeeper/admin/secret"
)

var (
	// errEnough: the limit is reached and the statement only reads.
	errEnough = errors.New("enough rows")
	// errTooMany: the limit is reached, and the request said to fail then.
	errTooMany = errors.New("more rows than the limit")
	// errUndone: a COMMIT ended a transaction that had failed.
	errUndone = errors.New("the transaction had failed and was rolled back")
	// errNotKept: the rows cannot be stored.
	errNotKept = errors.New("the result cannot be stored")
)

// capture is the sink of one statement: it stores rows up to the limits, and
// says what to do beyond. A statement that only reads, by proof, is ended
// there; any other goes to its end and its rows are dropped.
type capture struct {
	s      *Runs
	l      *live
	index  int
	proven bool
	key    secret.Key
	meter  *meter
	ctx    context.Context //nolint:containedctx // of the statement: the sink's methods take none

	columns []Column
	blob    blob.Writer
	rows    *result.Writer
	count   int64
	bytes   int64
	cut     *Truncation
	lost    error // why nothing more is stored
}

// Columns begins the result.
func (c *capture) Columns(names []string, oids []uint32, mods []int32) error {
	for i := range names {
		c.columns = append(c.columns, Column{Name: names[i], Type: c.s.types.name(oids[i]), OID: oids[i], Typmod: mods[i]})
	}
	if len(names) == 0 {
		return nil
	}
	return c.lose(c.open())
}

func (c *capture) open() error {
	chunks, err := secret.NewChunks(c.key, stream(c.index))
	if err != nil {
		return fmt.Errorf("begin to seal: %w", err)
	}
	if c.blob, err = c.s.cfg.Blobs.Create(context.WithoutCancel(c.ctx), blobName(c.l.rec.ID, c.index)); err != nil {
		return err
	}
	c.rows, err = result.NewWriter(c.blob, sealer{chunks}, c.columns)
	return err
}

// Row stores a row.
func (c *capture) Row(cells [][]byte) error {
	c.meter.phase.Store(phaseReading)
	c.meter.rows.Add(1)
	size := int64(0)
	for _, cell := range cells {
		size += int64(len(cell))
	}
	c.meter.bytes.Add(size)
	switch {
	case c.cut != nil || c.lost != nil || len(cells) == 0:
		return nil //nolint:nilerr // what is lost is told at the end; it writes, and goes to its end
	case c.count >= c.l.rec.Limits.MaxRows:
		return c.truncate(ByMaxRows, c.l.rec.Limits.MaxRows)
	case c.bytes+size > c.l.rec.Limits.MaxBytes:
		return c.truncate(ByMaxBytes, c.l.rec.Limits.MaxBytes)
	case c.rows.Size() > c.s.cfg.Bounds.MaxStored-c.l.rec.Bytes:
		return c.truncate(ByStoredBytes, c.s.cfg.Bounds.MaxStored)
	}
	if err := c.rows.Write(cells); err != nil {
		return c.lose(err)
	}
	c.count++
	c.bytes += size
	return nil
}

func (c *capture) truncate(by string, limit int64) error {
	c.cut = &Truncation{By: by, Limit: limit}
	switch {
	case !c.proven:
		return nil
	case c.l.rec.OnLimit == Fail:
		return errTooMany
	}
	return errEnough
}

// lose gives the rows up if err is one: the run fails for it, the server does
// not. What writes still goes to its end.
func (c *capture) lose(err error) error {
	if err == nil {
		return nil
	}
	c.lost = fmt.Errorf("%w: %w", errNotKept, err)
	if c.proven {
		return c.lost
	}
	return nil
}

// Notice passes on what the server says.
func (c *capture) Notice(severity, message, detail, hint string) {
	const long = 2000
	if strings.HasPrefix(message, "queued: ") { // the door's own; Wait says it better
		return
	}
	c.s.happen(c.l, noticed{c.index, Notice{clip(severity, long), clip(message, long), clip(detail, long), clip(hint, long)}})
}

// finish makes the stored rows readable, if the statement went well, and throws
// them away if not.
func (c *capture) finish(err error) (Result, error) {
	res := Result{RowCount: c.count, Bytes: c.bytes, Columns: c.columns, Truncated: c.cut, Formats: []string{}}
	if res.Columns == nil {
		res.Columns = []Column{}
	}
	if c.blob == nil {
		return res, c.lost
	}
	defer func() {
		if err := c.blob.Abort(); err != nil { // does nothing after a commit
			c.s.cfg.Log.WarnContext(c.ctx, "unfinished result stays behind", slog.String("run", c.l.rec.ID), slog.Any("error", err))
		}
	}()
	if err != nil && !errors.Is(err, errEnough) || c.lost != nil {
		return res, c.lost
	}
	if err := c.rows.Close(); err != nil {
		return res, fmt.Errorf("%w: %w", errNotKept, err)
	}
	if err := c.blob.Commit(); err != nil {
		return res, fmt.Errorf("%w: %w", errNotKept, err)
	}
	c.l.rec.Bytes += c.rows.Size()
	res.Formats = formats()
	return res, nil
}

// formats are the names of the formats that a result can be had in.
func formats() []string { return []string{"json", "csv", "tsv", "ndjson", "xlsx", "parquet"} }

// stream names a statement's rows among what the run's key seals.
func stream(index int) string { return "rows/" + strconv.Itoa(index) }

// blobName is where a statement's rows lie.
func blobName(id string, index int) string {
	return blobPrefix + strings.ToLower(strings.TrimPrefix(id, admin.PrefixRun)) + "/" + strconv.Itoa(index)
}

const blobPrefix = "runs/"

// sealer seals the parts of a result.
type sealer struct{ chunks *secret.Chunks }

// Seal seals one part.
func (s sealer) Seal(index uint64, final bool, plain []byte) ([]byte, error) {
	return s.chunks.Seal(nil, index, final, plain)
}

// Open opens one part.
func (s sealer) Open(index uint64, final bool, sealed []byte) ([]byte, error) {
	return s.chunks.Open(nil, index, final, sealed)
}
