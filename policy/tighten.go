package policy

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// compileClasses builds the declared tree and refuses a child that loosens.
func compileClasses(src *Source, mode Mode) (*classDef, error) {
	root := &classDef{src: &ClassSource{}, mode: mode}
	return root, root.add(src.Classes, "classes", 1, &ceiling{})
}

func (d *classDef) add(classes []ClassSource, where string, depth int, above *ceiling) error {
	for i := range classes {
		s := &classes[i]
		here := where + "." + s.Name
		if depth > MaxClassDepth {
			return &SourceError{Where: here, Err: fmt.Errorf("deeper than %d", MaxClassDepth)}
		}
		templates, err := parsePath(s.Name)
		if err == nil && len(templates) != 1 {
			err = fmt.Errorf("a class's name is one segment: write %q as children", s.Name)
		}
		if err != nil {
			return &SourceError{Where: here, Err: err}
		}
		if d.children[s.Name] != nil {
			return &SourceError{Where: here, Err: errors.New("declared twice")}
		}
		next, err := above.under(s)
		if err != nil {
			return &SourceError{Where: here, Err: err}
		}
		child := &classDef{src: s, mode: s.Mode}
		if child.mode == ModeInherit {
			child.mode = d.mode
		}
		if d.children == nil {
			d.children = map[string]*classDef{}
		}
		d.children[s.Name] = child
		if err := child.add(s.Children, here+".children", depth+1, next); err != nil {
			return err
		}
	}
	return nil
}

// ceiling is the strictest of all classes above.
type ceiling struct {
	hard    int
	max     *int
	wait    *time.Duration
	limits  Limits
	release ReleaseSource
	cancel  bool
}

// under checks that a class only tightens and returns the ceiling below it.
func (c *ceiling) under(s *ClassSource) (*ceiling, error) {
	n := *c
	loosens := func(what string, child, parent any) error {
		return fmt.Errorf("a child may only tighten: %s %v is looser than %v above", what, child, parent)
	}
	if s.Hard < 0 {
		return nil, errors.New("concurrency.hard is below zero")
	}
	if s.Hard > 0 {
		if c.hard > 0 && s.Hard > c.hard {
			return nil, loosens("concurrency.hard", s.Hard, c.hard)
		}
		n.hard = s.Hard
	}
	if q := s.Queue; q != nil {
		if q.Max != nil {
			if c.max != nil && *q.Max > *c.max {
				return nil, loosens("queue.max", *q.Max, *c.max)
			}
			n.max = q.Max
		}
		if q.MaxWait != nil {
			if c.wait != nil && *q.MaxWait > *c.wait {
				return nil, loosens("queue.max_wait", spell(*q.MaxWait), spell(*c.wait))
			}
			n.wait = q.MaxWait
		}
	}
	if g := s.OnClientGone; g != nil {
		if c.cancel && *g == GoneFinish {
			return nil, loosens("on_client_gone", "finish", "cancel")
		}
		n.cancel = *g == GoneCancel
	}
	for _, b := range []struct {
		name          string
		child, parent int64
		show          func(int64) any
	}{
		{"limits.query_execution_time", int64(s.Limits.QueryExecutionTime), int64(c.limits.QueryExecutionTime), showTime},
		{"limits.transaction_time", int64(s.Limits.TransactionTime), int64(c.limits.TransactionTime), showTime},
		{"limits.idle_session", int64(s.Limits.IdleSession), int64(c.limits.IdleSession), showTime},
		{"limits.client_stall", int64(s.Limits.ClientStall), int64(c.limits.ClientStall), showTime},
		{"limits.return_row_count", s.Limits.ReturnRowCount, c.limits.ReturnRowCount, showNumber},
		{"limits.return_bytes", s.Limits.ReturnBytes, c.limits.ReturnBytes, showNumber},
	} {
		if b.child < 0 {
			return nil, fmt.Errorf("%s is below zero", b.name)
		}
		if b.child > 0 && b.parent > 0 && b.child > b.parent {
			return nil, loosens(b.name, b.show(b.child), b.show(b.parent))
		}
	}
	n.limits = c.limits.tighter(s.Limits)
	return &n, n.tightenRelease(s.Release, loosens)
}

func (c *ceiling) tightenRelease(r *ReleaseSource, loosens func(string, any, any) error) error {
	if r == nil {
		return nil
	}
	if r.Ladder != nil {
		for _, m := range r.Ladder {
			if c.release.Ladder != nil && !slices.Contains(c.release.Ladder, m) {
				return loosens("release.ladder", m, c.release.Ladder)
			}
		}
		c.release.Ladder = r.Ladder
	}
	if r.MinIdle != nil {
		if *r.MinIdle < 0 {
			return errors.New("release.when_blocking.min_idle is below zero")
		}
		if c.release.MinIdle != nil && *r.MinIdle > *c.release.MinIdle {
			return loosens("release.when_blocking.min_idle", spell(*r.MinIdle), spell(*c.release.MinIdle))
		}
		c.release.MinIdle = r.MinIdle
	}
	if r.MaxIdleTx > 0 {
		if c.release.MaxIdleTx > 0 && r.MaxIdleTx > c.release.MaxIdleTx {
			return loosens("release.max_idle_tx", spell(r.MaxIdleTx), spell(c.release.MaxIdleTx))
		}
		c.release.MaxIdleTx = r.MaxIdleTx
	}
	return nil
}

func showTime(n int64) any   { return spell(time.Duration(n)) }
func showNumber(n int64) any { return n }
