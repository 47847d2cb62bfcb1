package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// ErrRevoked is the cause of a context whose person, session, token or grant was
// revoked. Its text names which.
var ErrRevoked = errors.New("revoked")

// Revocations ends what depends on rights that are gone. The zero value is
// ready, and safe for concurrent use.
type Revocations struct {
	mu    sync.Mutex // guards both
	byID  map[string]map[*watch]struct{}
	count int
}

type watch struct {
	ids    []string
	cancel context.CancelCauseFunc

	// Guarded by the mutex of Revocations.
	stop       func() bool // ends the wait for the context; set before registered
	registered bool
	gone       bool // the context ended, perhaps before the watch was registered
}

// Watch returns a context that ends with cause ErrRevoked when any of the ids is
// revoked ("person:ann", "session:…", "token:…", "grant:…"). A child follows its
// parents when it names them too, or is watched under the context of one.
// Release it when the thing is over; the end of ctx releases it as well.
//
// Watch first and ask the store afterwards whether the ids are good: what was
// revoked before is not remembered here.
func (r *Revocations) Watch(ctx context.Context, ids ...string) (watched context.Context, release func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	w := &watch{ids: slices.Clone(ids), cancel: cancel}
	stop := context.AfterFunc(ctx, func() { r.forget(w) })
	r.register(w, stop)
	return ctx, func() {
		stop()
		r.forget(w)
		cancel(nil)
	}
}

func (r *Revocations) register(w *watch, stop func() bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w.stop = stop
	if w.gone {
		return
	}
	w.registered = true
	r.count++
	if r.byID == nil {
		r.byID = map[string]map[*watch]struct{}{}
	}
	for _, id := range w.ids {
		if r.byID[id] == nil {
			r.byID[id] = map[*watch]struct{}{}
		}
		r.byID[id][w] = struct{}{}
	}
}

// Revoke ends all that depends on any of the ids, and returns how many watches
// that were. When it returns, their contexts have ended.
func (r *Revocations) Revoke(ids ...string) int {
	ended := map[string][]*watch{}
	n := 0
	r.mu.Lock()
	for _, id := range ids {
		watches := r.byID[id]
		delete(r.byID, id) // at once, and not one watch after the other
		for w := range watches {
			ended[id] = append(ended[id], w)
			r.forgetLocked(w)
		}
		n += len(watches)
	}
	r.mu.Unlock()
	// Outside the lock: a context tells its children and its AfterFuncs.
	for id, watches := range ended {
		cause := fmt.Errorf("%w: %s", ErrRevoked, id)
		for _, w := range watches {
			w.stop()
			w.cancel(cause)
		}
	}
	return n
}

// Len returns how many watches there are.
func (r *Revocations) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.count
}

func (r *Revocations) forget(w *watch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.forgetLocked(w)
}

func (r *Revocations) forgetLocked(w *watch) {
	w.gone = true
	if !w.registered {
		return
	}
	w.registered = false
	r.count--
	for _, id := range w.ids {
		watches := r.byID[id]
		if delete(watches, w); len(watches) == 0 {
			delete(r.byID, id)
		}
	}
}
