package query

import (
	"errors"
	"log/slog"
	"time"

	"github.com/lockkeeper/lockkeeper/admin"
	"github.com/lockkeeper/lockkeeper/admin/blob"
	"github.com/lockkeeper/lockkeeper/admin/secret"
	"github.com/lockkeeper/lockkeeper/policy"
)

// Principal is who goes through the door.
type Principal = policy.Principal

// Config says what Runs stands on, and its bounds. Zero bounds take defaults.
type Config struct {
	Targets []Target
	Store   Store
	Door    Door
	Facts   Facts
	Blobs   blob.Store
	Vault   *secret.Vault
	Journal admin.Journal
	People  People

	// What others see of a result hangs on these; without one of them nobody but
	// the owner and named viewers opens a run.
	Intents    Intents
	Rights     Rights
	Privileges Privileges

	Statuses Statuses // nil: a run is never seen to wait
	Meter    Meter    // nil: exports are not charged
	Hub      Hub      // nil: nobody is told
	Log      *slog.Logger
	Now      func() time.Time

	Bounds Bounds
}

// Bounds of runs. Zero fields take the defaults of withDefaults.
type Bounds struct {
	MaxRows, MaxBytes     int64         // of one result, when the request says nothing
	TopRows, TopBytes     int64         // above which no request goes
	MaxStored             int64         // bytes of one run's blobs
	RunTimeout, TopRun    time.Duration // when the request says nothing; above which none goes
	QueueTimeout          time.Duration // likewise; also the top
	Abandon               time.Duration // interactive runs that nobody looks at
	KeepRows              time.Duration // until unpinned rows expire
	TotalBytes, EachBytes int64         // of all rows, and of one owner's; 0: no bound
	Live, LiveEach        int           // queued and running runs at once, of all and of one owner
	Sweep                 time.Duration // between two sweeps
	Poll                  time.Duration // between two looks at the door's queue
	PageBytes             int64         // of one page of rows in memory
	PagesBytes            int64         // of all pages on their way; half of it for one reader
	SortsBytes            int64         // that all sorts and charts hold together
	ExportsBytes          int64         // of what is written in formats that hold a part of the result; half of it for one reader
	ViewsBytes            int64         // of the places of sorted and filtered rows that are kept
	Patience              time.Duration // for memory that others hold
	ExportPatience        time.Duration // the same, for an export
	Ask                   time.Duration // for the warehouse to say what a reader may
}

// Validate says what is missing.
func (c *Config) Validate() error {
	switch {
	case len(c.Targets) == 0:
		return errors.New("query: no target")
	case c.Store == nil || c.Door == nil || c.Facts == nil || c.Blobs == nil || c.Vault == nil || c.Journal == nil || c.People == nil:
		return errors.New("query: store, door, facts, blobs, vault, journal and people are needed")
	case c.Now == nil:
		return errors.New("query: no clock")
	}
	return nil
}

func (b Bounds) withDefaults() Bounds {
	for _, d := range []struct {
		field *int64
		value int64
	}{
		{&b.MaxRows, 100_000},
		{&b.TopRows, 50_000_000},
		{&b.MaxBytes, 1 << 30},
		{&b.TopBytes, 64 << 30},
		{&b.MaxStored, 8 << 30},
		{&b.PageBytes, 32 << 20},
		{&b.PagesBytes, 96 << 20},
		{&b.SortsBytes, 80 << 20},    // the largest sort takes 74, the largest chart 72
		{&b.ExportsBytes, 144 << 20}, // four that hold all they may
		{&b.ViewsBytes, 32 << 20},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&b.RunTimeout, time.Hour},
		{&b.TopRun, 24 * time.Hour},
		{&b.QueueTimeout, time.Hour},
		{&b.Abandon, 10 * time.Minute},
		{&b.KeepRows, 90 * 24 * time.Hour},
		{&b.Sweep, time.Minute},
		{&b.Poll, 250 * time.Millisecond},
		{&b.Patience, 10 * time.Second},
		{&b.ExportPatience, 45 * time.Second},
		{&b.Ask, 2 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if b.Live == 0 {
		b.Live = 500
	}
	if b.LiveEach == 0 {
		b.LiveEach = 20
	}
	return b
}
