package query

import (
	"context"

	"github.com/lockkeeper/lockkeeper/admin"
)

// What follows are the signatures that the API builds on.

// Runs submits runs and keeps them.
type Runs struct{}

// Library keeps saved queries and drafts.
type Library struct{}

// Catalog finds tables, as the caller.
type Catalog struct{}

// Explainer says what a text would do.
type Explainer struct{}

func notYet() error { return admin.Errorf(admin.Unavailable, "unavailable", "Not built yet.") }

func etag(id string, version int64) string { return "" }

// Run recovers what a crash left, sweeps, and returns when ctx has ended and no
// run goroutine is left.
func (s *Runs) Run(ctx context.Context) error { return notYet() }

// Submit begins a run, or returns the one that an idempotency key already began.
func (s *Runs) Submit(ctx context.Context, c *admin.Caller, req Request) (Submitted, error) {
	return Submitted{}, notYet()
}

// Get returns a run.
func (s *Runs) Get(ctx context.Context, c *admin.Caller, id string) (Run, error) {
	return Run{}, notYet()
}

// Wait returns the run as soon as its version is above the one given, or it is
// terminal, or ctx ends; then it returns the run as it is, without an error.
func (s *Runs) Wait(ctx context.Context, c *admin.Caller, id string, version int64) (Run, error) {
	return Run{}, notYet()
}

// List returns runs, the newest first.
func (s *Runs) List(ctx context.Context, c *admin.Caller, f Filter) (Page, error) {
	return Page{}, notYet()
}

// Live returns the caller's queued and running runs, for event streams.
func (s *Runs) Live(ctx context.Context, c *admin.Caller) ([]Run, error) { return nil, notYet() }

// Cancel ends a run. It is idempotent; the run may take a moment to be terminal.
func (s *Runs) Cancel(ctx context.Context, c *admin.Caller, id, reason string) (Run, error) {
	return Run{}, notYet()
}

// Lease says that somebody looks at an interactive run.
func (s *Runs) Lease(ctx context.Context, c *admin.Caller, id string) error { return notYet() }

// Update changes title or pin.
func (s *Runs) Update(ctx context.Context, c *admin.Caller, id string, ch Change) (Run, error) {
	return Run{}, notYet()
}

// Delete destroys a run's rows, SQL and parameters; a tombstone stays.
func (s *Runs) Delete(ctx context.Context, c *admin.Caller, id string) error { return notYet() }

// Viewers lists who else may open a run.
func (s *Runs) Viewers(ctx context.Context, c *admin.Caller, id string) ([]Viewer, error) {
	return nil, notYet()
}

// AddViewer lets somebody open a run.
func (s *Runs) AddViewer(ctx context.Context, c *admin.Caller, id, login string) error {
	return notYet()
}

// RemoveViewer takes that back.
func (s *Runs) RemoveViewer(ctx context.Context, c *admin.Caller, id, login string) error {
	return notYet()
}

// Rows returns a page of a stored result. It is recorded before it returns.
func (s *Runs) Rows(ctx context.Context, c *admin.Caller, id string, req RowsRequest) (RowsPage, error) {
	return RowsPage{}, notYet()
}

// Aggregate computes a chart's points from a stored result. The chart's spec is
// JSON. It is recorded before it returns.
func (s *Runs) Aggregate(ctx context.Context, c *admin.Caller, id string, statement int, chart []byte) (Groups, error) {
	return Groups{}, notYet()
}

// Export returns a whole result in a format. It is recorded and charged before
// it returns; the caller writes or closes it.
func (s *Runs) Export(ctx context.Context, c *admin.Caller, id string, req ExportRequest) (*Export, error) {
	return nil, notYet()
}

// Revoke ends the runs of principals whose rights ended: ids of people,
// services, tokens or sessions. It returns how many it ends.
func (s *Runs) Revoke(ids ...string) int { return 0 }

// Latest returns the id of the newest succeeded run of a saved query that the
// caller may open.
func (s *Runs) Latest(ctx context.Context, c *admin.Caller, queryID string) (string, error) {
	return "", notYet()
}

// List returns saved queries open to the caller, the last changed first.
func (l *Library) List(ctx context.Context, c *admin.Caller, f SavedFilter) (SavedPage, error) {
	return SavedPage{}, notYet()
}

// Create saves a query or a draft.
func (l *Library) Create(ctx context.Context, c *admin.Caller, n NewSaved) (Saved, error) {
	return Saved{}, notYet()
}

// Get returns one.
func (l *Library) Get(ctx context.Context, c *admin.Caller, id string) (Saved, error) {
	return Saved{}, notYet()
}

// Update changes one; rev is the newest the caller has seen, from If-Match: 0
// is refused as "if-match-required", a stale one as "version-conflict".
func (l *Library) Update(ctx context.Context, c *admin.Caller, id string, rev int64, ch SavedChange) (Saved, error) {
	return Saved{}, notYet()
}

// Delete removes one.
func (l *Library) Delete(ctx context.Context, c *admin.Caller, id string) error { return notYet() }

// Versions lists the versions, the newest first.
func (l *Library) Versions(ctx context.Context, c *admin.Caller, id string) ([]Version, error) {
	return nil, notYet()
}

// Version returns one version.
func (l *Library) Version(ctx context.Context, c *admin.Caller, id string, n int) (Version, error) {
	return Version{}, notYet()
}

// Fork copies one into a draft of the caller's.
func (l *Library) Fork(ctx context.Context, c *admin.Caller, id string) (Saved, error) {
	return Saved{}, notYet()
}

// Star marks one for the caller, or takes the mark away.
func (l *Library) Star(ctx context.Context, c *admin.Caller, id string, on bool) error {
	return notYet()
}

// Release lets the tokens of a service that pin this query run a version.
func (l *Library) Release(ctx context.Context, c *admin.Caller, id string, version int, service string) (Saved, error) {
	return Saved{}, notYet()
}

// Tables searches tables.
func (k *Catalog) Tables(ctx context.Context, c *admin.Caller, target, q, cursor string, limit int) (TablePage, error) {
	return TablePage{}, notYet()
}

// Table returns one table.
func (k *Catalog) Table(ctx context.Context, c *admin.Caller, target, schema, name string) (TableDetail, error) {
	return TableDetail{}, notYet()
}

// Completions returns the names that the editor completes.
func (k *Catalog) Completions(ctx context.Context, c *admin.Caller, target string) (Completions, error) {
	return Completions{}, notYet()
}

// Explain says what a text would do.
func (x *Explainer) Explain(ctx context.Context, c *admin.Caller, req ExplainRequest) (Explanation, error) {
	return Explanation{}, notYet()
}
