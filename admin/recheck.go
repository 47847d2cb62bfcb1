package admin

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// What an identity provider's answer means, beside the person it speaks of.
var (
	// ErrRefused: the provider no longer vouches for this sign-in.
	ErrRefused = errors.New("the identity provider refused the refresh token")
	// ErrUnclear: the provider answered, and nothing can be concluded from it.
	ErrUnclear = errors.New("the identity provider's answer cannot be used")
)

// Provider is an identity provider that can be asked about who signed in by it.
type Provider interface {
	// Ask returns who a subject is now; Proof.NoGroup says that they may no
	// longer come in. It is ErrRefused, ErrUnclear, or the provider is away.
	// keep is called with the next refresh token, if one came, before anything
	// else can go wrong; its error ends the question and is returned.
	Ask(ctx context.Context, subject string, refresh Secret, keep func(next Secret) error) (Proof, error)
}

// Presence reports whether anything goes on at the door under a login: a tool's
// session outlives the password it came with.
type Presence interface {
	Present(login string) bool
}

// RecheckConfig is what a Rechecker stands on.
type RecheckConfig struct {
	Office   *Office
	Issuer   string // whose people are asked about
	Provider Provider
	Presence Presence // nil: nothing goes on elsewhere
	Log      *slog.Logger
	Now      func() time.Time // nil: time.Now
	AtOnce   int              // questions at one time; 0: 8
}

// Rechecker asks the identity provider again and again, every Config.Recheck,
// about everybody who has something here that could be taken away.
//
//	due ──► anything alive? ── no ──► forget
//	             │ yes
//	             ▼
//	        Provider.Ask ──► keep the next token ──► the answer
//	                                                   │
//	    group missing   shut out, as at a sign-in ◄────┤
//	    refused         its page sessions end     ◄────┤
//	    other groups    other teams               ◄────┤
//	    away            nothing; later again      ◄────┘
//
// Only one may run for a store: a token that is used twice may end the login.
// An answer counts only if nobody has signed in since the question began.
type Rechecker struct {
	cfg  RecheckConfig
	wake chan struct{} // a question is over: there may be room for the next

	mu       sync.Mutex // guards what follows
	asking   map[identityKey]bool
	unclear  map[identityKey]bool // told in the log
	failures int                  // questions in a row that found the provider away
	until    time.Time            // no question before
}

type identityKey struct{ issuer, subject string }

func (r *Renewal) key() identityKey { return identityKey{r.Issuer, r.Subject} }

// NewRechecker returns a Rechecker that asks nothing yet: Run it.
func NewRechecker(cfg RecheckConfig) (*Rechecker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Rechecker{cfg: cfg, wake: make(chan struct{}, 1), asking: map[identityKey]bool{}, unclear: map[identityKey]bool{}}, nil
}

// Bounds of how often the store is asked who is due.
const (
	looksEach   = 20 // looks while an identity waits for its turn once
	shortestGap = 100 * time.Millisecond
	longestGap  = 5 * time.Second
)

// Run asks until ctx ends, and returns when the questions under way are answered
// or given up.
func (r *Rechecker) Run(ctx context.Context) error {
	var group sync.WaitGroup
	defer group.Wait()
	look := time.NewTicker(min(max(r.cfg.Office.cfg.Recheck/looksEach, shortestGap), longestGap))
	defer look.Stop()
	for {
		r.begin(ctx, &group)
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
		case <-r.wake:
		}
	}
}

// begin asks about those who are due, as far as there is room.
func (r *Rechecker) begin(ctx context.Context, group *sync.WaitGroup) {
	if !r.ready() {
		return
	}
	var due []Renewal
	err := r.cfg.Office.cfg.Store.View(ctx, func(tx Tx) (err error) {
		due, err = tx.DueRenewals(ctx, r.cfg.Issuer, 2*r.cfg.AtOnce) // those being asked are still among them
		return err
	})
	if err != nil {
		r.away(ctx, err)
		return
	}
	for i := range due {
		one := &due[i]
		if !r.take(one.key()) {
			continue
		}
		group.Go(func() { // ends with the question, whose time is bounded; Run waits
			defer r.give(one.key())
			asking, cancel := outlast(ctx, lastWord)
			defer cancel()
			r.check(asking, one)
		})
	}
}

// lastWord is how long a question may outlast Run's context: the provider may
// have given the next token already, and it would be lost.
const lastWord = 3 * time.Second

