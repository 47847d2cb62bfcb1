package door

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lockkeeper/lockkeeper/policy"
)

// Sink takes what a statement gives. It is an alias, so that whoever declares
// the like needs not know this package.
type Sink = interface {
	// Columns comes once, before the first row, if the statement gives rows. The
	// slices are the sink's.
	Columns(names []string, oids []uint32, mods []int32) error
	// Row is one row in text format; a nil cell is NULL. The bytes are valid
	// until it returns.
	Row(cells [][]byte) error
	// Notice is what the server says beside the rows.
	Notice(severity, message, detail, hint string)
}

// Conn is one session. One goroutine uses it; Cancel may come from any.
type Conn struct {
	door      *Door
	principal policy.Principal
	pg        *pgconn.PgConn
	sink      Sink // of the statement that runs

	// mu guards done: the end of the statement that runs, nil when none does.
	mu   sync.Mutex
	done chan struct{}

	// sending is held for reading by each cancel request on its way, and for
	// writing when a statement begins: a late cancel must not meet the next one.
	sending sync.RWMutex
}

// Query runs one statement in the extended protocol with bound parameters (nil
// is NULL, oid 0 lets the server infer) and streams its rows into sink. The
// sink's error ends the statement by a cancel and comes back once it has ended.
// What the server reports is an Error; any other error means that the
// connection is lost.
func (c *Conn) Query(ctx context.Context, sql string, oids []uint32, values []*string, sink Sink) (tag string, err error) {
	if err := context.Cause(ctx); err != nil {
		return "", fmt.Errorf("begin the statement: %w", err)
	}
	ended := c.begin(sink)
	var helpers sync.WaitGroup
	stop := c.watch(ctx, ended, &helpers)
	defer helpers.Wait()
	defer c.end(ended)
	defer stop()

	// Parse and Execute are two units: the door has a statement wait only at the
	// beginning of a unit, and what is parsed has begun one.
	if _, err := c.pg.Prepare(context.WithoutCancel(ctx), "", sql, oids); err != nil {
		return "", verdict(err, nil)
	}
	rr := c.pg.ExecPrepared(context.WithoutCancel(ctx), "", bytesOf(values), nil, nil)
	sinkErr := c.stream(rr, sink) // the error is the sink's own, and goes back as it is
	if sinkErr != nil {
		// Joined by Query: who drains and who cancels are two, for the server may
		// be blocked on rows that nobody takes.
		helpers.Go(func() { _ = c.insist(context.WithoutCancel(ctx), ended) }) // returns when it has ended
	}
	result, err := rr.Close()
	return result.String(), verdict(err, sinkErr)
}

// stream hands rows on until there are no more, or the sink has enough.
func (c *Conn) stream(rr *pgconn.ResultReader, sink Sink) error {
	if fields := rr.FieldDescriptions(); fields != nil {
		if err := sink.Columns(describe(fields)); err != nil {
			return err
		}
	}
	for rr.NextRow() {
		if err := sink.Row(rr.Values()); err != nil {
			return err
		}
	}
	return nil
}

func describe(fields []pgconn.FieldDescription) (names []string, oids []uint32, mods []int32) {
	for _, f := range fields {
		names, oids, mods = append(names, f.Name), append(oids, f.DataTypeOID), append(mods, f.TypeModifier)
	}
	return names, oids, mods
}

func verdict(err, sinkErr error) error {
	switch e, ok := errors.AsType[*pgconn.PgError](err); {
	case sinkErr != nil:
		return sinkErr
	case ok:
		return &Error{pg: e}
	case err != nil:
		return fmt.Errorf("connection to the door: %w", err)
	}
	return nil
}

func bytesOf(values []*string) [][]byte {
	out := make([][]byte, len(values))
	for i, v := range values {
		if v != nil {
			out[i] = []byte(*v)
		}
	}
	return out
}

// Describe says which types a statement takes, without running it.
func (c *Conn) Describe(ctx context.Context, sql string, oids []uint32) (params []uint32, err error) {
	d, err := c.pg.Prepare(ctx, "", sql, oids)
	if err != nil {
		return nil, verdict(err, nil)
	}
	return d.ParamOIDs, nil
}

// InTransaction reports whether a transaction was open when the last statement
// ended.
func (c *Conn) InTransaction() bool {
	s := c.pg.TxStatus()
	return s == byte(policy.TxActive) || s == byte(policy.TxFailed)
}

// Close ends the session; the server rolls an open transaction back.
func (c *Conn) Close(ctx context.Context) error {
	if err := c.pg.Close(ctx); err != nil {
		return fmt.Errorf("close the session: %w", err)
	}
	return nil
}

func (c *Conn) begin(sink Sink) chan struct{} {
	c.sending.Lock()
	defer c.sending.Unlock()
	ended := make(chan struct{})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done, c.sink = ended, sink
	return ended
}

func (c *Conn) end(ended chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done, c.sink = nil, nil
	close(ended)
}

// watch ends the statement when ctx ends. The function it returns stops that.
func (c *Conn) watch(ctx context.Context, ended chan struct{}, helpers *sync.WaitGroup) func() bool {
	helpers.Add(1)
	stop := context.AfterFunc(ctx, func() {
		defer helpers.Done()
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.door.cfg.Grace)
		defer cancel()
		_ = c.insist(grace, ended) // whether it helped is seen below
		select {
		case <-ended:
		default:
			_ = c.pg.Conn().SetDeadline(time.Unix(1, 0)) // releases the blocked read
		}
	})
	return func() bool {
		stopped := stop()
		if stopped {
			helpers.Done()
		}
		return stopped
	}
}
