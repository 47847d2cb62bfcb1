package query

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
)

// Filter chooses runs. Empty fields choose all that the caller may see.
type Filter struct {
	Submitter string // a login; the API turns "me" into the caller's
	State     State
	Query     string // id of a saved query
	Text      string // part of the title, or of the SQL where the caller may see it
	Target    string
	Via       string
	Since     time.Time
	Until     time.Time
	Pinned    bool
	Cursor    string
	Limit     int // ≤ 200, 0: 50
}

// Page is a page of runs, the newest first.
type Page struct {
	Runs []Run
	Next string // cursor; empty: no more

	// Incomplete: the warehouse does not answer, and runs of others are left out
	// of which it would have to say whether the caller may see them.
	Incomplete bool
}

// Viewer is somebody whom the owner of a run lets open it.
type Viewer struct {
	ID    string    `json:"id"`
	Login string    `json:"login"`
	Name  string    `json:"name"`
	By    string    `json:"by"`
	At    time.Time `json:"at"`
}

// Change changes what the owner may change of a run; nil leaves as it is.
type Change struct {
	Title  *string
	Pinned *bool
	Keep   *bool // of a run that goes on: it does so when nobody looks
}

// Bounds of a list.
const (
	usualList = 50
	topList   = 200
	maxScan   = 2000 // records looked at for one page
)

// List returns runs that are open to the caller, the newest first. Without a
// submitter they are his own, and those he was named viewer of.
func (s *Runs) List(ctx context.Context, c *admin.Caller, f Filter) (Page, error) {
	if err := c.Need(admin.ScopeRunsRead); err != nil {
		return Page{}, err
	}
	limit, err := listLimit(f.Limit)
	if err != nil {
		return Page{}, err
	}
	rf := RecordFilter{
		State: f.State, QueryID: f.Query, Target: f.Target, Via: f.Via, Since: f.Since, Until: f.Until, Pinned: f.Pinned,
		Login: f.Submitter, Limit: topList,
	}
	if f.Submitter == "" || f.Submitter == c.Login {
		rf.OwnerID = c.ID
		if f.Submitter == "" {
			rf.ViewerID = c.ID
		}
	}
	if rf.Before, rf.BeforeID, err = readCursor(f.Cursor); err != nil {
		return Page{}, err
	}
	page := Page{Runs: []Run{}}
	for scanned := 0; scanned < maxScan; scanned += topList {
		var records []Record
		err := s.cfg.Store.View(ctx, func(tx Tx) (err error) {
			records, err = tx.Runs(ctx, rf)
			return err
		})
		if err != nil {
			return Page{}, fmt.Errorf("list runs: %w", err)
		}
		for i := range records {
			rec := &records[i]
			if len(page.Runs) == limit {
				return page, nil
			}
			page.Next = writeCursor(rec.Submitted, rec.ID)
			rf.Before, rf.BeforeID = rec.Submitted, rec.ID
			run, ok, err := s.listed(ctx, c, rec, f.Text)
			if isSilent(err) {
				page.Incomplete = true
				continue
			}
			if err != nil {
				return Page{}, err
			}
			if ok {
				page.Runs = append(page.Runs, run)
			}
		}
		if len(records) < topList {
			page.Next = ""
			return page, nil
		}
	}
	return page, nil
}

// listed returns a run if it is open to the caller and has the text.
func (s *Runs) listed(ctx context.Context, c *admin.Caller, rec *Record, text string) (Run, bool, error) {
	st, err := s.access.of(ctx, c, rec)
	if errors.Is(err, errActor) || err == nil && st == stranger {
		return Run{}, false, nil
	}
	if err != nil {
		return Run{}, false, err
	}
	run, err := s.view(ctx, c, rec, st)
	if err != nil {
		return Run{}, false, err
	}
	if text == "" || containsFold(run.Title, text) || run.SQL != nil && containsFold(*run.SQL, text) {
		return run, true, nil
	}
	return Run{}, false, nil
}

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}

func listLimit(n int) (int, error) {
	switch {
	case n == 0:
		return usualList, nil
	case n < 0 || n > topList:
		return 0, admin.Errorf(admin.Invalid, "bad-request", "limit is 1 to %d.", topList)
	}
	return n, nil
}

// A cursor is the moment and the id of the last item of a page.
func writeCursor(at time.Time, id string) string {
	return strconv.FormatInt(at.UnixMicro(), 36) + "-" + id
}

func readCursor(cursor string) (at time.Time, id string, err error) {
	if cursor == "" {
		return time.Time{}, "", nil
	}
	moment, id, ok := strings.Cut(cursor, "-")
	n, err := strconv.ParseInt(moment, 36, 64)
	if !ok || err != nil || len(id) > 40 {
		return time.Time{}, "", admin.Errorf(admin.Invalid, "bad-request", "The cursor is none of ours. Begin without one.")
	}
	return time.UnixMicro(n).UTC(), id, nil
}
