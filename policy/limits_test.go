package policy

import (
	"testing"
	"time"
)

func TestNextLimit(t *testing.T) {
	t.Parallel()
	t0 := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	const grace = 5 * time.Second
	lim := Limits{QueryExecutionTime: 2 * time.Second, TransactionTime: time.Minute, IdleSession: time.Hour}
	plan := &ReleasePlan{MaxIdleTx: 10 * time.Second}
	cases := map[string]struct {
		lim  Limits
		st   WatchState
		plan *ReleasePlan
		at   time.Duration // after t0
		r    Remedy
	}{
		"running":                  {lim, WatchState{Activity: ActRunning, Since: t0}, plan, 2 * time.Second, RemedyCancel},
		"copy":                     {lim, WatchState{Activity: ActCopyWait, Since: t0}, plan, 2 * time.Second, RemedyCancel},
		"trapped once":             {lim, WatchState{Activity: ActRunning, Since: t0, Steps: 1, LastStep: t0.Add(2 * time.Second)}, plan, 7 * time.Second, RemedyCancel},
		"trapped twice":            {lim, WatchState{Activity: ActRunning, Since: t0, Steps: 2, LastStep: t0.Add(7 * time.Second)}, plan, 12 * time.Second, RemedyTerminate},
		"trapped for good":         {lim, WatchState{Activity: ActRunning, Since: t0, Steps: 3, LastStep: t0.Add(12 * time.Second)}, plan, 17 * time.Second, RemedyClose},
		"stalled":                  {lim, WatchState{Activity: ActStalled, Since: t0}, plan, 2 * time.Second, RemedyStall},
		"stalled, own limit":       {Limits{ClientStall: time.Second, QueryExecutionTime: 3 * time.Second}, WatchState{Activity: ActStalled, Since: t0}, plan, time.Second, RemedyStall},
		"stalled, no limit":        {Limits{}, WatchState{Activity: ActStalled, Since: t0}, plan, DefaultClientStall, RemedyStall},
		"transaction ends first":   {lim, WatchState{Activity: ActRunning, Since: t0, Tx: TxActive, TxSince: t0.Add(-59 * time.Second)}, plan, time.Second, RemedyEndTx},
		"idle session":             {lim, WatchState{Activity: ActIdle, Since: t0, Tx: TxIdle}, plan, time.Hour, RemedyEndSession},
		"idle in transaction":      {lim, WatchState{Activity: ActIdle, Since: t0, Tx: TxActive, TxSince: t0}, plan, 10 * time.Second, RemedyReleaseTx},
		"idle in a failed one":     {lim, WatchState{Activity: ActIdle, Since: t0, Tx: TxFailed, TxSince: t0}, plan, 10 * time.Second, RemedyReleaseTx},
		"idle in a unit":           {lim, WatchState{Activity: ActUnit, Since: t0, Tx: TxIdle}, plan, 10 * time.Second, RemedyReleaseTx},
		"idle, transaction first":  {lim, WatchState{Activity: ActIdle, Since: t0, Tx: TxActive, TxSince: t0.Add(-55 * time.Second)}, plan, 5 * time.Second, RemedyEndTx},
		"released":                 {lim, WatchState{Activity: ActIdle, Since: t0, Tx: TxFailed, TxSince: t0, Released: true}, plan, time.Hour, RemedyEndSession},
		"no limits":                {Limits{}, WatchState{Activity: ActRunning, Since: t0}, nil, 0, RemedyNone},
		"idle without limits":      {Limits{}, WatchState{Activity: ActIdle, Since: t0, Tx: TxActive}, nil, 0, RemedyNone},
		"observed release is none": {Limits{}, WatchState{Activity: ActIdle, Since: t0, Tx: TxActive}, &ReleasePlan{MaxIdleTx: time.Second, Observe: true}, 0, RemedyNone},
	}
	for name, c := range cases {
		at, r := c.lim.Next(&c.st, c.plan, grace)
		if r != c.r {
			t.Errorf("%s: got %s, want %s", name, r, c.r)
		}
		if r != RemedyNone && !at.Equal(t0.Add(c.at)) {
			t.Errorf("%s: at %s, want %s", name, at.Sub(t0), c.at)
		}
	}
}

// What is due never moves to a later time while nothing happens, and nothing
// that is limited is left without a remedy.
func TestLimitedWorkAlwaysHasANextStep(t *testing.T) {
	t.Parallel()
	t0 := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	lim := Limits{QueryExecutionTime: time.Second}
	for _, a := range []Activity{ActRunning, ActCopyWait, ActStalled} {
		last := t0
		for steps := range 6 {
			st := WatchState{Activity: a, Since: t0, Steps: steps, LastStep: last}
			at, r := lim.Next(&st, nil, time.Second)
			if r == RemedyNone || at.Before(last) {
				t.Errorf("activity %d, %d steps: %s at %s", a, steps, r, at.Sub(t0))
			}
			last = at
		}
	}
}
