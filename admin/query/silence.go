package query

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/policy"
)

// silence remembers for whom the warehouse did not say what they may read. As
// long as that lasts, what is not there has the same answer as what may not be
// decided: else the answer would tell which runs there are.
type silence struct {
	mu sync.Mutex // guards of
	of map[string]question
}

// question is the one that was not answered; it is asked again.
type question struct {
	target    Target
	relations []policy.Relation
	again     time.Time // not before
}

// silentFor is how long nobody asks again in the name of a person.
const silentFor = 5 * time.Second

// silentSlug is the kind of the answer while the warehouse gives none.
const silentSlug = "warehouse-silent"

func silent() *admin.Error {
	e := admin.Errorf(admin.Unavailable, silentSlug, "The warehouse does not answer, so it cannot be asked whether you may open this. Try again.")
	e.RetryAfter = silentFor
	return e
}

func isSilent(err error) bool {
	e, ok := errors.AsType[*admin.Error](err)
	return ok && e.Slug == silentSlug
}

// ask asks the warehouse what a login may read, for a short time only: somebody
// waits for a page.
func (a *access) ask(ctx context.Context, login string, t Target, relations []policy.Relation) (bool, error) {
	if q, is := a.silence.get(login); is && a.cfg.Now().Before(q.again) {
		return false, silent()
	}
	asking, cancel := context.WithTimeout(ctx, a.cfg.Bounds.Ask)
	defer cancel()
	may, err := a.cfg.Privileges.CanSelect(asking, login, t, relations)
	switch {
	case err == nil:
		a.silence.end(login)
	case ctx.Err() != nil: // whoever asked us left
	case asking.Err() != nil || isAway(err):
		a.silence.begin(login, question{t, relations, a.cfg.Now().Add(silentFor)})
		out := silent()
		out.Err = err
		return false, out
	}
	return may, err //nolint:wrapcheck // the caller does
}

// missing is the answer for what is not there and for what is not open.
func (a *access) missing(ctx context.Context, c *admin.Caller) error {
	q, is := a.silence.get(c.Login)
	if !is {
		return admin.Missing()
	}
	if _, err := a.ask(ctx, c.Login, q.target, q.relations); isSilent(err) {
		return err
	}
	return admin.Missing()
}

// isAway reports whether the door says that the warehouse cannot be reached.
func isAway(err error) bool {
	var f Failure
	if !errors.As(err, &f) {
		return false
	}
	switch state, _, _, _, _, _ := f.Report(); state {
	case "08001", "08006", "57P01", "57P03":
		return true
	default:
		return false
	}
}

func (s *silence) get(login string) (question, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, is := s.of[login]
	return q, is
}

func (s *silence) begin(login string, q question) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil || len(s.of) >= maxAnswers {
		s.of = map[string]question{}
	}
	s.of[login] = q
}

func (s *silence) end(login string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.of, login)
}
