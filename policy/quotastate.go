package policy

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

// quotaStateVersion is the version of the exported form.
const quotaStateVersion = 1

// quotaState is what a restart keeps.
type quotaState struct {
	Version int         `json:"version"`
	Cells   []cellState `json:"cells"`
}

type cellState struct {
	Quota  string   `json:"quota"`
	Key    []string `json:"key"`
	Shape  string   `json:"shape"` // unit, period, zone and key: another shape does not fit
	Used   int64    `json:"used,omitempty"`
	Start  int64    `json:"start,omitempty"` // unix nanoseconds
	End    int64    `json:"end,omitempty"`
	Level  float64  `json:"level,omitempty"`
	LevelT int64    `json:"at,omitempty"`
	Told   uint32   `json:"told,omitempty"`
}

func (l *ledger) export() []byte {
	s := quotaState{Version: quotaStateVersion, Cells: []cellState{}}
	l.mu.Lock()
	for _, c := range l.cells {
		s.Cells = append(s.Cells, cellState{
			Quota: c.id, Key: c.values, Shape: c.sig, Used: c.used, Start: c.start, End: c.end,
			Level: c.level, LevelT: c.at, Told: c.told,
		})
	}
	l.mu.Unlock()
	slices.SortFunc(s.Cells, func(a, b cellState) int {
		if d := strings.Compare(a.Quota, b.Quota); d != 0 {
			return d
		}
		return slices.Compare(a.Key, b.Key)
	})
	out, err := json.Marshal(s)
	if err != nil { // numbers and strings only; a level is never NaN
		return nil
	}
	return out
}

func (l *ledger) restore(data []byte) error {
	var s quotaState
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("read quota counters: %w", err)
	}
	if s.Version != quotaStateVersion {
		return fmt.Errorf("read quota counters: version %d, not %d", s.Version, quotaStateVersion)
	}
	for i := range s.Cells {
		c := &s.Cells[i]
		if c.Quota == "" || c.Used < 0 || c.End < c.Start || c.Level < 0 || math.IsInf(c.Level, 0) {
			return fmt.Errorf("read quota counters: counter %d of %q makes no sense", i, c.Quota)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range s.Cells {
		c := &s.Cells[i]
		if len(l.cells) >= l.max {
			break
		}
		l.cells[c.Quota+"\x00"+strings.Join(c.Key, "\x00")] = &cell{
			id: c.Quota, sig: c.Shape, values: c.Key, used: c.Used, start: c.Start, end: c.End,
			level: c.Level, at: c.LevelT, told: c.Told,
		}
	}
	l.dirty.Add(1)
	return nil
}

// retain drops the counters of quotas that are gone or count something else.
func (l *ledger) retain(rs *Ruleset) {
	l.mu.Lock()
	defer l.mu.Unlock()
	current := map[string]*quota{}
	for i := range rs.items {
		if q := rs.items[i].quota; q != nil {
			current[q.src.ID] = q
		}
	}
	for k, c := range l.cells {
		q := current[c.id]
		if q == nil || q.sig != c.sig || len(c.values) != len(q.src.Key) {
			delete(l.cells, k)
			l.dirty.Add(1)
			continue
		}
		if c.q != nil && !slices.Equal(c.q.notify, q.notify) {
			c.told = 0
		}
		c.q = q
	}
}
