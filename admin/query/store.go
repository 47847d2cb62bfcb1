package query

import (
	"context"
	"encoding/json"
	"time"
)

// Store keeps runs and saved queries. Update runs fn as the only writer, View on
// one moment. What is not there is admin.ErrAbsent.
type Store interface {
	Update(ctx context.Context, fn func(Tx) error) error
	View(ctx context.Context, fn func(Tx) error) error
	// Purge removes from the store's own files what was written over, as far as
	// the engine can: keys that were destroyed must not linger in its journal.
	Purge(ctx context.Context) error
}

// Tx is one transaction of a Store.
type Tx interface {
	RunTx
	SavedTx
}

// RunTx is what a transaction does with runs.
type RunTx interface {
	Run(ctx context.Context, id string) (*Record, error)
	AddRun(ctx context.Context, r *Record) error
	SetRun(ctx context.Context, r *Record) error
	// Runs returns what f chooses, the newest first.
	Runs(ctx context.Context, f RecordFilter) ([]Record, error)
	// OpenRuns returns queued and running runs, from before a crash.
	OpenRuns(ctx context.Context) ([]Record, error)
	// DueRuns returns runs whose rows expire before a moment.
	DueRuns(ctx context.Context, before time.Time, limit int) ([]Record, error)
	// OldestRuns returns runs with rows that are not pinned, the oldest first,
	// of one owner or of all.
	OldestRuns(ctx context.Context, ownerID string, limit int) ([]Record, error)
	// StoredBytes sums the rows kept of one owner, or of all.
	StoredBytes(ctx context.Context, ownerID string) (int64, error)
	// PinnedBytes sums those of them that are pinned.
	PinnedBytes(ctx context.Context, ownerID string) (int64, error)
	// FullOwners returns owners whose rows take more than limit bytes.
	FullOwners(ctx context.Context, limit int64) ([]string, error)

	Viewers(ctx context.Context, runID string) ([]RunViewer, error)
	PutViewer(ctx context.Context, v *RunViewer) error
	RemoveViewer(ctx context.Context, runID, viewerID string) error

	Key(ctx context.Context, hash []byte) (*KeyRecord, error)
	PutKey(ctx context.Context, k *KeyRecord) error
	PruneKeys(ctx context.Context, before time.Time) error
}

// Record is a run as it is stored. Sealed fields open with the vault only.
type Record struct {
	ID      string
	OwnerID string // the person, or the service that ran for itself
	Kind    string
	Login   string
	Name    string
	ActorID string // the service that acted for the owner
	Actor   string
	Token   string

	Target  string
	State   State
	Via     string
	Title   string
	Access  Access
	Urgency Urgency
	OnLimit OnLimit
	Limits  Limits
	Tags    map[string]string
	Multi   bool
	Keep    bool
	Pinned  bool
	Deleted bool

	QueryID      string
	QueryVersion int
	QueryTitle   string

	Submitted time.Time
	Started   time.Time
	Finished  time.Time
	Expires   time.Time // of the rows; zero: there are none, or for ever
	Version   int64

	SQL         []byte // sealed; nil: deleted
	Params      []byte // sealed
	Outcome     []byte // sealed: statements, errors, notices
	SealedTitle []byte // sealed; nil: Title is in clear, as in all records that are not being stored
	TextKey     []byte // sealed, SealedKeySize long; nil: deleted, or from before there were any
	RowsKey     []byte // likewise; nil: no rows, or no more
	Bytes       int64  // of the blobs
	Origin      *Origin
}

// RecordFilter chooses records. Empty fields choose all.
type RecordFilter struct {
	OwnerID   string // runs of this owner …
	ViewerID  string // … or, when both are set, those this one was named viewer of
	Login     string
	State     State
	QueryID   string
	Target    string
	Via       string
	Since     time.Time
	Until     time.Time
	Pinned    bool
	Before    time.Time // submitted before, or at the same moment with a smaller id
	BeforeID  string
	Succeeded bool
	Limit     int
}

// RunViewer is a named viewer of a run.
type RunViewer struct {
	RunID    string
	ViewerID string
	Login    string
	Name     string
	By       string
	At       time.Time
}

// KeyRecord remembers an idempotency key. Only hashes are kept.
type KeyRecord struct {
	Hash  []byte // of who and key
	Body  []byte // of the request
	RunID string
	At    time.Time
}

// Origin is where a result came from, as the door resolved it when it ran.
type Origin struct {
	Relations []string `json:"relations"` // database.schema.name or schema.name
	Functions []string `json:"functions"`
	OwnerOnly string   `json:"owner_only"` // why nobody else may open it; empty: others may
}

// SavedTx is what a transaction does with saved queries.
type SavedTx interface {
	Saved(ctx context.Context, id string) (*SavedRecord, error)
	AddSaved(ctx context.Context, r *SavedRecord) error
	SetSaved(ctx context.Context, r *SavedRecord) error
	RemoveSaved(ctx context.Context, id string) error
	// SavedBy returns what f chooses, the last changed first.
	SavedBy(ctx context.Context, f SavedRecordFilter) ([]SavedRecord, error)

	SavedVersion(ctx context.Context, id string, version int) (*VersionRecord, error)
	SavedVersions(ctx context.Context, id string) ([]VersionRecord, error)
	PutSavedVersion(ctx context.Context, v *VersionRecord) error

	Starred(ctx context.Context, id, personID string) (bool, error)
	SetStar(ctx context.Context, id, personID string, on bool) error

	Releases(ctx context.Context, id string) ([]ReleaseRecord, error)
	PutRelease(ctx context.Context, r *ReleaseRecord) error

	// SavedSize returns how many saved queries and drafts an owner has, and how
	// many characters of text they and their versions are.
	SavedSize(ctx context.Context, ownerID string) (queries, chars int64, err error)
	// SavedUse returns the newest run of a saved query by an owner, nil if there
	// is none, and how many it had of all since a moment.
	SavedUse(ctx context.Context, id, ownerID string, since time.Time) (*LastRun, int, error)
}

// SavedRecord is a saved query as it is stored.
type SavedRecord struct {
	ID          string
	OwnerID     string
	OwnerLogin  string
	OwnerName   string
	Title       string
	Description string
	SQL         string
	Params      []SavedParam
	Chart       json.RawMessage
	Tags        []string
	Team        string // empty: private
	Draft       bool
	Target      string
	Version     int
	Rev         int64
	Working     *Working
	Created     time.Time
	Updated     time.Time
}

// SavedRecordFilter chooses saved queries.
type SavedRecordFilter struct {
	ReaderID  string   // whoever asks: owns it …
	Teams     []string // … or is of its team; "everyone" is always open
	Mine      bool
	Team      string
	MyTeams   bool // of one of Teams
	Starred   bool
	Tag       string
	Draft     *bool
	Text      string
	BeforeRev time.Time // updated before, or at the same moment with a smaller id
	BeforeID  string
	Limit     int
}

// VersionRecord is a version as it is stored.
type VersionRecord struct {
	QueryID string
	Version
}

// ReleaseRecord is a version released to a service.
type ReleaseRecord struct {
	QueryID string
	Released
}
