package notifytest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/lockkeeper/lockkeeper/admin/notify"
)

// Revocations is what ends things whose right is gone.
type Revocations interface {
	Watch(ctx context.Context, ids ...string) (context.Context, func())
	Revoke(ids ...string) int
	Len() int
}

// RunRevocations checks a register of revocations.
func RunRevocations(t *testing.T, newOne func(t *testing.T) Revocations) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, Revocations){
		"any of its ids":    testAnyID,
		"children":          testChildren,
		"release":           testRelease,
		"context ends":      testContextEnds,
		"before the watch":  testBeforeTheWatch,
		"thousand watchers": testThousand,
		"many at once":      testManyAtOnce,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newOne(t)
			test(t, r)
			if n := r.Len(); n != 0 {
				t.Errorf("%d watches are left", n)
			}
		})
	}
}

func wantRevoked(t *testing.T, ctx context.Context, id string) { //nolint:revive // t first, as everywhere
	t.Helper()
	if err := context.Cause(ctx); !errors.Is(err, notify.ErrRevoked) || !strings.Contains(err.Error(), id) {
		t.Errorf("cause %v; want revoked by %s", err, id)
	}
}

func testAnyID(t *testing.T, r Revocations) {
	ids := []string{"person:ann", "session:1", "token:2", "grant:3", "person:ann"}
	for _, id := range ids {
		ctx, release := r.Watch(t.Context(), ids...)
		other, releaseOther := r.Watch(t.Context(), "person:bob", "session:9")
		if n := r.Revoke("person:nobody", "session:"); n != 0 || ctx.Err() != nil {
			t.Errorf("%d ended by ids that nobody has", n)
		}
		if n := r.Revoke(id, "person:nobody", id); n != 1 {
			t.Errorf("%s ended %d", id, n)
		}
		wantRevoked(t, ctx, id)
		if other.Err() != nil {
			t.Errorf("%s ended another's", id)
		}
		if n := r.Revoke(ids...); n != 0 {
			t.Errorf("ended %d a second time", n)
		}
		release()
		releaseOther()
	}
}

func testChildren(t *testing.T, r Revocations) {
	parent, releaseParent := r.Watch(t.Context(), "session:parent")
	defer releaseParent()
	under, releaseUnder := r.Watch(parent, "session:child") // under the parent's context
	defer releaseUnder()
	named, releaseNamed := r.Watch(t.Context(), "session:child", "session:parent") // or naming it
	defer releaseNamed()
	child, releaseChild := r.Watch(parent, "session:other")
	defer releaseChild()
	r.Revoke("session:other")
	wantRevoked(t, child, "session:other")
	if parent.Err() != nil || under.Err() != nil {
		t.Error("a child took its parent with it")
	}
	r.Revoke("session:parent")
	for _, ctx := range []context.Context{parent, under, named} {
		wantRevoked(t, ctx, "session:parent")
	}
	releaseUnder() // its own end comes by its context, perhaps a moment later
}

func testRelease(t *testing.T, r Revocations) {
	ctx, release := r.Watch(t.Context(), "person:ann")
	release()
	release()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, notify.ErrRevoked) {
		t.Errorf("released with cause %v", err)
	}
	if n := r.Revoke("person:ann"); n != 0 {
		t.Errorf("revoked %d that were released", n)
	}
}

// testContextEnds: what forgets to release is forgotten with its context.
func testContextEnds(t *testing.T, r Revocations) {
	parent, cancel := context.WithCancelCause(t.Context())
	ctx, release := r.Watch(parent, "person:ann")
	why := errors.New("client gone")
	cancel(why)
	if err := context.Cause(ctx); !errors.Is(err, why) {
		t.Errorf("cause %v", err)
	}
	release()
	ended, release := r.Watch(parent, "person:ann") // it may have ended before
	defer release()
	if ended.Err() == nil {
		t.Error("a watch outlives its context")
	}
	release()
}

func testBeforeTheWatch(t *testing.T, r Revocations) {
	r.Revoke("person:ann")
	ctx, release := r.Watch(t.Context(), "person:ann") // back in office
	defer release()
	if ctx.Err() != nil {
		t.Error("an old revocation ended a new watch")
	}
	release()
}

func testThousand(t *testing.T, r Revocations) {
	const n = 1000
	ctxs := make([]context.Context, 0, n)
	for i := range n {
		ctx, release := r.Watch(t.Context(), "person:ann", fmt.Sprint("session:", i))
		defer release()
		ctxs = append(ctxs, ctx)
	}
	if ended := r.Revoke("person:ann"); ended != n {
		t.Errorf("ended %d of %d", ended, n)
	}
	for _, ctx := range ctxs { // all at the moment Revoke returns
		wantRevoked(t, ctx, "person:ann")
	}
}

// testManyAtOnce: each watch ends, by its id or by its release, and none stays.
func testManyAtOnce(t *testing.T, r Revocations) {
	var wg, revokers sync.WaitGroup
	asked := make(chan struct{})
	for range 2 {
		revokers.Go(func() {
			for range asked {
				r.Revoke("person:ann", "person:bob")
			}
		})
	}
	for i := range 8 {
		wg.Go(func() {
			for k := range 200 {
				ctx, release := r.Watch(t.Context(), []string{"person:ann", "person:bob", "person:cid"}[(i+k)%3], "session:x")
				if (i+k)%3 < 2 {
					asked <- struct{}{}
					<-ctx.Done()
					if !errors.Is(context.Cause(ctx), notify.ErrRevoked) {
						t.Errorf("cause %v", context.Cause(ctx))
					}
				}
				release()
				if ctx.Err() == nil {
					t.Error("released and alive")
				}
			}
		})
	}
	wg.Wait()
	close(asked)
	revokers.Wait()
}
