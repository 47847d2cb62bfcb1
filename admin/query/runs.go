package query

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/policy/sqllex"
)

// Runs submits runs, keeps them, and shows them to whom they are open.
type Runs struct {
	cfg     Config
	types   *typeNames
	access  access
	pace    pace
	raw     Store   // as it is, with titles sealed: what expires need not be opened
	pages   *budget // memory of pages on their way
	sorts   *budget // memory of sorts and charts
	exports *budget // memory of formats that hold a part of a result
	views   *views

	unpurged atomic.Bool   // keys were destroyed that may linger in the store's files
	crowded  chan struct{} // rows were added
	ready    chan struct{} // closed when runs are taken
	version  atomic.Uint64 // of the lists that are published

	mu     sync.Mutex  // guards what follows
	launch func(*live) // begins a run's goroutine, within the life of Run; nil: no runs are taken
	live   map[string]*live
	each   map[string]int // live runs by owner
	wg     sync.WaitGroup
}

// New returns the service. It takes no runs before Run.
func New(cfg Config) (*Runs, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.Bounds = cfg.Bounds.withDefaults()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Runs{cfg: cfg, types: newTypeNames(), live: map[string]*live{}, each: map[string]int{}, crowded: make(chan struct{}, 1), ready: make(chan struct{})}
	s.raw, s.cfg.Store, s.cfg.Blobs = cfg.Store, titled{cfg.Store, s}, roomy{cfg.Blobs, s}
	s.pages = newBudget(cfg.Bounds.PagesBytes, cfg.Bounds.PagesBytes/2)
	s.sorts = newBudget(cfg.Bounds.SortsBytes, cfg.Bounds.SortsBytes/2)
	s.exports = newBudget(cfg.Bounds.ExportsBytes, cfg.Bounds.ExportsBytes/2)
	s.views = newViews(cfg.Bounds.ViewsBytes)
	s.access = access{cfg: &s.cfg, log: s.cfg.Log}
	return s, nil
}

// Causes for which we end a run.
var (
	errCanceled     = errors.New("canceled")
	errQueueTimeout = errors.New("queue timeout")
	errRunTimeout   = errors.New("run timeout")
	errStopped      = errors.New("the office was stopped")
)

// Run recovers what a crash left, takes runs and sweeps until ctx ends. It
// returns when no run is left: those that still ran are failed, connection
// lost. It is called once.
func (s *Runs) Run(ctx context.Context) error {
	if err := s.recover(ctx); err != nil {
		return err
	}
	base, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	s.setLaunch(func(l *live) {
		stopped := context.AfterFunc(base, func() { l.stop(context.Cause(base)) })
		s.wg.Go(func() { // ends with the run; Run waits
			defer l.stop(nil)
			defer stopped()
			s.execute(l.ctx, l)
		})
	})
	close(s.ready)
	ticker := time.NewTicker(s.cfg.Bounds.Sweep)
	defer ticker.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		s.sweep(ctx, n)
		s.untilSweep(ctx, ticker.C)
	}
	s.setLaunch(nil)
	stop(errStopped)
	s.wg.Wait()
	return nil
}

// untilSweep waits for the next sweep, and makes room meanwhile when rows were
// added.
func (s *Runs) untilSweep(ctx context.Context, tick <-chan time.Time) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
			return
		case <-s.crowded:
			if err := s.makeRoom(ctx); err != nil && ctx.Err() == nil {
				s.cfg.Log.ErrorContext(ctx, "no room could be made among results", slog.Any("error", err))
			}
		}
	}
}

// Ready is closed when runs are taken: Run has recovered what a crash left.
func (s *Runs) Ready() <-chan struct{} { return s.ready }

// openingPatience is how long a run that comes while the office opens is held,
// rather than refused: recovering takes a moment, and whoever started the
// server sends the first query in that moment.
const openingPatience = 5 * time.Second

// opening waits until runs are taken. It does not say when they are not: admit
// does.
func (s *Runs) opening(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, openingPatience)
	defer cancel()
	select {
	case <-s.ready: // nearly always, and at once
	case <-ctx.Done():
	}
}

func (s *Runs) setLaunch(f func(*live)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.launch = f
}

// admit takes a run in, within the bounds.
func (s *Runs) admit(l *live) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	owner := l.rec.OwnerID
	switch {
	case s.launch == nil:
		return admin.Errorf(admin.Unavailable, "unavailable", "The office is starting or stopping. Try again in a moment.")
	case s.each[owner] >= s.cfg.Bounds.LiveEach:
		return admin.Errorf(admin.Quota, "too-many-queued", "You have %d runs that have not ended, the most one may have. Wait for one, or cancel one.", s.each[owner])
	case len(s.live) >= s.cfg.Bounds.Live:
		return admin.Errorf(admin.Unavailable, "queue-full", "%d runs have not ended, the most there may be. Try again in a moment.", len(s.live))
	}
	s.live[l.rec.ID] = l
	s.each[owner]++
	return nil
}

// dismiss lets a run go, when it has ended or never began.
func (s *Runs) dismiss(l *live) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live[l.rec.ID] != l {
		return
	}
	delete(s.live, l.rec.ID)
	if l.taken.Load() > 0 {
		s.crowd()
	}
	if s.each[l.rec.OwnerID]--; s.each[l.rec.OwnerID] <= 0 {
		delete(s.each, l.rec.OwnerID)
	}
}

// begin starts a run that was admitted and stored.
func (s *Runs) begin(l *live) {
	s.mu.Lock()
	launch := s.launch
	if launch != nil {
		launch(l)
	}
	s.mu.Unlock()
	if launch == nil { // stopped in between: the next start finds it
		s.dismiss(l)
	}
}

// target finds a target that the caller may use.
func (s *Runs) target(c *admin.Caller, name string) (Target, error) {
	return targetFor(s.cfg.Targets, c, name)
}

// mode says how a target's text is cut.
func (t Target) mode() sqllex.Mode {
	if t.Dialect == sqllex.Redshift.String() {
		return sqllex.Mode{Dialect: sqllex.Redshift}
	}
	return sqllex.Mode{Dialect: sqllex.Postgres}
}

// now is the time as the store keeps it.
func (s *Runs) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Microsecond) }

// liveRun returns a queued or running run.
func (s *Runs) liveRun(id string) *live {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live[id]
}

// Revoke ends the live runs of principals whose rights ended: ids of people,
// services, tokens or sessions. It returns how many it ends.
func (s *Runs) Revoke(ids ...string) int {
	gone := make(map[string]bool, len(ids))
	for _, id := range ids {
		gone[id] = true
	}
	s.mu.Lock()
	var hit []*live
	for _, l := range s.live {
		for _, id := range l.principals {
			if gone[id] {
				hit = append(hit, l)
				break
			}
		}
	}
	s.mu.Unlock()
	for _, l := range hit {
		s.happen(l, cancelAsked{by: houseName, reason: "the rights it ran with have ended"})
		l.stop(errCanceled)
	}
	return len(hit)
}

// houseName is who ended a run when nobody did.
const houseName = "lockkeeper"
