package query

import (
	"context"

	"github.com/lockkeeper/lockkeeper/admin"
)

// look asks the door how the run stands: what it waits for, before it runs and
// between its statements.
func (s *Runs) look(ctx context.Context, l *live) {
	if s.cfg.Statuses == nil {
		return
	}
	st, found := s.cfg.Statuses.RunStatus(l.rec.ID)
	r, _ := l.snapshot()
	switch {
	case !found || r.State.Terminal():
	case st.Running:
		l.setClass(st.Class)
		s.start(ctx, l)
		s.tellWait(l, blocked(st.Blocked, l.rec.Login, st.Class))
	case st.Queued:
		l.mu.Lock()
		l.waits, l.class = true, st.Class
		l.mu.Unlock()
		st.Wait.ETAMS = s.pace.eta(st.Class, st.Wait)
		s.tellWait(l, &st.Wait)
	case st.Blocked != nil: // the warehouse waits before it runs: to parse it, it needs a lock
		s.tellWait(l, blocked(st.Blocked, l.rec.Login, st.Class))
	}
}

// tellWait tells of a wait, or with nil that there is none, if that is news.
func (s *Runs) tellWait(l *live, w *Wait) {
	r, _ := l.snapshot()
	switch {
	case w == nil && r.State == StateRunning && r.Wait != nil:
		s.happen(l, resumed{})
	case w != nil && (r.Wait == nil || !sameWait(*r.Wait, *w)):
		s.happen(l, waited{*w})
	}
}

func sameWait(a, b Wait) bool {
	return a.Reason == b.Reason && same(a.Position, b.Position) && same(a.Ahead, b.Ahead) && a.Class == b.Class && a.Detail == b.Detail &&
		same(a.ETAMS, b.ETAMS) && same(a.holder, b.holder)
}

func same[T comparable](a, b *T) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) }

// blocked is the wait for a lock, as the owner of the run sees it: who holds it
// is told of his own sessions only.
func blocked(h *Holder, login, class string) *Wait {
	if h == nil {
		return nil
	}
	return &Wait{Reason: WaitLock, Class: class, Detail: h.words(h.User == login), holder: h}
}

// words say who holds a lock.
func (h *Holder) words(named bool) string {
	const held = "waits for a lock that "
	switch {
	case !named || h.User == "":
		return held + "another session holds"
	case h.Tool == "":
		return held + "a session of " + h.User + " holds"
	}
	return held + "a session of " + h.User + " in " + h.Tool + " holds"
}

// shown is the wait as a caller sees it: whose sessions he may see, he is told.
func (w *Wait) shown(c *admin.Caller, target string) *Wait {
	if w == nil || w.holder == nil {
		return w
	}
	out := *w
	out.Detail = w.holder.words(w.holder.User == c.Login || maySeeOthers(c, target))
	return &out
}

func maySeeOthers(c *admin.Caller, target string) bool {
	return c.Scopes.Has(admin.ScopeActivityRead) && mayUse(c, target) && c.Role(target).AtLeast(admin.RoleOperator)
}
