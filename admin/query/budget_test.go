package query

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockkeeper/lockkeeper/admin/result/resulttest"
	"github.com/lockkeeper/lockkeeper/admin/result/transform"
)

// Nobody holds more than there is; those who wait are served in turn by who they
// are, a large request is not overtaken for ever, and patience ends.
func TestBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100, 50)
		first, err := b.take(t.Context(), "ann", 60, time.Second) // alone: more than half
		if err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex // guards got
		var got []string
		for i, one := range []struct {
			owner string
			bytes int64
		}{{"bob", 50}, {"bob", 50}, {"bob", 50}, {"cid", 70}, {"ann", 60}} {
			go func() { // ends when it is served
				s, err := b.take(t.Context(), one.owner, one.bytes, time.Minute)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				got = append(got, fmt.Sprint(one.owner, i))
				mu.Unlock()
				time.Sleep(time.Second)
				s.close()
				s.close()
			}()
			synctest.Wait()
		}
		if len(got) > 0 {
			t.Errorf("served %v while ann holds 60 of 100", got)
		}
		if _, err := b.take(t.Context(), "dan", 10, time.Second); !errors.Is(err, errBusy) {
			t.Errorf("overtook those who wait: %v", err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("gone")
		cancel(gone)
		if _, err := b.take(ctx, "dan", 10, time.Second); !errors.Is(err, gone) {
			t.Errorf("who left waits: %v", err)
		}
		first.shrink(40)
		synctest.Wait()
		if !slices.Equal(got, []string{"bob0"}) {
			t.Errorf("with 60 free: %v", got)
		}
		first.close()
		time.Sleep(time.Minute)
		synctest.Wait()
		if !slices.Equal(got, []string{"bob0", "cid3", "ann4", "bob1", "bob2"}) {
			t.Errorf("served %v", got)
		}
		if b.used != 0 || len(b.held)+len(b.served)+len(b.waiting) > 0 {
			t.Errorf("something stays: %d, %v, %v, %v", b.used, b.held, b.served, b.waiting)
		}
	})
}

// What is kept stays within its bound, the newest first, and goes with its run.
func TestViewsAreBounded(t *testing.T) {
	t.Parallel()
	rows := make([][][]byte, 1000)
	for i := range rows {
		rows[i] = resulttest.Row(i)
	}
	sorted, err := transform.Sort(t.Context(), resulttest.Store(t, []Column{resulttest.Column("n", "int4")}, rows), []transform.Key{{Column: transform.Ref{Name: "n"}}})
	if err != nil {
		t.Fatal(err)
	}
	c := newViews(4 * (sorted.Order().Size() + viewCost + 10))
	for i := range 6 {
		c.keep(viewKeyOf(fmt.Sprint("r", i%3), RowsRequest{Statement: i}), &view{order: sorted.Order()})
		c.get(viewKeyOf("r0", RowsRequest{}))
	}
	if c.used > c.most || len(c.byKey) != 4 || c.get(viewKeyOf("r0", RowsRequest{})) == nil || c.get(viewKeyOf("r1", RowsRequest{Statement: 1})) != nil {
		t.Errorf("%d views of %d bytes, at most %d", len(c.byKey), c.used, c.most)
	}
	c.forget("r0")
	if c.get(viewKeyOf("r0", RowsRequest{})) != nil || len(c.byKey) != 2 || c.order.Len() != 2 {
		t.Errorf("%d views stay", len(c.byKey))
	}
	if small := newViews(100); true {
		small.keep(viewKeyOf("large", RowsRequest{}), &view{order: sorted.Order()})
		if small.used != 0 {
			t.Error("kept what is larger than all it may keep")
		}
	}
	for _, req := range []RowsRequest{{Statement: 1}, {Sort: "n"}, {Filter: "n"}, {}} {
		if viewKeyOf("r", req) == viewKeyOf("r", RowsRequest{Sort: "n", Filter: "n"}) {
			t.Errorf("%+v has the key of another", req)
		}
	}
}