// outlast returns a context that ends a while after ctx.
func outlast(ctx context.Context, by time.Duration) (context.Context, context.CancelFunc) {
	out, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(by, cancel) })
	return out, func() { stop(); cancel() }
}

// ready reports whether questions may begin now.
func (r *Rechecker) ready() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !r.cfg.Now().Before(r.until) && len(r.asking) < r.cfg.AtOnce
}

func (r *Rechecker) take(key identityKey) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asking[key] || len(r.asking) >= r.cfg.AtOnce {
		return false
	}
	r.asking[key] = true
	return true
}

func (r *Rechecker) give(key identityKey) {
	r.mu.Lock()
	delete(r.asking, key)
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// check asks about one identity and does what follows from the answer.
func (r *Rechecker) check(ctx context.Context, one *Renewal) {
	err := r.ask(ctx, one)
	switch {
	case err == nil || errors.Is(err, errSuperseded) || errors.Is(err, ErrAbsent) || CodeOf(err) == NotFound:
		r.spoke(ctx)
		r.clear(one.key())
	case errors.Is(err, ErrUnclear):
		r.odd(ctx, one, err)
	default:
		r.later(ctx, one, err)
	}
}

// ask does the whole of it, and returns what kept it from an end.
func (r *Rechecker) ask(ctx context.Context, listed *Renewal) error {
	o := r.cfg.Office
	one, err := o.stillDue(ctx, listed, r.cfg.Presence) // its token may have been used since
	if err != nil || one == nil {
		return err
	}
	token, err := o.cfg.Vault.Open(one.purpose(), one.Sealed)
	if err != nil {
		return errors.Join(ErrUnclear, err)
	}
	proof, err := r.cfg.Provider.Ask(ctx, one.Subject, NewSecret(string(token)), func(next Secret) error {
		return o.keepNext(ctx, one, next)
	})
	proof.Issuer, proof.Subject = one.Issuer, one.Subject
	switch {
	case errors.Is(err, ErrRefused):
		return o.renewalRefused(ctx, one)
	case err != nil:
		return err
	case !o.grouped(proof):
		return o.renewalBarred(ctx, one, proof)
	default:
		return o.renewed(ctx, one, proof)
	}
}

// spoke notes that the provider is there.
func (r *Rechecker) spoke(ctx context.Context) {
	r.mu.Lock()
	again := r.failures > 0
	r.failures, r.until = 0, time.Time{}
	r.mu.Unlock()
	if again {
		r.cfg.Log.InfoContext(ctx, "people can be asked about again", slog.String("issuer", r.cfg.Issuer))
	}
}

func (r *Rechecker) clear(key identityKey) {
	r.mu.Lock()
	delete(r.unclear, key)
	r.mu.Unlock()
}

// odd puts off somebody of whom the provider says nothing that can be used, and
// tells it once.
func (r *Rechecker) odd(ctx context.Context, one *Renewal, err error) {
	r.spoke(ctx)
	r.mu.Lock()
	told := r.unclear[one.key()]
	r.unclear[one.key()] = true
	r.mu.Unlock()
	if !told {
		r.cfg.Log.WarnContext(ctx, "the identity provider's answer about somebody cannot be used; they stay as they are until their next sign-in",
			slog.String("issuer", one.Issuer), slog.String("subject", printable(one.Subject, maxName)), slog.Any("error", err))
	}
	r.cfg.Office.postpone(ctx, one, r.cfg.Office.cfg.Recheck)
}

// later puts off somebody who could not be asked about.
func (r *Rechecker) later(ctx context.Context, one *Renewal, err error) {
	r.cfg.Office.postpone(ctx, one, r.away(ctx, err))
}

// Bounds of how long nobody is asked about while the provider is away.
const (
	firstPause  = time.Second
	longestStep = 6 // doublings: about a minute
)

// away notes that a question found nobody, and returns how long to wait. It says
// nothing about people.
func (r *Rechecker) away(ctx context.Context, err error) time.Duration {
	if ctx.Err() != nil {
		return 0 // we are leaving ourselves
	}
	r.mu.Lock()
	pause := min(firstPause<<min(r.failures, longestStep), r.cfg.Office.cfg.Recheck)
	r.failures++
	r.until = r.cfg.Now().Add(pause)
	first := r.failures == 1
	r.mu.Unlock()
	if first {
		r.cfg.Log.WarnContext(ctx, "cannot ask whether people may still come in; they stay as they are",
			slog.String("issuer", r.cfg.Issuer), slog.Any("error", err))
	}
	return pause
}
